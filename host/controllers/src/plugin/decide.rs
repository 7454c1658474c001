//! What to do about a plugin. Pure.

use super::load::Observed;
use super::object::PluginObject;
use super::request::{self, Request, RequestError};

/// What to do.
#[derive(Debug)]
pub(super) enum Decision {
    /// It is being deleted: what is kept goes, then its finalizer.
    Finalize,
    /// It is suspended: what runs goes on, and nobody asks the registry.
    Suspend,
    /// Nothing can be asked for; what runs goes on.
    Refuse(RequestError),
    /// Look at the registry.
    Install(Box<Request>),
}

/// Decides.
pub(super) fn decide<P: PluginObject>(object: &P, seen: &Observed) -> Decision {
    if object.meta().deletion_timestamp.is_some() {
        return Decision::Finalize;
    }
    if object.spec().suspend {
        return Decision::Suspend;
    }
    match request::request(object.spec(), &seen.secrets, P::GRANTS_PRIVATE_NETWORKS) {
        Err(error) => Decision::Refuse(error),
        Ok(request) => Decision::Install(Box::new(request)),
    }
}
