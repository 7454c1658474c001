//! The Helm renderer: what `helm template` prints, from a tree of files, without programs, network or
//! time. In: [`Files`], the path of a chart, [`Options`]. Out: manifests and hooks in the order of
//! installation, or what Helm 4.3 says is wrong.
//!
//! What Sprig takes from chance or the clock comes from the release, the chart, the values and
//! [`Options::now`]: the same input renders the same.

mod archive;
mod capabilities;
mod chart;
mod coalesce;
mod config;
mod decimal;
mod dependencies;
mod encoding;
mod engine;
mod functions;
mod glob;
mod ignore;
mod inflate;
mod json;
mod json_read;
mod keys;
mod load;
mod manifests;
mod metadata;
mod objects;
mod options;
mod paths;
mod plugin;
mod problem;
mod random;
mod release;
mod render;
mod schema;
mod secrets;
mod semver;
mod show_only;
mod stored;
mod strvals;
mod tar;
mod time;
mod yaml;

pub use bulkhead_plugin::Files;
pub use functions::Lookup;
pub use manifests::{Hook, Manifest};
pub use options::{Options, Set, Values};
pub use plugin::Helm;
pub use render::{Output, render, render_raw};
pub use stored::Stored;
pub use strvals::SetKind;

#[cfg(target_family = "wasm")]
#[global_allocator]
static ALLOCATOR: bulkhead_allocator::GuestAllocator = bulkhead_allocator::GuestAllocator::new();
