//! How an action goes: what the caller chooses.

use std::time::Duration;

use super::crds::CrdPolicy;
use crate::release::model::{ApplyMethod, TestFilter};

/// How long an action waits, by default: five minutes, as in Flux.
const TIMEOUT: Duration = Duration::from_secs(300);

/// What all actions have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long each wait may take: for the objects, and for each hook.
    pub timeout: Duration,
    /// Run hooks.
    pub hooks: bool,
    /// What is waited for.
    pub wait: Wait,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            timeout: TIMEOUT,
            hooks: true,
            wait: Wait::default(),
        }
    }
}

/// What is waited for. Hooks always are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Until the objects are healthy, or, after a deletion, gone.
    pub objects: bool,
    /// Until Jobs among them are done.
    pub jobs: bool,
    /// When they count as ready.
    pub readiness: Readiness,
}

/// When objects count as ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Readiness {
    /// By kstatus, and by the user's expressions.
    #[default]
    Status,
    /// By Helm 3's rules.
    Legacy,
}

impl Default for Wait {
    fn default() -> Self {
        Self {
            objects: true,
            jobs: true,
            readiness: Readiness::Status,
        }
    }
}

/// How an install goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Install {
    /// Timeout, hooks, waiting.
    pub options: Options,
    /// What becomes of the chart's CRDs.
    pub crds: CrdPolicy,
    /// Create the namespace first.
    pub create_namespace: bool,
    /// Take a name that an uninstalled or failed release has.
    pub replace: bool,
    /// Take objects that are there already, whoever made them.
    pub take_ownership: bool,
    /// How its objects are applied.
    pub method: ApplyMethod,
}

impl Default for Install {
    fn default() -> Self {
        Self {
            options: Options::default(),
            crds: CrdPolicy::Create,
            create_namespace: false,
            replace: false,
            take_ownership: true,
            method: ApplyMethod::ServerSide,
        }
    }
}

/// Which method an upgrade or a rollback applies with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServerSide {
    /// That of the version before.
    #[default]
    Auto,
    /// Server-side.
    Enabled,
    /// Client-side.
    Disabled,
}

impl ServerSide {
    pub(super) fn method(self, before: Option<ApplyMethod>) -> ApplyMethod {
        match self {
            Self::Auto => before.unwrap_or(ApplyMethod::ClientSide),
            Self::Enabled => ApplyMethod::ServerSide,
            Self::Disabled => ApplyMethod::ClientSide,
        }
    }
}

/// How an upgrade goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgrade {
    /// Timeout, hooks, waiting.
    pub options: Options,
    /// What becomes of the chart's CRDs.
    pub crds: CrdPolicy,
    /// Take objects that are there already, whoever made them.
    pub take_ownership: bool,
    /// How its objects are applied.
    pub server_side: ServerSide,
    /// Replace objects instead of applying them; only with the client-side method, as in Flux.
    pub force: bool,
    /// Delete what a failed upgrade has created.
    pub cleanup_on_fail: bool,
}

impl Default for Upgrade {
    fn default() -> Self {
        Self {
            options: Options::default(),
            crds: CrdPolicy::Skip,
            take_ownership: true,
            server_side: ServerSide::Auto,
            force: false,
            cleanup_on_fail: false,
        }
    }
}

/// How a rollback goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rollback {
    /// Timeout, hooks, waiting.
    pub options: Options,
    /// The version to go back to; 0 for the one before the newest.
    pub version: i64,
    /// How its objects are applied.
    pub server_side: ServerSide,
    /// Replace objects instead of applying them; only with the client-side method, as in Flux.
    pub force: bool,
    /// Delete what a failed rollback has created.
    pub cleanup_on_fail: bool,
}

/// What becomes of what an object owns when it is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// It is deleted afterwards.
    #[default]
    Background,
    /// It is deleted first.
    Foreground,
    /// It stays.
    Orphan,
}

impl Propagation {
    pub(in crate::release) fn as_str(self) -> &'static str {
        match self {
            Self::Background => "Background",
            Self::Foreground => "Foreground",
            Self::Orphan => "Orphan",
        }
    }
}

/// How an uninstall goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uninstall {
    /// Timeout, hooks, waiting.
    pub options: Options,
    /// What becomes of what the objects own.
    pub propagation: Propagation,
    /// Keep the records.
    pub keep_history: bool,
}

/// How a test goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// Which tests run.
    pub filters: Vec<TestFilter>,
    /// How long each may take.
    pub timeout: Duration,
}

impl Default for Test {
    fn default() -> Self {
        Self {
            filters: Vec::new(),
            timeout: TIMEOUT,
        }
    }
}
