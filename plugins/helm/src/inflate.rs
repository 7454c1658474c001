//! gzip, unpacked piece by piece, so that a bomb costs no memory: in a slice, out what is asked for.
//! Checksums are checked, and members may follow each other, as Go's compress/gzip has it.

use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush, MZStatus};

/// A gzip text that is being unpacked.
pub(crate) struct Gunzip<'a> {
    rest: &'a [u8],
    state: Box<InflateState>,
    checksum: u32,
    /// Bytes of this member so far.
    length: u32,
    is_over: bool,
}

impl<'a> Gunzip<'a> {
    /// Reads the header of the first member.
    pub(crate) fn new(data: &'a [u8]) -> Result<Self, String> {
        let rest = body(data).ok_or("gzip: invalid header")?;
        Ok(Self {
            rest,
            state: InflateState::new_boxed(DataFormat::Raw),
            checksum: !0,
            length: 0,
            is_over: false,
        })
    }

    /// Fills `out` as far as there is anything; returns how much it filled.
    pub(crate) fn read(&mut self, out: &mut [u8]) -> Result<usize, String> {
        let mut filled = 0;
        while filled < out.len() && !self.is_over {
            let result = inflate(
                &mut self.state,
                self.rest,
                &mut out[filled..],
                MZFlush::None,
            );
            self.rest = &self.rest[result.bytes_consumed..];
            let fresh = &out[filled..filled + result.bytes_written];
            self.checksum = checksum(self.checksum, fresh);
            self.length = self.length.wrapping_add(fresh.len() as u32);
            filled += fresh.len();
            match result.status {
                Ok(MZStatus::StreamEnd) => self.next_member()?,
                Ok(_) if result.bytes_consumed + result.bytes_written > 0 => {}
                Ok(_) | Err(MZError::Buf) => return Err("unexpected EOF".to_owned()),
                Err(_) => return Err("flate: corrupt input".to_owned()),
            }
        }
        Ok(filled)
    }

    fn next_member(&mut self) -> Result<(), String> {
        let (trailer, rest) = self.rest.split_at_checked(8).ok_or("unexpected EOF")?;
        let wanted = [(!self.checksum).to_le_bytes(), self.length.to_le_bytes()].concat();
        if trailer != wanted {
            return Err("gzip: invalid checksum".to_owned());
        }
        if rest.is_empty() {
            self.is_over = true;
            return Ok(());
        }
        *self = Self::new(rest)?;
        Ok(())
    }
}

/// What follows the header of a member.
fn body(data: &[u8]) -> Option<&[u8]> {
    let (header, mut rest) = data.split_at_checked(10)?;
    if header[..3] != [0x1f, 0x8b, 8] {
        return None;
    }
    let flags = header[3];
    if flags & 4 != 0 {
        let length = usize::from(u16::from_le_bytes([*rest.first()?, *rest.get(1)?]));
        rest = rest.get(2 + length..)?;
    }
    for flag in [8, 16] {
        if flags & flag != 0 {
            let end = rest.iter().position(|byte| *byte == 0)?;
            rest = &rest[end + 1..];
        }
    }
    if flags & 2 != 0 {
        rest = rest.get(2..)?;
    }
    Some(rest)
}

/// Goes on with a CRC-32 of IEEE 802.3, not yet inverted at the end.
fn checksum(start: u32, bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| {
        let index = (sum ^ u32::from(*byte)) & 0xff;
        TABLE[index as usize] ^ (sum >> 8)
    };
    bytes.iter().fold(start, step)
}

const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut value = index as u32;
        let mut bit = 0;
        while bit < 8 {
            let low = value & 1;
            value >>= 1;
            if low == 1 {
                value ^= 0xedb8_8320;
            }
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
        out.extend(miniz_oxide::deflate::compress_to_vec(text, 6));
        out.extend((!checksum(!0, text)).to_le_bytes());
        out.extend((text.len() as u32).to_le_bytes());
        out
    }

    fn unpacked(data: &[u8]) -> Result<Vec<u8>, String> {
        let mut gunzip = Gunzip::new(data)?;
        let mut all = Vec::new();
        let mut piece = [0; 7];
        loop {
            match gunzip.read(&mut piece)? {
                0 => return Ok(all),
                filled => all.extend_from_slice(&piece[..filled]),
            }
        }
    }

    #[test]
    fn members_follow_each_other() {
        let text = b"some text, some text, some text".repeat(9);
        let two = [packed(&text), packed(b"and more")].concat();
        assert_eq!(unpacked(&two), Ok([&text[..], b"and more"].concat()));
        assert_eq!(checksum(!0, b"123456789"), !0xcbf4_3926);
    }

    #[test]
    fn damage_is_told() {
        let whole = packed(b"some text");
        for length in [0, 5, 11, whole.len() - 9, whole.len() - 1] {
            assert!(unpacked(&whole[..length]).is_err(), "{length}");
        }
        let mut wrong = whole.clone();
        let end = wrong.len() - 5;
        wrong[end] ^= 1;
        assert_eq!(unpacked(&wrong), Err("gzip: invalid checksum".to_owned()));
    }
}
