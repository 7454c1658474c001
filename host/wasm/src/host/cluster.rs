//! `bulkhead:base/cluster`: objects of the cluster, for renderers that were granted them.
//!
//! Without a [`Lookup`] every answer is "not there". Answers are part of the read set.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bulkhead_api::Digest;

use super::State;
use crate::bindings::renderer::bulkhead::base::cluster::{Error, Host};
use crate::limits::{Limit, LimitHit};
use crate::read_set::Operation;

/// Longest question: group, version, kind, namespace and name have at most 253 bytes each.
const QUERY_BYTES: usize = 5 * 256;

/// One question to the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookupQuery {
    /// Group and version: `apps/v1`.
    pub api_version: String,
    /// Kind: `Deployment`.
    pub kind: String,
    /// Namespace; empty for cluster-scoped objects and for lists over all namespaces.
    pub namespace: String,
    /// Name; empty for a list.
    pub name: String,
}

impl fmt::Display for LookupQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}|{}|{}|{}",
            self.api_version, self.kind, self.namespace, self.name
        )
    }
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// The tenant's identity may not read it.
    #[error("{0}")]
    Forbidden(String),
    /// The API server could not be reached or failed.
    #[error("{0}")]
    Unavailable(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// An answer to a question: an object or a list as JSON, `None` where nothing is there.
pub type LookupAnswer<'a> =
    Pin<Box<dyn Future<Output = Result<Option<String>, LookupError>> + Send + 'a>>;

/// Answers questions about the cluster, under the identity of the tenant.
pub trait Lookup: Send + Sync {
    /// Reads an object, or lists a kind.
    ///
    /// # Errors
    /// See [`LookupError`]; the guest is told.
    fn lookup<'a>(&'a self, query: &'a LookupQuery) -> LookupAnswer<'a>;
}

/// The cluster as one call sees it.
pub(crate) struct Cluster {
    lookup: Option<Arc<dyn Lookup>>,
    lookups: u64,
    bytes: u64,
    /// The API server failed: another run may end otherwise.
    pub(crate) unavailable: bool,
}

impl Cluster {
    pub(crate) fn new(lookup: Option<Arc<dyn Lookup>>) -> Self {
        Self {
            lookup,
            lookups: 0,
            bytes: 0,
            unavailable: false,
        }
    }
}

impl State {
    fn lookup_limit(&mut self, hit: LimitHit) -> Error {
        self.refused.get_or_insert(hit);
        Error::TooMany(hit.allowed)
    }
}

impl Host for State {
    async fn lookup(
        &mut self,
        api_version: String,
        kind: String,
        namespace: String,
        name: String,
    ) -> wasmtime::Result<Result<Option<String>, Error>> {
        let Some(lookup) = self.cluster.lookup.clone() else {
            return Ok(Ok(None));
        };
        self.cluster.lookups += 1;
        let (asked, allowed) = (self.cluster.lookups, self.limits.lookups);
        if let Err(hit) = LimitHit::check(Limit::Lookups, asked, allowed) {
            return Ok(Err(self.lookup_limit(hit)));
        }
        let query = LookupQuery {
            api_version,
            kind,
            namespace,
            name,
        };
        if query.to_string().len() > QUERY_BYTES {
            return Ok(Err(Error::Other(
                "the names are longer than names may be".to_owned(),
            )));
        }
        let answer = lookup.lookup(&query).await;
        let text = match &answer {
            Ok(object) => format!("ok {object:?}"),
            Err(error) => format!("error {error:?}"),
        };
        self.reads
            .record(Operation::Lookup, &query.to_string(), Digest::of(text));
        Ok(match answer {
            Ok(object) => {
                let bytes = object.as_ref().map_or(0, String::len) as u64;
                self.cluster.bytes += bytes;
                let (sum, allowed) = (self.cluster.bytes, self.limits.lookup_bytes);
                match LimitHit::check(Limit::LookupBytes, sum, allowed) {
                    Ok(()) => Ok(object),
                    Err(hit) => Err(self.lookup_limit(hit)),
                }
            }
            Err(LookupError::Forbidden(text)) => Err(Error::Forbidden(text)),
            Err(LookupError::Unavailable(text)) => {
                self.cluster.unavailable = true;
                Err(Error::Unavailable(text))
            }
            Err(LookupError::Other(text)) => Err(Error::Other(text)),
        })
    }
}
