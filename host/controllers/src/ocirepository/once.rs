//! Pulls the artifact of an OCIRepository once, without storage: for who renders without the
//! controllers.

use bulkhead_api::source::OCIRepository;

use super::act::{Pull, revision};
use super::decide;
use super::error::PullError;
use super::load;
use crate::archives::Archives;
use crate::holder::Holder;
use crate::sources::{StoreError, blocking};
use crate::watch::key_of;

/// What was pulled.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// The revision that the artifact would have: `1.2.3@sha256:<hex>`.
    pub revision: String,
    /// The artifact.
    pub content: Vec<u8>,
}

/// Pulls the artifact that the controller would store, after checking its signature if one is asked
/// for. `archives` is where it lies in between.
///
/// # Errors
/// [`PullError`], as the conditions of the OCIRepository would tell it.
pub async fn pull(
    object: &OCIRepository,
    holder: &impl Holder,
    archives: &Archives,
) -> Result<Pulled, PullError> {
    let seen = load::of_spec(&object.spec, &key_of(object), holder).await;
    let request = decide::request(object, &seen)?;
    let pull = Pull {
        object,
        request: &request,
        archives,
    };
    let registry = pull.registry()?;
    let (reference, digest) = pull.look_up(&registry).await?;
    if let Some(trusted) = &request.trust {
        pull.verify(&registry, trusted, digest).await?;
    }
    let (mut scratch, _) = pull.fetch(&registry, digest).await?;
    let read = move || {
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut scratch.reader()?, &mut content)?;
        Ok(content)
    };
    Ok(Pulled {
        revision: revision(&reference, digest),
        content: blocking(read).await.map_err(StoreError::Write)?,
    })
}
