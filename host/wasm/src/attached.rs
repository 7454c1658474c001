//! Compiled code at the end of this program's own file.
//!
//! The build compiles the embedded components with the program that it just linked, and writes what
//! comes out behind that program: one link, and nothing of it is in memory before it runs. Code is
//! found by the digest of its component; whether it fits the engine is wasmtime's to say. A program
//! with nothing attached, or that was stripped since, works: it compiles and caches.
//!
//! ```text
//! program | zeros | code | zeros | code | ... | index: (digest, start, length) each | footer
//! ```

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt as _;
use std::sync::LazyLock;

use bulkhead_api::Digest;
use rustix::mm::{MapFlags, ProtFlags, mmap};

/// Code starts at multiples of this: no smaller than a page anywhere.
const ALIGNMENT: u64 = 64 * 1024;

/// Bytes that are written at a time. File systems keep what was written at once together in memory,
/// and all of it is in a process that uses a page of it.
const PIECE: usize = 16 * 1024;

/// Most components that are looked for.
const MAX_ENTRIES: u64 = 64;

/// Ends the file; the number is the version of this format.
const MAGIC: [u8; 16] = *b"bulkhead-code\0\0\x01";

const DIGEST_BYTES: usize = 32;
const ENTRY_BYTES: usize = DIGEST_BYTES + 16;
const FOOTER_BYTES: usize = 8 + 8 + MAGIC.len();

/// What is attached to this program, mapped when it is first asked for.
static CODE: LazyLock<Vec<(Digest, &'static [u8])>> = LazyLock::new(|| {
    // The file that runs, whatever lies at its path by now. Elsewhere than on Linux: none.
    let mapped = File::open("/proc/self/exe").and_then(|program| map(&program));
    mapped.unwrap_or_default()
});

/// Tells whether an address is in attached code.
pub(crate) fn holds(address: *const u8) -> bool {
    CODE.iter()
        .any(|(_, code)| code.as_ptr_range().contains(&address))
}

/// Returns the code that is attached to this program for a component; empty when there is none.
pub fn attached_code(component: Digest) -> &'static [u8] {
    let found = CODE.iter().find(|(digest, _)| *digest == component);
    found.map_or(&[], |(_, code)| code)
}

/// Writes `program` with `codes` attached, in the place of what was attached to it before.
///
/// # Errors
/// Those of `to`.
pub fn attach(program: &[u8], codes: &[(Digest, Vec<u8>)], to: &mut impl Write) -> io::Result<()> {
    let program = &program[..own_length(program)];
    let mut written = 0;
    let mut put = |to: &mut dyn Write, bytes: &[u8]| {
        written += bytes.len() as u64;
        let mut pieces = bytes.chunks(PIECE);
        pieces.try_for_each(|piece| to.write_all(piece))?;
        Ok::<u64, io::Error>(written)
    };
    let mut end = put(to, program)?;
    let mut index = Vec::new();
    for (digest, code) in codes {
        let gap = end.next_multiple_of(ALIGNMENT) - end;
        let start = put(to, &vec![0; gap as usize])?;
        end = put(to, code)?;
        index.extend_from_slice(digest.as_bytes());
        index.extend_from_slice(&start.to_le_bytes());
        index.extend_from_slice(&(code.len() as u64).to_le_bytes());
    }
    put(to, &index)?;
    put(to, &(program.len() as u64).to_le_bytes())?;
    put(to, &(codes.len() as u64).to_le_bytes())?;
    put(to, &MAGIC)?;
    Ok(())
}

/// What the footer says.
struct Footer {
    /// Length of the program alone.
    program: u64,
    /// Number of entries of the index, right before the footer.
    entries: u64,
}

impl Footer {
    /// Reads the last bytes of a file of `length` bytes; `None` when nothing is attached.
    fn parse(bytes: &[u8], length: u64) -> Option<Self> {
        let (program, rest) = bytes.split_first_chunk()?;
        let (entries, magic) = rest.split_first_chunk()?;
        let footer = Self {
            program: u64::from_le_bytes(*program),
            entries: u64::from_le_bytes(*entries),
        };
        let fits = magic == MAGIC && footer.entries <= MAX_ENTRIES && footer.program <= length;
        fits.then_some(footer)
    }
}

