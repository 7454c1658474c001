//! Flags about what a kustomization names by URL.

use bulkhead_controllers::delivery::remote::Allowed;
use clap::{ArgAction, Args};

/// What may be fetched for a render.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct RemoteArguments {
    /// Refuse remote bases: whatever a kustomization names by URL
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false,
          default_missing_value = "true", action = ArgAction::Set, value_name = "BOOL")]
    pub no_remote_bases: bool,
    /// Fetch remote bases at any reference, and files behind a URL; by default only repositories at
    /// a commit that `ref` names by its 40 digits
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false,
          default_missing_value = "true", action = ArgAction::Set, value_name = "BOOL")]
    pub allow_unpinned_remote_bases: bool,
}

impl RemoteArguments {
    /// Returns what they allow; refusing wins.
    pub(crate) fn allowed(self) -> Allowed {
        match (self.no_remote_bases, self.allow_unpinned_remote_bases) {
            (true, _) => Allowed::Nothing,
            (false, true) => Allowed::Anything,
            (false, false) => Allowed::Pinned,
        }
    }
}
