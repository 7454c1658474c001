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
    ("sha1sum", fixed(&[S], |_, a| Ok(hex(&sha1::Sha1::digest(bytes::of(text_of(&a[0])))).into()))),
    ("sha256sum", fixed(&[S], |_, a| Ok(hex(&sha2::Sha256::digest(bytes::of(text_of(&a[0])))).into()))),
    ("sha512sum", fixed(&[S], |_, a| Ok(hex(&sha2::Sha512::digest(bytes::of(text_of(&a[0])))).into()))),
    ("adler32sum", fixed(&[S], |_, a| Ok(adler32(&bytes::of(text_of(&a[0]))).to_string().into()))),
    ("randBytes", fixed(&[I], |run, a| {
        let count = int_of(&a[0]);
        let count = usize::try_from(count).map_err(|_| "runtime error: makeslice: len out of range")?;
        if count as i64 > MAX_BYTES {
            return Err(format!("more than {MAX_BYTES} random bytes").into());
        }
        Ok(base64(&context(run)?.random.borrow_mut().bytes(count)).into())
    })),
    ("uuidv4", fixed(&[], uuid)),
];

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
    let parts = [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]];
    Ok(parts.join("-").into())
}
