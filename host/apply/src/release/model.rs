//! A release as Helm stores it: the fields, their order and their absence are those of Helm 4.
//!
//! What is read is written again as it was, with two exceptions that Helm makes too: fields that
//! nobody knows are dropped, and numbers of the values are floats.
//!
//! # Source
//! `pkg/release/v1` of Helm 4.3; Helm 3's empty times are read as none.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::chart::Chart;
use super::json::SortedMap;
use super::status::Status;
use super::time::Time;

/// One version of a release.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Release {
    /// Its name.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "or_default"
    )]
    pub name: String,
    /// What happened to it.
    #[serde(deserialize_with = "or_default")]
    pub info: Info,
    /// The chart, without its subcharts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chart: Option<Chart>,
    /// The user's values.
    #[serde(
        skip_serializing_if = "Map::is_empty",
        serialize_with = "sorted",
        deserialize_with = "or_default"
    )]
    pub config: Map<String, Value>,
    /// The rendered objects, without hooks and CRDs.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "or_default"
    )]
    pub manifest: String,
    /// The hooks, in the order of installation by kind.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub hooks: Vec<Hook>,
    /// Its number, from 1.
    #[serde(skip_serializing_if = "is_zero", deserialize_with = "or_default")]
    pub version: i64,
    /// The namespace that it is installed into.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "or_default"
    )]
    pub namespace: String,
    /// The user's labels of the record: Helm's own are not among them.
    #[serde(skip)]
    pub labels: BTreeMap<String, String>,
    /// How its objects are applied; none is [`ApplyMethod::ClientSide`].
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "method")]
    pub apply_method: Option<ApplyMethod>,
}

impl Release {
    /// Sets status and description.
    pub fn set_status(&mut self, status: Status, description: impl Into<String>) {
        self.info.status = status;
        self.info.description = description.into();
    }

    /// Returns the test hooks that the filters select, in their order.
    pub fn test_hooks<'a>(&'a self, filters: &'a [TestFilter]) -> impl Iterator<Item = &'a Hook> {
        let tests = self.hooks.iter().filter(|hook| hook.is_for(Event::TEST));
        tests.filter(move |hook| TestFilter::select(filters, &hook.name))
    }

    /// Returns `namespace/name.v1`: how Flux names it in messages.
    pub fn full_name(&self) -> String {
        format!("{}/{}.v{}", self.namespace, self.name, self.version)
    }

    /// Whether its objects are applied server-side.
    pub fn is_server_side(&self) -> bool {
        self.apply_method == Some(ApplyMethod::ServerSide)
    }
}

/// What happened to a release.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Info {
    /// When its first version was deployed.
    #[serde(skip_serializing_if = "Time::is_zero_ref")]
    pub first_deployed: Time,
    /// When this version was.
    #[serde(skip_serializing_if = "Time::is_zero_ref")]
    pub last_deployed: Time,
    /// When it was uninstalled; zero if it was not.
    #[serde(skip_serializing_if = "Time::is_zero_ref")]
    pub deleted: Time,
    /// The last that happened, for humans.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "or_default"
    )]
    pub description: String,
    /// Where it stands.
    #[serde(
        skip_serializing_if = "Status::is_none",
        deserialize_with = "or_default"
    )]
    pub status: Status,
    /// The version that this one rolled back to; 0 for none. Helm writes it since 4.3; the Helm in
    /// helm-controller 1.6 does not know it, and takes a record that has it for somebody else's. Ours
    /// have a label for it.
    #[serde(skip_serializing, deserialize_with = "or_default")]
    pub rollback_revision: i64,
    /// The rendered NOTES.txt.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "or_default"
    )]
    pub notes: String,
}

/// How the objects of a release are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ApplyMethod {
    /// As `kubectl apply` once did: what Helm 3 always did.
    #[serde(rename = "csa")]
    ClientSide,
    /// By the API server.
    #[serde(rename = "ssa")]
    ServerSide,
}

impl ApplyMethod {
    /// Names the method.
    pub fn of(is_server_side: bool) -> Self {
        if is_server_side {
            Self::ServerSide
        } else {
            Self::ClientSide
        }
    }
}

/// Names of the events that hooks run at.
#[derive(Clone, Copy, Debug)]
pub struct Event;

