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

#[cfg(test)]
mod tests {
    use super::*;

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
