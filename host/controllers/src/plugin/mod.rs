//! Plugin and ClusterPlugin: looks at the registry at every interval; verifies, pulls, compiles and
//! runs each new image that asks for no more than what was approved.

mod act;
mod approve;
mod context;
mod decide;
mod error;
mod grants;
mod load;
mod make;
mod memory;
mod object;
mod report;
mod request;
mod restore;
mod status;
mod trust;
mod vault;

use std::sync::Arc;

use crate::clock;
use crate::context::Context;
use crate::queue::{Again, Class, Key};
use crate::status::WriteError;

pub use context::{Foundation, Plugins};
pub use error::{PluginError, Stage};
pub use grants::{GrantsError, installed};
pub use memory::PluginMemories;
pub use object::PluginObject;
pub use request::RequestError;
pub use restore::restore;
pub use vault::{Owner, Vault};

/// Reconciles the object `key`.
///
/// # Errors
/// The API server could not be used; nothing is lost.
pub async fn reconcile<P: PluginObject>(
    context: Arc<Context>,
    key: Key,
    _class: Class,
) -> Result<Again, WriteError> {
    let Some(object) = load::object::<P>(&context, &key).await? else {
        return Ok(Again::OnEvent);
    };
    let observed = load::observe(&*object, &key, &context).await;
    let decision = decide::decide(&*object, &observed);
    let outcome = act::run(&object, &key, decision, observed, &context).await;
    let next = status::next(&*object, &outcome, clock::now());
    report::publish(&context, &key, &object, next, &outcome).await?;
    Ok(report::again(&context, &key, &*object, &outcome))
}