impl Event {
    /// Before an install.
    pub const PRE_INSTALL: &'static str = "pre-install";
    /// After an install.
    pub const POST_INSTALL: &'static str = "post-install";
    /// Before an uninstall.
    pub const PRE_DELETE: &'static str = "pre-delete";
    /// After an uninstall.
    pub const POST_DELETE: &'static str = "post-delete";
    /// Before an upgrade.
    pub const PRE_UPGRADE: &'static str = "pre-upgrade";
    /// After an upgrade.
    pub const POST_UPGRADE: &'static str = "post-upgrade";
    /// Before a rollback.
    pub const PRE_ROLLBACK: &'static str = "pre-rollback";
    /// After a rollback.
    pub const POST_ROLLBACK: &'static str = "post-rollback";
    /// A test.
    pub const TEST: &'static str = "test";
}

/// An object that runs at an event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hook {
    /// Its `metadata.name`.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "or_default"
    )]
    pub name: String,
    /// Its kind.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "or_default"
    )]
    pub kind: String,
    /// The template that it comes from: `chart/templates/job.yaml`.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "or_default"
    )]
    pub path: String,
    /// The object.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "or_default"
    )]
    pub manifest: String,
    /// When it runs: names of [`Event`].
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub events: Vec<String>,
    /// Its last run in this version of the release.
    #[serde(deserialize_with = "or_default")]
    pub last_run: HookRun,
    /// Lower runs earlier.
    #[serde(skip_serializing_if = "is_zero", deserialize_with = "or_default")]
    pub weight: i64,
    /// `hook-succeeded`, `hook-failed`, `before-hook-creation`.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub delete_policies: Vec<String>,
    /// `hook-succeeded`, `hook-failed`.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub output_log_policies: Vec<String>,
}

impl Hook {
    /// Whether it runs at the event.
    pub fn is_for(&self, event: &str) -> bool {
        self.events.iter().any(|own| own == event)
    }

    /// Whether it is deleted at this point.
    pub fn is_deleted(&self, policy: &str) -> bool {
        self.delete_policies.iter().any(|own| own == policy)
    }
}

/// A run of a hook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HookRun {
    /// When it began; zero if it never did.
    #[serde(skip_serializing_if = "Time::is_zero_ref")]
    pub started_at: Time,
    /// When it ended.
    #[serde(skip_serializing_if = "Time::is_zero_ref")]
    pub completed_at: Time,
    /// What became of it: empty before it ran.
    #[serde(deserialize_with = "or_default")]
    pub phase: String,
}

/// Names of what a run of a hook comes to.
#[derive(Clone, Copy, Debug)]
pub struct Phase;

impl Phase {
    /// Nobody knows.
    pub const UNKNOWN: &'static str = "Unknown";
    /// It runs.
    pub const RUNNING: &'static str = "Running";
    /// It is done.
    pub const SUCCEEDED: &'static str = "Succeeded";
    /// It failed.
    pub const FAILED: &'static str = "Failed";
}

/// Which tests run: one of `spec.test.filters`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestFilter {
    /// Name of the hook.
    pub name: String,
    /// All but this one.
    pub exclude: bool,
}

impl TestFilter {
    /// Whether the filters leave the hook in: none excludes it, and where any includes, one does it.
    pub fn select(filters: &[Self], name: &str) -> bool {
        let mut includes = filters.iter().filter(|filter| !filter.exclude).peekable();
        let is_excluded = filters.iter().any(|one| one.exclude && one.name == name);
        !is_excluded && (includes.peek().is_none() || includes.any(|one| one.name == name))
    }
}

impl Time {
    pub(super) fn is_zero_ref(&self) -> bool {
        self.is_zero()
    }
}

pub(super) fn is_zero(number: &i64) -> bool {
    *number == 0
}

fn sorted<S: serde::Serializer>(
    map: &Map<String, Value>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    SortedMap(map).serialize(serializer)
}

/// `null` is as good as absent, as in Go.
pub(super) fn or_default<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn method<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<ApplyMethod>, D::Error> {
    let word: Option<String> = Option::deserialize(deserializer)?;
    Ok(match word.as_deref() {
        Some("ssa") => Some(ApplyMethod::ServerSide),
        Some("csa") => Some(ApplyMethod::ClientSide),
        _ => None,
    })
}
