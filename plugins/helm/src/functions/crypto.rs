//! Sprig's digests, ciphers, passwords and keys. What is random comes from the render's seed.

use bulkhead_template::{Function, Param, Run, Value, bytes, fixed};
use sha1::Digest;

use super::{Answer, context, int_of, text_of};
use crate::encoding::{base64, hex};

const S: Param = Param::String;
const I: Param = Param::Int;

/// Most random bytes of one call.
const MAX_BYTES: i64 = 1 << 20;

pub(super) const TABLE: &[(&str, Function)] = &[
    (
        "sha1sum",
        fixed(&[S], |_, a| {
            Ok(hex(&sha1::Sha1::digest(bytes::of(text_of(&a[0])))).into())
        }),
    ),
    (
        "sha256sum",
        fixed(&[S], |_, a| {
            Ok(hex(&sha2::Sha256::digest(bytes::of(text_of(&a[0])))).into())
        }),
    ),
    (
        "sha512sum",
        fixed(&[S], |_, a| {
            Ok(hex(&sha2::Sha512::digest(bytes::of(text_of(&a[0])))).into())
        }),
    ),
    (
        "adler32sum",
        fixed(&[S], |_, a| {
            Ok(adler32(&bytes::of(text_of(&a[0]))).to_string().into())
        }),
    ),
    (
        "randBytes",
        fixed(&[I], |run, a| {
            let count = int_of(&a[0]);
            let count =
                usize::try_from(count).map_err(|_| "runtime error: makeslice: len out of range")?;
            if count as i64 > MAX_BYTES {
                return Err(format!("more than {MAX_BYTES} random bytes").into());
            }
            Ok(base64(&context(run)?.random.borrow_mut().bytes(count)).into())
        }),
    ),
    ("uuidv4", fixed(&[], uuid)),
    (
        "bcrypt",
        fixed(&[S], |run, a| Ok(bcrypt(run, text_of(&a[0]))?.into())),
    ),
    (
        "htpasswd",
        fixed(&[S, S], |run, a| {
            let user = text_of(&a[0]);
            if user.contains(':') {
                return Ok(format!("invalid username: {user}").into());
            }
            Ok(format!("{user}:{}", bcrypt(run, text_of(&a[1]))?).into())
        }),
    ),
    (
        "derivePassword",
        fixed(&[Param::Uint32, S, S, S, S], derive_password),
    ),
    ("encryptAES", fixed(&[S, S], encrypt)),
    ("decryptAES", fixed(&[S, S], decrypt)),
];

/// Rounds of bcrypt, as a power of two.
const BCRYPT_COST: u32 = 10;

const BCRYPT_ALPHABET: &[u8; 64] =
    b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Base64 with bcrypt's alphabet, without padding.
fn bcrypt_text(data: &[u8]) -> String {
    let plain = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let encoded = base64(data);
    let translate = |byte: u8| {
        let at = plain.iter().position(|known| *known == byte)?;
        Some(char::from(BCRYPT_ALPHABET[at]))
    };
    encoded.bytes().filter_map(translate).collect()
}

fn bcrypt(run: &mut Run<'_>, password: &str) -> Result<String, bulkhead_template::Error> {
    run.charge(super::SLOW_STEPS)?;
    let password = bytes::of(password);
    if password.len() > 72 {
        return Ok(
            "failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes"
                .to_owned(),
        );
    }
    let salt = context(run)?.random.borrow_mut().bytes(16);
    let mut key = password.into_owned();
    key.push(0);
    let mut state = blowfish::Blowfish::<byteorder::BE>::bc_init_state();
    state.salted_expand_key(&salt, &key);
    for _ in 0..1u32 << BCRYPT_COST {
        state.bc_expand_key(&key);
        state.bc_expand_key(&salt);
    }
    let mut block = *b"OrpheanBeholderScryDoubt";
    let mut digest = Vec::with_capacity(24);
    for pair in block.chunks_exact_mut(8) {
        let word = |part: &[u8]| {
            part.iter()
                .fold(0u32, |word, byte| word << 8 | u32::from(*byte))
        };
        let mut halves = [word(&pair[..4]), word(&pair[4..])];
        for _ in 0..64 {
            halves = state.bc_encrypt(halves);
        }
        halves
            .iter()
            .for_each(|half| digest.extend_from_slice(&half.to_be_bytes()));
    }
    let (salt, digest) = (bcrypt_text(&salt), bcrypt_text(&digest[..23]));
    Ok(format!("$2a${BCRYPT_COST:02}${salt}{digest}"))
}

const TEMPLATES: &[(&str, &[&str])] = &[
    ("maximum", &["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"]),
    (
        "long",
        &[
            "CvcvnoCvcvCvcv",
            "CvcvCvcvnoCvcv",
            "CvcvCvcvCvcvno",
            "CvccnoCvcvCvcv",
            "CvccCvcvnoCvcv",
            "CvccCvcvCvcvno",
            "CvcvnoCvccCvcv",
            "CvcvCvccnoCvcv",
            "CvcvCvccCvcvno",
            "CvcvnoCvcvCvcc",
            "CvcvCvcvnoCvcc",
            "CvcvCvcvCvccno",
            "CvccnoCvccCvcv",
            "CvccCvccnoCvcv",
            "CvccCvccCvcvno",
            "CvcvnoCvccCvcc",
            "CvcvCvccnoCvcc",
            "CvcvCvccCvccno",
            "CvccnoCvcvCvcc",
            "CvccCvcvnoCvcc",
            "CvccCvcvCvccno",
        ],
    ),
    ("medium", &["CvcnoCvc", "CvcCvcno"]),
    ("short", &["Cvcn"]),
    ("basic", &["aaanaaan", "aannaaan", "aaannaaa"]),
    ("pin", &["nnnn"]),
];

