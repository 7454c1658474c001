//! Ready of a release, from what was done to it. Pure.
//!
//! # Source
//! `summarize` of helm-controller 1.6, `internal/reconcile/release.go`.

use bulkhead_api::conditions::{self, Stamp, Status};
use bulkhead_api::helmrelease::{HelmRelease, HelmReleaseStatus};
use bulkhead_api::names::condition::{READY, RELEASED, REMEDIATED, STALLED, TEST_SUCCESS};

use super::digests;

/// Sets Ready to what is said by the condition of the newest generation among Remediated,
/// TestSuccess (where tests count) and Released, in this order; and notes what the objects were
/// post-rendered with.
pub(super) fn summarize(object: &HelmRelease, status: &mut HelmReleaseStatus, stamp: Stamp) {
    let test = object.spec.test();
    if !test.enable {
        conditions::remove(&mut status.conditions, TEST_SUCCESS);
    }
    let types: &[&str] = match test.enable && !test.ignore_failures {
        true => &[REMEDIATED, TEST_SUCCESS, RELEASED],
        false => &[REMEDIATED, RELEASED],
    };
    let known = types
        .iter()
        .filter_map(|type_| conditions::get(&status.conditions, type_));
    // The first of those with the highest generation.
    let newest =
        known.reduce(
            |best, next| match next.observed_generation > best.observed_generation {
                true => next,
                false => best,
            },
        );
    if let Some(newest) = newest.cloned() {
        let ready = match (newest.type_.as_str(), newest.status.as_str()) {
            (REMEDIATED, _) => Status::False,
            (_, "True") => Status::True,
            (_, "False") => Status::False,
            _ => Status::Unknown,
        };
        let all = &mut status.conditions;
        if ready == Status::True {
            conditions::remove(all, STALLED);
        }
        conditions::set(all, stamp, READY, ready, &newest.reason, &newest.message);
    }
    status.observed_post_renderers_digest = digests::post_renderers(&object.spec);
    status.observed_common_metadata_digest = digests::common_metadata(&object.spec);
}
