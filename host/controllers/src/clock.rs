//! Chance and the time of day, for the edges; pure code takes both as arguments.

use std::time::Duration;

/// Returns a random number from 0 up to, not including, 1.
pub fn chance() -> f64 {
    let mut bytes = [0; 8];
    // Without randomness every pause is in the middle of its range: nothing breaks.
    if getrandom::fill(&mut bytes).is_err() {
        return 0.5;
    }
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    let number = (u64::from_le_bytes(bytes) >> 11) as f64;
    number / (1u64 << 53) as f64
}

/// Returns `pause` give or take a `part` of it, at random: 0.05 for 5 %.
pub fn jittered(pause: Duration, part: f64) -> Duration {
    spread(pause, part, chance())
}

/// Returns `pause` moved within plus or minus `part` by `chance` (0 up to 1).
pub fn spread(pause: Duration, part: f64, chance: f64) -> Duration {
    let factor = 1.0 + part * (2.0 * chance - 1.0);
    Duration::try_from_secs_f64(pause.as_secs_f64() * factor).unwrap_or(pause)
}

/// Returns the time of day, in whole seconds, as the API writes it.
pub fn now() -> jiff::Timestamp {
    let now = jiff::Timestamp::now();
    jiff::Timestamp::from_second(now.as_second()).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_in_its_range() {
        let minute = Duration::from_secs(60);
        assert_eq!(spread(minute, 0.05, 0.0), Duration::from_secs(57));
        assert_eq!(spread(minute, 0.05, 0.5), minute);
        assert!(spread(minute, 0.05, 0.999_999) <= Duration::from_secs(63));
        assert_eq!(spread(Duration::MAX, 0.05, 0.9), Duration::MAX);
        for _ in 0..100 {
            let pause = jittered(minute, 0.05);
            assert!((57..=63).contains(&pause.as_secs()), "{pause:?}");
        }
    }
}
