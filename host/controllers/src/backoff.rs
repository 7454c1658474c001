//! How long to wait after the n-th failure in a row.

use std::time::Duration;

/// First pause, as Flux's `--min-retry-delay`.
pub const FIRST: Duration = Duration::from_millis(750);
/// Longest pause, as Flux's `--max-retry-delay`.
pub const LONGEST: Duration = Duration::from_secs(15 * 60);
/// Longest pause when the API server itself fails: it comes back.
pub const LONGEST_SERVER: Duration = Duration::from_secs(60);

/// Returns the pause after `failures` in a row: 750 ms after the first, doubling, at most `longest`.
pub fn pause(failures: u32, longest: Duration) -> Duration {
    let doubled = 2u32.checked_pow(failures.saturating_sub(1));
    doubled
        .and_then(|times| FIRST.checked_mul(times))
        .unwrap_or(longest)
        .min(longest)
}

/// Returns the pause after `failures` in a row at a server that asked to be left alone for `asked`.
/// It is obeyed up to 15 minutes, or up to `interval` where that is longer: what a server says once
/// may not stop a source for a year.
pub fn pause_asked(failures: u32, asked: Option<Duration>, interval: Duration) -> Duration {
    let pause = pause(failures, LONGEST);
    asked.map_or(pause, |asked| pause.max(asked.min(interval.max(LONGEST))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_left_alone_as_it_asks_and_not_for_a_year() {
        let minutes = |count: u64| Duration::from_secs(60 * count);
        let asked = |minutes_asked| Some(minutes(minutes_asked));
        assert_eq!(pause_asked(1, None, minutes(5)), FIRST);
        assert_eq!(pause_asked(1, asked(10), minutes(5)), minutes(10));
        assert_eq!(pause_asked(1, asked(525_600), minutes(5)), LONGEST);
        assert_eq!(pause_asked(1, asked(525_600), minutes(60)), minutes(60));
        assert_eq!(pause_asked(12, asked(1), minutes(5)), LONGEST);
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        assert_eq!(pause(1, LONGEST), Duration::from_millis(750));
        assert_eq!(pause(2, LONGEST), Duration::from_millis(1500));
        assert_eq!(pause(10, LONGEST), Duration::from_secs(384));
        assert_eq!(pause(12, LONGEST), LONGEST);
        assert_eq!(pause(u32::MAX, LONGEST), LONGEST);
        assert_eq!(pause(8, LONGEST_SERVER), LONGEST_SERVER);
    }
}
