//! One writer among several processes: a Lease, as Flux and client-go use it.
//!
//! The holder renews it every 5 s and stops writing when it could not for 30 s; others take it when
//! it has not changed for 35 s by their own monotonic clock, so that clocks that differ do no harm.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, PostParams};
use kube::{Client, ResourceExt};
use tokio::time::Instant;

/// How long a Lease is valid that is not renewed.
pub const VALID: Duration = Duration::from_secs(35);
/// How long the holder tries to renew before it stops.
pub const RENEW_WITHIN: Duration = Duration::from_secs(30);
/// Pause between two looks.
pub const RETRY: Duration = Duration::from_secs(5);

/// Which Lease, and who asks for it.
#[derive(Clone, Debug)]
pub struct Election {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the Lease.
    pub name: String,
    /// Name of this process, different for each: `<pod>_<random>`.
    pub identity: String,
}

/// What to do about the Lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There is none: create it.
    Create,
    /// Nobody holds it, or its holder is silent: take it.
    Take,
    /// It is ours: renew it.
    Renew,
    /// Another holds it.
    Wait,
}

/// Decides from the Lease as it is and for how long it has not changed.
pub fn step(lease: Option<&LeaseSpec>, identity: &str, unchanged_for: Duration) -> Step {
    let Some(lease) = lease else {
        return Step::Create;
    };
    match lease.holder_identity.as_deref() {
        Some(holder) if holder == identity => Step::Renew,
        None | Some("") => Step::Take,
        Some(_) => {
            let valid = u64::try_from(lease.lease_duration_seconds.unwrap_or_default());
            let valid = valid.map_or(VALID, Duration::from_secs);
            if unchanged_for > valid {
                Step::Take
            } else {
                Step::Wait
            }
        }
    }
}

/// Returns the Lease as it is to be after `step`.
fn next(mut lease: Lease, step: Step, election: &Election, now: MicroTime) -> Lease {
    let spec = lease.spec.get_or_insert_default();
    if step != Step::Renew {
        let changes = spec.lease_transitions.unwrap_or_default();
        spec.lease_transitions = Some(if step == Step::Create { 0 } else { changes + 1 });
        spec.acquire_time = Some(now.clone());
    }
    spec.holder_identity = Some(election.identity.clone());
    spec.lease_duration_seconds = i32::try_from(VALID.as_secs()).ok();
    spec.renew_time = Some(now);
    lease
}

/// Holds, or waits for, one Lease.
pub struct Elector {
    api: Api<Lease>,
    election: Election,
    seen: Option<(String, Instant)>,
}

impl Elector {
    /// Prepares; nothing is sent.
    pub fn new(client: Client, election: Election) -> Self {
        Self {
            api: Api::namespaced(client, &election.namespace),
            election,
            seen: None,
        }
    }