/// Returns the length of a program without what is attached to it.
fn own_length(program: &[u8]) -> usize {
    let footer = program
        .last_chunk::<FOOTER_BYTES>()
        .and_then(|footer| Footer::parse(footer, program.len() as u64));
    footer.map_or(program.len(), |footer| footer.program as usize)
}

/// Maps what is attached to a program, for good.
fn map(program: &File) -> io::Result<Vec<(Digest, &'static [u8])>> {
    let length = program.metadata()?.len();
    let Some(end) = length.checked_sub(FOOTER_BYTES as u64) else {
        return Ok(Vec::new());
    };
    let mut footer = [0; FOOTER_BYTES];
    program.read_exact_at(&mut footer, end)?;
    let Some(footer) = Footer::parse(&footer, length) else {
        return Ok(Vec::new());
    };
    let mut index = vec![0; footer.entries as usize * ENTRY_BYTES];
    let Some(end) = end.checked_sub(index.len() as u64) else {
        return Ok(Vec::new());
    };
    program.read_exact_at(&mut index, end)?;
    let entries = index.chunks_exact(ENTRY_BYTES);
    Ok(entries
        .filter_map(|entry| {
            let (digest, place) = entry.split_first_chunk::<DIGEST_BYTES>()?;
            let (start, size) = place.split_first_chunk()?;
            let start = u64::from_le_bytes(*start);
            let size = u64::from_le_bytes(size.try_into().ok()?);
            let inside = start >= footer.program && start.checked_add(size)? <= end;
            if !inside || size == 0 || start % ALIGNMENT != 0 {
                return None;
            }
            Some((Digest::from_bytes(*digest), map_one(program, start, size)?))
        })
        .collect())
}

fn map_one(program: &File, start: u64, size: u64) -> Option<&'static [u8]> {
    let size = usize::try_from(size).ok()?;
    #[allow(
        unsafe_code,
        reason = "the compiled code of a large component is not read to run a part of it"
    )]
    // SAFETY: a new private mapping, which is never unmapped, of a part of the file that was looked
    // up before. Like the program's own text, that file is not written to while it runs: the kernel
    // refuses that, and a new version comes as a new file.
    unsafe {
        let at = mmap(
            std::ptr::null_mut(),
            size,
            ProtFlags::READ,
            MapFlags::PRIVATE,
            program,
            start,
        );
        Some(std::slice::from_raw_parts(at.ok()?.cast::<u8>(), size))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn attached(program: &[u8], codes: &[(Digest, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        attach(program, codes, &mut bytes).unwrap();
        bytes
    }

    fn two() -> [(Digest, Vec<u8>); 2] {
        let code = vec![7; 100_000];
        [(Digest::of("one"), code), (Digest::of("two"), vec![8; 3])]
    }

    #[test]
    fn what_is_attached_comes_back_at_page_starts() {
        let bytes = attached(b"program", &two());
        assert!(bytes.starts_with(b"program"));
        let found = map(&file(&bytes)).unwrap();
        let found: Vec<_> = found.into_iter().map(|(d, c)| (d, c.to_vec())).collect();
        assert_eq!(found, two());
    }

    #[test]
    fn attaching_again_replaces() {
        let once = attached(b"program", &two());
        assert_eq!(attached(&once, &two()), once);
        assert!(attached(&once, &[]).len() < 100);
    }

    #[test]
    fn other_programs_have_nothing_attached() {
        for bytes in [&b""[..], b"program", &[0; 1000]] {
            assert!(map(&file(bytes)).unwrap().is_empty());
        }
    }

    #[test]
    fn a_broken_index_is_not_followed() {
        let bytes = attached(b"program", &two());
        let index = bytes.len() - FOOTER_BYTES - 2 * ENTRY_BYTES;
        for at in index..bytes.len() {
            let mut broken = bytes.clone();
            broken[at] ^= 0xff;
            for (_, code) in map(&file(&broken)).unwrap() {
                assert!(code.len() < bytes.len());
            }
        }
        // Cut off, as by a download that ended early.
        assert!(map(&file(&bytes[..bytes.len() - 1])).unwrap().is_empty());
    }

    #[test]
    fn this_test_has_no_code_attached() {
        assert!(attached_code(Digest::of("one")).is_empty());
    }
}
