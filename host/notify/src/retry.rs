//! When a request is sent again, and how often a provider is sent anything.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::HeaderMap;
use http::header::RETRY_AFTER;

/// How often, and how patiently, a request is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// Attempts after the first.
    pub max: u32,
    /// Pause before the first of them; it doubles with each.
    pub pause: Duration,
    /// Longest pause.
    pub pause_max: Duration,
}

impl Default for Retries {
    /// As Flux: four more attempts, 2 s to 30 s apart, within the provider's time-out.
    fn default() -> Self {
        Self {
            max: 4,
            pause: Duration::from_secs(2),
            pause_max: Duration::from_secs(30),
        }
    }
}

impl Retries {
    /// The pause before attempt `number` (the first is 0), or what the service asked for.
    pub fn pause_before(&self, number: u32, asked: Option<Duration>) -> Duration {
        asked.unwrap_or_else(|| {
            self.pause
                .saturating_mul(2_u32.saturating_pow(number))
                .min(self.pause_max)
        })
    }
}

/// Tells whether a status says that the same request may succeed later.
pub fn is_temporary(status: u16) -> bool {
    status == 429 || (status >= 500 && status != 501)
}

/// Reads `Retry-After`: seconds, or a time in HTTP's form.
pub fn retry_after(headers: &HeaderMap, now: jiff::Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let then = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    let seconds = then.as_second().saturating_sub(now.as_second()).max(0);
    Some(Duration::from_secs(seconds.unsigned_abs()))
}

/// How many requests a provider is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Requests at once after a pause.
    pub burst: f64,
    /// Requests a second in the long run.
    pub per_second: f64,
}

impl Default for Rate {
    /// Sixty at once, one a second: what chat services take from one webhook.
    fn default() -> Self {
        Self {
            burst: 60.0,
            per_second: 1.0,
        }
    }
}

/// Providers whose budgets are kept; beyond it full budgets are forgotten, which changes nothing.
pub const BUDGETS_MAX: usize = 10_000;

/// The budgets of all providers.
#[derive(Debug, Default)]
pub struct Budgets {
    buckets: Mutex<HashMap<String, Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Budgets {
    /// Takes one request from a provider's budget.
    ///
    /// # Errors
    /// How long until there is room again.
    pub fn take(&self, provider: &str, rate: Rate, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= BUDGETS_MAX && !buckets.contains_key(provider) {
            buckets.retain(|_, bucket| bucket.refilled(rate, now) < rate.burst);
        }
        let bucket = buckets.entry(provider.to_owned()).or_insert(Bucket {
            tokens: rate.burst,
            at: now,
        });
        bucket.tokens = bucket.refilled(rate, now);
        bucket.at = now;
        if bucket.tokens < 1.0 {
            let wait = (1.0 - bucket.tokens) / rate.per_second;
            return Err(Duration::try_from_secs_f64(wait).unwrap_or(Duration::MAX));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }
}

impl Bucket {
    fn refilled(&self, rate: Rate, now: Instant) -> f64 {
        let seconds = now.saturating_duration_since(self.at).as_secs_f64();
        (self.tokens + seconds * rate.per_second).min(rate.burst)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_obey_the_service() {
        let retries = Retries::default();
        let seconds = |number| retries.pause_before(number, None).as_secs();
        assert_eq!([0, 1, 2, 3, 4, 40].map(seconds), [2, 4, 8, 16, 30, 30]);
        assert_eq!(
            retries.pause_before(0, Some(Duration::ZERO)),
            Duration::ZERO
        );
    }

    #[test]
    fn retry_after_is_seconds_or_a_time() {
        let now: jiff::Timestamp = "2026-11-23T18:00:00Z".parse().unwrap();
        let read = |text: &str| {
            let headers = [(RETRY_AFTER, text.parse().unwrap())].into_iter().collect();
            retry_after(&headers, now)
        };
        assert_eq!(read("7"), Some(Duration::from_secs(7)));
        assert_eq!(
            read("Mon, 23 Nov 2026 18:00:09 GMT"),
            Some(Duration::from_secs(9))
        );
        assert_eq!(read("Mon, 23 Nov 2026 17:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn statuses_that_may_pass() {
        let temporary: Vec<u16> = (100..600).filter(|status| is_temporary(*status)).collect();
        assert!(temporary.contains(&429) && temporary.contains(&500) && temporary.contains(&503));
        assert!(
            !temporary
                .iter()
                .any(|status| [200, 301, 400, 404, 501].contains(status))
        );
    }

    #[test]
    fn a_budget_allows_its_burst_and_then_its_rate() {
        let (budgets, start) = (Budgets::default(), Instant::now());
        let rate = Rate {
            burst: 2.0,
            per_second: 0.5,
        };
        assert_eq!(budgets.take("a", rate, start), Ok(()));
        assert_eq!(budgets.take("a", rate, start), Ok(()));
        assert_eq!(budgets.take("a", rate, start), Err(Duration::from_secs(2)));
        assert_eq!(budgets.take("b", rate, start), Ok(()));
        assert_eq!(
            budgets.take("a", rate, start + Duration::from_secs(2)),
            Ok(())
        );
        assert!(
            budgets
                .take("a", rate, start + Duration::from_secs(3))
                .is_err()
        );
    }
}