    /// Waits until this process holds the Lease.
    pub async fn acquire(&mut self) {
        loop {
            match self.attempt().await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => tracing::info!(
                    error = bulkhead_api::chain(&error),
                    lease = self.election.name,
                    "failed to read or take the lease, trying again"
                ),
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Renews the Lease until it is lost.
    pub async fn hold(&mut self) {
        let mut renewed = Instant::now();
        loop {
            tokio::time::sleep(RETRY).await;
            let left = RENEW_WITHIN.saturating_sub(renewed.elapsed());
            match tokio::time::timeout(left, self.attempt()).await {
                Ok(Ok(true)) => renewed = Instant::now(),
                Ok(Ok(false)) => {
                    tracing::error!(lease = self.election.name, "another process took the lease");
                    return;
                }
                Ok(Err(error)) => tracing::info!(
                    error = bulkhead_api::chain(&error),
                    lease = self.election.name,
                    "failed to renew the lease"
                ),
                Err(_) => {}
            }
            if renewed.elapsed() >= RENEW_WITHIN {
                tracing::error!(
                    lease = self.election.name,
                    "the lease could not be renewed in time"
                );
                return;
            }
        }
    }

    /// Gives the Lease up, so that another process need not wait for its end.
    pub async fn release(&mut self) {
        let Ok(Some(mut lease)) = self.api.get_opt(&self.election.name).await else {
            return;
        };
        let Some(spec) = &mut lease.spec else { return };
        if spec.holder_identity.as_deref() != Some(&self.election.identity) {
            return;
        }
        spec.holder_identity = Some(String::new());
        spec.lease_duration_seconds = Some(1);
        if let Err(error) = self
            .api
            .replace(&self.election.name, &PostParams::default(), &lease)
            .await
        {
            tracing::info!(
                error = bulkhead_api::chain(&error),
                "failed to give up the lease"
            );
        }
    }

    async fn attempt(&mut self) -> Result<bool, kube::Error> {
        let lease = self.api.get_opt(&self.election.name).await?;
        let unchanged_for = self.observe(lease.as_ref());
        let spec = lease.as_ref().and_then(|lease| lease.spec.as_ref());
        let step = step(spec, &self.election.identity, unchanged_for);
        let now = MicroTime(jiff::Timestamp::now());
        let sent = match step {
            Step::Wait => return Ok(false),
            Step::Create => {
                let mut lease = lease.unwrap_or_default();
                lease.metadata.name = Some(self.election.name.clone());
                let lease = next(lease, step, &self.election, now);
                self.api.create(&PostParams::default(), &lease).await
            }
            Step::Take | Step::Renew => {
                let lease = next(lease.unwrap_or_default(), step, &self.election, now);
                self.api
                    .replace(&self.election.name, &PostParams::default(), &lease)
                    .await
            }
        };
        match sent {
            Ok(_) => Ok(true),
            // Another was faster. Whether it is ours still, the next look tells.
            Err(kube::Error::Api(status)) if status.code == 409 && step != Step::Renew => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns for how long the Lease has not changed, by this process's own clock.
    fn observe(&mut self, lease: Option<&Lease>) -> Duration {
        let version = lease
            .and_then(ResourceExt::resource_version)
            .unwrap_or_default();
        match &self.seen {
            Some((seen, since)) if *seen == version => since.elapsed(),
            _ => {
                self.seen = Some((version, Instant::now()));
                Duration::ZERO
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(holder: Option<&str>) -> LeaseSpec {
        LeaseSpec {
            holder_identity: holder.map(str::to_owned),
            lease_duration_seconds: Some(35),
            ..LeaseSpec::default()
        }
    }

    #[test]
    fn a_lease_is_taken_only_when_its_holder_is_silent() {
        let seconds = Duration::from_secs;
        assert_eq!(step(None, "me", seconds(0)), Step::Create);
        assert_eq!(
            step(Some(&lease(Some("me"))), "me", seconds(99)),
            Step::Renew
        );
        assert_eq!(
            step(Some(&lease(Some("you"))), "me", seconds(35)),
            Step::Wait
        );
        assert_eq!(
            step(Some(&lease(Some("you"))), "me", seconds(36)),
            Step::Take
        );
        assert_eq!(step(Some(&lease(Some(""))), "me", seconds(0)), Step::Take);
        assert_eq!(step(Some(&lease(None)), "me", seconds(0)), Step::Take);
    }

    #[test]
    fn a_change_of_holder_is_counted_and_a_renewal_is_not() {
        let election = Election {
            namespace: "flux-system".into(),
            name: "bulkhead-leader-election".into(),
            identity: "me".into(),
        };
        let now = || MicroTime(jiff::Timestamp::UNIX_EPOCH);
        let spec = |lease: Lease| lease.spec.unwrap_or_default();
        let created = next(Lease::default(), Step::Create, &election, now());
        assert_eq!(spec(created.clone()).lease_transitions, Some(0));
        let taken = next(created, Step::Take, &election, now());
        assert_eq!(spec(taken.clone()).lease_transitions, Some(1));
        let renewed = next(taken, Step::Renew, &election, now());
        assert_eq!(spec(renewed.clone()).lease_transitions, Some(1));
        assert_eq!(spec(renewed).holder_identity.as_deref(), Some("me"));
    }
}
