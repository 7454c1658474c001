//! Helm releases: what they are, where they are stored, and what is done with them, as Helm 4 does it,
//! so that the `helm` command reads and changes what is made here, and the other way round.
//!
//! In: what a chart was rendered to (the Helm guest's documents and attributes), and a cluster under
//! one identity. Out: objects in the cluster, records in its Secrets, and [`Snapshot`]s for a status.
//!
//! # How an install goes
//! ```no_run
//! # use bulkhead_apply::release::*;
//! # use bulkhead_apply::target::cluster::Cluster;
//! # async fn install(cluster: Cluster, documents: Vec<Source>, chart: &str,
//! #     values: serde_json::Map<String, serde_json::Value>) -> Result<(), Box<dyn std::error::Error>> {
//! // 1. The guest's documents, by template; Flux's labels go on them, after other post-renderers.
//! let labels = origin_labels("app", "apps");
//! let sources = set_metadata(documents, Strategy::Combined, &labels, &Default::default())?;
//! // 2. Hooks and manifest, in the order of installation.
//! let Sorted { manifest, hooks, .. } = sort(&sources)?;
//! let content = Content {
//!     chart: Some(Chart::from_json(chart)?),
//!     config: values,
//!     manifest,
//!     hooks,
//!     ..Content::default()
//! };
//! // 3. The action, with what is recorded on the way.
//! let helm = Helm::new(cluster.clone(), Storage::new(cluster, "apps").with_max_history(5));
//! let target = Target {
//!     name: "app".into(),
//!     namespace: "apps".into(),
//!     ..Target::default()
//! };
//! let done = helm.install(&target, content, &Install::default(), std::future::pending()).await;
//! for snapshot in &done.snapshots {
//!     println!("{} is {}", snapshot.full_name(), snapshot.status);
//! }
//! if let Some(error) = done.error {
//!     return Err(error.into());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Guarantees
//! - A version is recorded as pending before the first object is touched, and a release that its
//!   Secret cannot hold is refused before that.
//! - A process may end at any write: the next one finds a pending version ([`Status::is_pending`]),
//!   [`Helm::unlock`]s it, and goes on with an upgrade, which prunes what the broken action left.
//! - Nothing is pruned that does not carry the release's ownership metadata.
//!
//! # Differences from Helm
//! Server-side apply is always by force. A client-side merge goes by what is there, and takes over what
//! an action finds: [`send`]. An upgrade prunes what failed versions since the deployed one have
//! brought, which Helm forgets. A hook that fails ends a rollback as
//! failed, where Helm leaves it pending. An uninstall whose objects do not go away keeps its records, and
//! goes on with the next one.

mod action;
mod chart;
mod digest;
mod drift;
mod encode;
mod error;
mod helm;
mod inventory;
mod json;
mod kinds;
mod legacy;
mod manifest;
mod model;
mod objects;
mod ownership;
mod patch;
mod post_render;
mod reuse;
mod send;
mod snapshot;
mod status;
mod storage;
mod time;
mod update;
mod values;
mod wait;

pub use action::{
    Content, Crd, CrdPolicy, Done, Install, Options, Propagation, Readiness, Rollback, ServerSide,
    Target, Test, Uninstall, Upgrade, Wait,
};
pub use chart::{Chart, Dependency, Maintainer, Metadata};
pub use digest::{SNAPSHOT_API_VERSION, release_digest, values_digest};
pub use drift::{Difference, Drift, DriftChange};
pub use encode::{EncodeError, MAX_RELEASE_BYTES, MAX_SECRET_BYTES, decode, encode};
pub use error::ActionError;
pub use helm::Helm;
pub use manifest::{ManifestError, Sorted, Source, sort};
pub use model::{ApplyMethod, Event, Hook, HookRun, Info, Phase, Release, TestFilter};
pub use patch::Operation;
pub use post_render::{PostRenderError, Strategy, origin_labels, post_render, set_metadata};
pub use reuse::{Reused, reuse, reused_config};
pub use snapshot::{Snapshot, shorten_name};
pub use status::Status;
pub use storage::{Record, Storage, StorageError, key};
pub use time::{Time, TimeError};
