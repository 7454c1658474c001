//! Gives back what of this program's file is in memory only because it was used once.
//!
//! Around each page that is used for the first time the kernel maps its neighbours too, and none is
//! ever unmapped: a command that does one thing ends up with all that its start, its arguments and
//! its loader ever touched. Between two such phases nothing of that is needed.

/// Unmaps the pages of this program's code and constants. What is used again is mapped again, from
/// the page cache: a microsecond a neighbourhood. Nothing that can be written to is touched.
///
/// For a command of one call, between its phases; a process that goes on has no use for it.
pub fn release_program_pages() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    linux::release();
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod linux {
    #![allow(
        unsafe_code,
        reason = "the linker alone knows where the program begins and its code ends"
    )]

    use std::ffi::c_char;

    use rustix::mm::{Advice, madvise};

    unsafe extern "C" {
        /// Where the program is mapped.
        static __executable_start: c_char;
        /// Where its code ends.
        static etext: c_char;
    }

    pub(super) fn release() {
        let start = &raw const __executable_start;
        let page = rustix::param::page_size();
        let code_end = (&raw const etext).addr();
        let length = code_end.saturating_sub(start.addr()) / page * page;
        // SAFETY: headers, constants and code: mapped from the program's file, private, and never
        // written to, so that dropping them loses nothing. Data, relocated or not, lies behind.
        let released = unsafe { madvise(start.cast_mut().cast(), length, Advice::LinuxDontNeed) };
        if let Err(error) = released {
            tracing::debug!(%error, "the program's pages stay in memory");
        }
    }

    #[cfg(test)]
    mod tests {
        #![allow(clippy::unwrap_used, reason = "a test may")]

        /// The permissions of what is mapped between the two symbols.
        #[test]
        fn nothing_that_can_be_written_to_is_released() {
            let start = (&raw const super::__executable_start).addr();
            let end = (&raw const super::etext).addr();
            let maps = std::io::read_to_string(std::fs::File::open("/proc/self/maps").unwrap());
            let mut found = 0;
            for line in maps.unwrap().lines() {
                let (range, rest) = line.split_once(' ').unwrap();
                let (from, to) = range.split_once('-').unwrap();
                let at = |text: &str| usize::from_str_radix(text, 16).unwrap();
                if at(to) <= start || at(from) >= end {
                    continue;
                }
                found += 1;
                assert!(
                    rest.starts_with("r--p") || rest.starts_with("r-xp"),
                    "{line}"
                );
            }
            assert!(found > 0);
        }

        #[test]
        fn the_program_goes_on() {
            super::release();
            let text = format!("{:?}", [1.5, 2.5]);
            super::release();
            assert_eq!(text, "[1.5, 2.5]");
        }
    }
}
