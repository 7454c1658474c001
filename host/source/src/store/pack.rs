//! From the bytes of a pack to objects in the store.
//!
//! A pack is spooled (memory, then a file), counted through against every limit, and only then
//! indexed; indexing checks the pack's checksum, each object's hash and SHA-1 collisions.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use gix::odb::pack;
use pack::data::input::{BytesToEntriesIter, EntryDataMode, Mode};

use super::Objects;
use crate::{FetchError, Limits, Location};

/// Packs up to this size are spooled in memory.
const MEMORY_BYTES: usize = 8 * 1024 * 1024;

/// Stores the pack that `incoming` gives.
pub(crate) fn receive(
    incoming: &mut dyn BufRead,
    objects: &Objects,
    location: &Location,
    limits: &Limits,
    stop: &AtomicBool,
) -> Result<(), FetchError> {
    let mut spool = tempfile::SpooledTempFile::new_in(MEMORY_BYTES, objects.path());
    let write = |error: io::Error| FetchError::store("write", objects.pack_folder(), error);
    let read = |error: io::Error| FetchError::protocol(location, error.to_string());
    let mut bytes = 0;
    loop {
        let chunk = incoming.fill_buf().map_err(read)?;
        let length = chunk.len();
        if length == 0 {
            break;
        }
        bytes += length as u64;
        if bytes > limits.pack_bytes {
            return Err(FetchError::limit(
                "the pack",
                "pack_bytes",
                limits.pack_bytes,
            ));
        }
        spool.write_all(chunk).map_err(write)?;
        incoming.consume(length);
    }
    spool.seek(SeekFrom::Start(0)).map_err(write)?;
    let count = check(
        &mut BufReader::new(Stoppable {
            inner: &mut spool,
            stop,
        }),
        location,
        limits,
    )?;
    if count == 0 {
        return Ok(());
    }
    spool.seek(SeekFrom::Start(0)).map_err(write)?;
    index(
        &mut BufReader::new(spool),
        objects,
        location,
        most_at_once(count, limits),
        stop,
    )
}

/// Returns how much memory indexing may ask for in one piece: an object, or the list of all.
fn most_at_once(count: u64, limits: &Limits) -> usize {
    const LISTED_BYTES: u64 = 256;
    usize::try_from(limits.object_bytes.max(count.saturating_mul(LISTED_BYTES)))
        .unwrap_or(usize::MAX)
}

fn index(
    pack: &mut dyn BufRead,
    objects: &Objects,
    location: &Location,
    most_at_once: usize,
    stop: &AtomicBool,
) -> Result<(), FetchError> {
    let reader = objects.reader();
    let options = pack::bundle::write::Options {
        thread_limit: Some(2),
        iteration_mode: Mode::Verify,
        alloc_limit_bytes: Some(most_at_once),
        ..Default::default()
    };
    let outcome = pack::Bundle::write_to_directory(
        pack,
        Some(&objects.pack_folder()),
        &mut gix::progress::Discard,
        stop,
        Some(reader.handle()),
        gix::hash::Kind::Sha1,
        options,
    )
    .map_err(|error| FetchError::protocol(location, format!("the pack is damaged: {error:#}")))?;
    if let Some(keep) = outcome.keep_path {
        super::objects::remove_file(&keep)
            .map_err(|error| FetchError::store("remove", keep, error))?;
    }
    Ok(())
}

/// Counts a pack through, and returns its number of objects.
fn check(pack: &mut dyn BufRead, location: &Location, limits: &Limits) -> Result<u64, FetchError> {
    let damaged = |error: gix::Error| {
        FetchError::protocol(location, format!("the pack is damaged: {error:#}"))
    };
    let entries = BytesToEntriesIter::new_from_header(
        pack,
        Mode::AsIs,
        EntryDataMode::KeepAndCrc32,
        gix::hash::Kind::Sha1,
    )
    .map_err(damaged)?;
    let count = entries.size_hint().0 as u64;
    if count > limits.objects {
        return Err(FetchError::limit(
            format!("the pack of {count} objects"),
            "objects",
            limits.objects,
        ));
    }
    let mut unpacked = 0u64;
    for entry in entries {
        let entry = entry.map_err(damaged)?;
        let size_bytes = size_of(&entry)
            .ok_or_else(|| FetchError::protocol(location, "the pack has a bad delta"))?;
        if size_bytes.max(entry.decompressed_size) > limits.object_bytes {
            return Err(FetchError::limit(
                format!("an object of {size_bytes} bytes"),
                "object_bytes",
                limits.object_bytes,
            ));
        }
        unpacked = unpacked.saturating_add(size_bytes);
        if unpacked > limits.unpacked_bytes {
            return Err(FetchError::limit(
                "the unpacked pack",
                "unpacked_bytes",
                limits.unpacked_bytes,
            ));
        }
    }
    Ok(count)
}

/// Returns the size of the object that an entry stands for; of a delta, that of its result.
fn size_of(entry: &pack::data::input::Entry) -> Option<u64> {
    if !entry.header.is_delta() {
        return Some(entry.decompressed_size);
    }
    // Two numbers of at most ten bytes: the size of the base, the size of the result.
    let mut start = Vec::new();
    let compressed = entry.compressed.as_deref()?;
    flate2::read::ZlibDecoder::new(compressed)
        .take(20)
        .read_to_end(&mut start)
        .ok()?;
    let (_, rest) = number(&start)?;
    number(rest).map(|(size_bytes, _)| size_bytes)
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0u64;
    for (at, byte) in bytes.iter().enumerate().take(9) {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[at + 1..]));
        }
    }
    None
}

/// A reader that ends with an error once it is told to stop.
struct Stoppable<'a, R> {
    inner: R,
    stop: &'a AtomicBool,
}

