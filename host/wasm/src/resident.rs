//! Gives back what of the program's file, and of the libraries', is in memory only because it was
//! used once.
//!
//! Around each page that is used for the first time the kernel maps its neighbours too, and none is
//! ever unmapped: a command that does one thing ends up with all that its start, its arguments and
//! its loader ever touched. Between two such phases nothing of that is needed.

/// Unmaps the pages of code and constants, this program's and those of the libraries that it is
/// linked with. What is used again is mapped again, from the page cache: a microsecond a
/// neighbourhood. Nothing that can be written to is touched.
///
/// For a command of one call, between its phases; a process that goes on has no use for it.
pub fn release_program_pages() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    linux::release();
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod linux {
    #![allow(unsafe_code, reason = "the loader alone knows what lies where")]

    use std::ffi::{CStr, c_int, c_void};
    use std::ops::Range;

    use rustix::mm::{Advice, madvise};

    pub(super) fn release() {
        let each: Each = release_segment;
        // SAFETY: the callback takes the pointers for what they are, and keeps none.
        unsafe { libc::dl_iterate_phdr(Some(visit), (&raw const each).cast_mut().cast()) };
    }

    type Each = fn(Range<usize>);

    /// Calls `data`, an [`Each`], with the addresses of each segment of one object that was never
    /// written to, not even by the loader: what is relocated lies in segments that can be written.
    unsafe extern "C" fn visit(
        info: *mut libc::dl_phdr_info,
        _size: usize,
        data: *mut c_void,
    ) -> c_int {
        // SAFETY: the loader passes what it has loaded; `data` is what `release` passed.
        let (info, each) = unsafe { (&*info, *data.cast::<Each>()) };
        // SAFETY: a name of the loader's ends with a zero.
        let name = unsafe { CStr::from_ptr(info.dlpi_name) };
        if name.to_bytes().starts_with(b"linux-vdso") {
            return 0; // of no file
        }
        // SAFETY: there are as many headers as the loader says.
        let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
        let page = rustix::param::page_size();
        for header in headers {
            if header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_W == 0 {
                let start = (info.dlpi_addr + header.p_vaddr) as usize;
                let end = (start + header.p_memsz as usize) / page * page;
                each(start / page * page..end);
            }
        }
        0
    }

    fn release_segment(addresses: Range<usize>) {
        let start = std::ptr::with_exposed_provenance_mut(addresses.start);
        // SAFETY: headers, constants or code, mapped from a file, private, and never written to, so
        // that dropping them loses nothing.
        let released = unsafe { madvise(start, addresses.len(), Advice::LinuxDontNeed) };
        if let Err(error) = released {
            tracing::debug!(%error, "pages of the program stay in memory");
        }
    }

    #[cfg(test)]
    mod tests {
        #![allow(clippy::unwrap_used, reason = "a test may")]

        use std::cell::RefCell;
        use std::ops::Range;

        use super::*;

        thread_local! {
            static FOUND: RefCell<Vec<Range<usize>>> = const { RefCell::new(Vec::new()) };
        }

        /// The permissions of all that is mapped where something is released.
        #[test]
        fn nothing_that_can_be_written_to_is_released() {
            let each: Each = |addresses| FOUND.with_borrow_mut(|found| found.push(addresses));
            // SAFETY: as in `release`.
            unsafe { libc::dl_iterate_phdr(Some(visit), (&raw const each).cast_mut().cast()) };
            let released = FOUND.take();
            let maps = std::io::read_to_string(std::fs::File::open("/proc/self/maps").unwrap());
            let (mut own, mut of_libraries) = (0, 0);
            for line in maps.unwrap().lines() {
                let (range, rest) = line.split_once(' ').unwrap();
                let (from, to) = range.split_once('-').unwrap();
                let at = |text: &str| usize::from_str_radix(text, 16).unwrap();
                let overlaps = |one: &Range<usize>| at(from) < one.end && at(to) > one.start;
                if !released.iter().any(overlaps) {
                    continue;
                }
                own += usize::from(rest.contains("bulkhead"));
                of_libraries += usize::from(rest.contains("libc"));
                assert!(
                    rest.starts_with("r--p") || rest.starts_with("r-xp"),
                    "{line}"
                );
            }
            assert!(own > 0 && of_libraries > 0, "{released:x?}");
        }

        #[test]
        fn the_program_goes_on() {
            release();
            let text = format!("{:?}", [1.5, 2.5]);
            release();
            assert_eq!(text, "[1.5, 2.5]");
        }
    }
}