fn characters(class: u8) -> &'static [u8] {
    match class {
        b'V' => b"AEIOU",
        b'C' => b"BCDFGHJKLMNPQRSTVWXYZ",
        b'v' => b"aeiou",
        b'c' => b"bcdfghjklmnpqrstvwxyz",
        b'A' => b"AEIOUBCDFGHJKLMNPQRSTVWXYZ",
        b'a' => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
        b'n' => b"0123456789",
        b'o' => b"@&%?,=[]_:-+*$#!'^~;()/.",
        _ => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
    }
}

/// The master password algorithm: a password for a site from one for all.
fn derive_password(run: &mut Run<'_>, args: &[Value]) -> Answer {
    run.charge(super::SLOW_STEPS)?;
    use hmac::{KeyInit, Mac};
    const SCOPE: &[u8] = b"com.lyndir.masterpassword";
    let kind = text_of(&args[1]);
    let Some((_, templates)) = TEMPLATES.iter().find(|(name, _)| *name == kind) else {
        return Ok(format!("cannot find password template {kind}").into());
    };
    let sized = |text: &str| {
        let data = bytes::of(text);
        let mut out = SCOPE.to_vec();
        out.extend_from_slice(&(data.len() as u32).to_be_bytes());
        out.extend_from_slice(&data);
        out
    };
    let mut key = [0u8; 64];
    let params = scrypt::Params::new(15, 8, 2).map_err(|error| error.to_string())?;
    scrypt::scrypt(
        &bytes::of(text_of(&args[2])),
        &sized(text_of(&args[3])),
        &params,
        &mut key,
    )
    .map_err(|error| error.to_string())?;
    let mut message = sized(text_of(&args[4]));
    message.extend_from_slice(&(int_of(&args[0]) as u32).to_be_bytes());
    let mut mac =
        hmac::Hmac::<sha2::Sha256>::new_from_slice(&key).map_err(|error| error.to_string())?;
    mac.update(&message);
    let seed = mac.finalize().into_bytes();
    let template = templates[usize::from(seed[0]) % templates.len()];
    let pick = |(at, class): (usize, u8)| {
        let set = characters(class);
        char::from(set[usize::from(seed[at + 1]) % set.len()])
    };
    Ok(template
        .bytes()
        .enumerate()
        .map(pick)
        .collect::<String>()
        .into())
}

fn cipher(password: &str) -> Result<aes::Aes256, String> {
    use aes::cipher::KeyInit;
    let data = bytes::of(password);
    let mut key = [0u8; 32];
    let length = data.len().min(32);
    key[..length].copy_from_slice(&data[..length]);
    aes::Aes256::new_from_slice(&key).map_err(|error| error.to_string())
}

fn encrypt(run: &mut Run<'_>, args: &[Value]) -> Answer {
    use aes::cipher::BlockCipherEncrypt;
    if text_of(&args[1]).is_empty() {
        return Ok("".into());
    }
    let cipher = cipher(text_of(&args[0]))?;
    let mut data = bytes::of(text_of(&args[1])).into_owned();
    let padding = 16 - data.len() % 16;
    data.extend(std::iter::repeat_n(padding as u8, padding));
    let mut out = context(run)?.random.borrow_mut().bytes(16);
    for chunk in data.chunks_exact(16) {
        let mut block = [0u8; 16];
        let before = out.len() - 16;
        block
            .iter_mut()
            .zip(chunk.iter().zip(&out[before..]))
            .for_each(|(b, (c, p))| *b = c ^ p);
        let mut block = aes::Block::from(block);
        cipher.encrypt_block(&mut block);
        out.extend_from_slice(&block);
    }
    Ok(base64(&out).into())
}

fn decrypt(_: &mut Run<'_>, args: &[Value]) -> Answer {
    use aes::cipher::BlockCipherDecrypt;
    if text_of(&args[1]).is_empty() {
        return Ok("".into());
    }
    let data = crate::encoding::unbase64(&bytes::of(text_of(&args[1])))?;
    if data.len() < 16 {
        let room = text_of(&args[1]).len() / 4 * 3;
        return Err(
            format!("runtime error: slice bounds out of range [:16] with capacity {room}").into(),
        );
    }
    if !data.len().is_multiple_of(16) {
        return Err("crypto/cipher: input not full blocks".into());
    }
    let cipher = cipher(text_of(&args[0]))?;
    let mut out = Vec::with_capacity(data.len());
    for at in (16..data.len()).step_by(16) {
        let mut chunk = [0u8; 16];
        chunk.copy_from_slice(&data[at..at + 16]);
        let mut block = aes::Block::from(chunk);
        cipher.decrypt_block(&mut block);
        out.extend(block.iter().zip(&data[at - 16..at]).map(|(b, p)| b ^ p));
    }
    let padding = usize::from(out.last().copied().unwrap_or(0));
    let length = out
        .len()
        .checked_sub(padding)
        .ok_or("runtime error: slice bounds out of range")?;
    Ok(bytes::to_text(&out[..length]).into_owned().into())
}

fn adler32(data: &[u8]) -> u32 {
    let (mut a, mut b) = (1u32, 0u32);
    for byte in data {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    b << 16 | a
}

fn uuid(run: &mut Run<'_>, _: &[Value]) -> Answer {
    let mut data = context(run)?.random.borrow_mut().bytes(16);
    data[6] = data[6] & 0x0f | 0x40;
    data[8] = data[8] & 0x3f | 0x80;
    let text = hex(&data);
    let parts = [
        &text[..8],
        &text[8..12],
        &text[12..16],
        &text[16..20],
        &text[20..],
    ];
    Ok(parts.join("-").into())
}