impl<R: Read> Read for Stoppable<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(io::Error::other("out of time"));
        }
        self.inner.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use std::io::Write as _;

    use super::*;

    const BLOB: u8 = 3;
    const OFFSET_DELTA: u8 = 6;
    const REFERENCE_DELTA: u8 = 7;

    /// Builds a pack that claims `count` objects, with a right checksum.
    fn pack(count: u32, entries: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = b"PACK\0\0\0\x02".to_vec();
        bytes.extend_from_slice(&count.to_be_bytes());
        bytes.extend(entries.concat());
        let mut hasher = gix::hash::hasher(gix::hash::Kind::Sha1);
        hasher.update(&bytes);
        bytes.extend_from_slice(hasher.try_finalize().unwrap().as_bytes());
        bytes
    }

    fn entry(kind: u8, claimed: u64, between: &[u8], content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind << 4 | (claimed & 15) as u8];
        let mut rest = claimed >> 4;
        while rest > 0 {
            *bytes.last_mut().unwrap() |= 0x80;
            bytes.push((rest & 0x7f) as u8);
            rest >>= 7;
        }
        bytes.extend_from_slice(between);
        let mut zlib = flate2::write::ZlibEncoder::new(bytes, flate2::Compression::best());
        zlib.write_all(content).unwrap();
        zlib.finish().unwrap()
    }

    /// A delta that makes `copies` times 64 KiB from a base of 64 KiB.
    fn copies(copies: u64) -> Vec<u8> {
        let number = |mut value: u64| {
            let mut bytes = Vec::new();
            while value > 0x7f {
                bytes.push((value & 0x7f) as u8 | 0x80);
                value >>= 7;
            }
            bytes.push(value as u8);
            bytes
        };
        let mut delta = [number(0x10000), number(0x10000 * copies)].concat();
        delta.extend(std::iter::repeat_n(0x80, copies as usize));
        delta
    }

    fn receive_with(bytes: &[u8], limits: &Limits) -> Result<(), FetchError> {
        let home = tempfile::tempdir().unwrap();
        let objects = Objects::open(home.path().join("objects"), limits.object_bytes).unwrap();
        let location = Location::parse("https://example.com/a", false).unwrap();
        receive(
            &mut &*bytes,
            &objects,
            &location,
            limits,
            &AtomicBool::new(false),
        )
    }

    fn refusal(bytes: &[u8]) -> String {
        let limits = Limits {
            object_bytes: 1 << 20,
            unpacked_bytes: 4 << 20,
            ..Limits::default()
        };
        receive_with(bytes, &limits).unwrap_err().to_string()
    }

    #[test]
    fn a_good_pack_is_taken() {
        let blob = entry(BLOB, 5, &[], b"hello");
        receive_with(&pack(1, &[blob]), &Limits::default()).unwrap();
        receive_with(&pack(0, &[]), &Limits::default()).unwrap();
    }

    #[test]
    fn counts_that_lie_are_refused() {
        let blob = entry(BLOB, 5, &[], b"hello");
        assert!(
            refusal(&pack(u32::MAX, std::slice::from_ref(&blob)))
                .contains("past the limit `objects`")
        );
        assert!(refusal(&pack(2, std::slice::from_ref(&blob))).contains("the pack is damaged"));
        assert!(refusal(b"PACK").contains("the pack is damaged"));
        assert!(refusal(b"").contains("the pack is damaged"));
        let mut flipped = pack(1, &[blob]);
        *flipped.last_mut().unwrap() ^= 1;
        assert!(refusal(&flipped).contains("the pack is damaged"));
    }

    #[test]
    fn sizes_that_lie_are_refused() {
        let zeros = vec![0; 3 << 20];
        let small = entry(BLOB, 10, &[], &zeros);
        assert!(refusal(&pack(1, &[small])).contains("the pack is damaged"));
        let large = entry(BLOB, 3 << 20, &[], &zeros);
        assert!(refusal(&pack(1, &[large])).contains("past the limit `object_bytes`"));
    }

    #[test]
    fn deltas_that_explode_are_refused() {
        let base = entry(BLOB, 0x10000, &[], &vec![0; 0x10000]);
        let delta = |times| {
            let content = copies(times);
            // The base is right before it: the distance is the length of its entry.
            let distance = base.len() as u64;
            let between = if distance < 128 {
                vec![distance as u8]
            } else {
                let upper = (distance >> 7) - 1;
                vec![0x80 | upper as u8, (distance & 0x7f) as u8]
            };
            entry(OFFSET_DELTA, content.len() as u64, &between, &content)
        };
        receive_with(&pack(2, &[base.clone(), delta(16)]), &Limits::default()).unwrap();
        let limits = Limits {
            object_bytes: 1 << 20,
            ..Limits::default()
        };
        receive_with(&pack(2, &[base.clone(), delta(16)]), &limits).unwrap();
        assert!(
            refusal(&pack(2, &[base.clone(), delta(17)])).contains("past the limit `object_bytes`")
        );
    }

    #[test]
    fn deltas_in_a_circle_or_without_base_are_refused() {
        let delta = copies(1);
        for base in [[0x11; 20], [0x22; 20]] {
            let one = entry(REFERENCE_DELTA, delta.len() as u64, &base, &delta);
            assert!(refusal(&pack(2, &[one.clone(), one])).contains("the pack is damaged"));
        }
        for distance in [0u8, 1, 127] {
            let one = entry(OFFSET_DELTA, delta.len() as u64, &[distance], &delta);
            assert!(
                refusal(&pack(1, &[one])).contains("the pack is damaged"),
                "{distance}"
            );
        }
    }
}
