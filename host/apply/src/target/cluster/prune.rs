//! Deletes what is no longer desired: only what still carries our labels, is not marked to be kept,
//! and is the very object that was looked at.

use bulkhead_api::ObjectId;

use super::api::{self, ApiError};
use super::live::Live;
use super::{Resource, Run, all};
use crate::drift::Records;
use crate::order;
use crate::target::{Action, Applied, ApplyError, Change, ObjectError};

/// How often a delete is tried that meets writes of others.
const TRIES: u32 = 5;

/// What came of one object.
enum Pruned {
    Done(Action),
    /// The kind is not served: nobody knows whether the object is there.
    Unknown,
}

impl Run<'_> {
    /// Prunes in order. What fails, and what is unknown, goes back into the inventory.
    pub(super) async fn prune(
        &self,
        objects: Vec<(ObjectId, String)>,
        records: &mut Records,
        applied: &mut Applied,
    ) -> Result<(), ApplyError> {
        // Until its end is known, all of it may be there.
        for (id, version) in &objects {
            applied.inventory.insert(id.clone(), version.clone());
        }
        let mut errors = Vec::new();
        for group in objects.chunk_by(|left, right| order::is_same_rank(&left.0, &right.0)) {
            let results = all(group, |(id, version)| self.delete(id, version)).await;
            for ((id, _), result) in group.iter().zip(results) {
                records.remove(id);
                match result {
                    Ok(Pruned::Done(action)) => {
                        applied.inventory.remove(id);
                        applied.changes.push(Change::new(id.clone(), action));
                    }
                    Ok(Pruned::Unknown) => applied.unknown.push(id.clone()),
                    Err(error) => errors.push(error),
                }
            }
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(ApplyError::Prune(errors))
        }
    }

    /// Finds a kind, in another version where that of the inventory is out of service.
    async fn served(&self, id: &ObjectId, version: &str) -> Result<Option<Resource>, ApiError> {
        let discovery = &self.cluster.discovery;
        match discovery.find(&id.group, &id.kind, Some(version)).await? {
            Some(resource) => Ok(Some(resource)),
            None => discovery.find(&id.group, &id.kind, None).await,
        }
    }

    async fn delete(&self, id: &ObjectId, version: &str) -> Result<Pruned, ObjectError> {
        let failed = |what: &str, error: ApiError| ObjectError {
            id: Box::new(id.clone()),
            what: format!("{what}{}", error.in_brackets()),
            message: error.to_string(),
        };
        let found = self.served(id, version).await;
        let found = found.map_err(|error| failed("query failed", error))?;
        let Some(resource) = found else {
            return Ok(Pruned::Unknown);
        };
        let path = api::path(&resource, id);
        let mut first_uid: Option<String> = None;
        let mut attempt = 1;
        loop {
            let live = self.cluster.http.get_metadata(&path).await;
            let live = live.map_err(|error| failed("query failed", error))?;
            let Some(live) = live else {
                return Ok(Pruned::Done(Action::Deleted));
            };
            let live = Live(&live);
            let intent = live.intent(self.owner);
            if !live.is_owned(self.owner) || intent.keep || intent.ignore {
                return Ok(Pruned::Done(Action::Skipped));
            }
            if live.is_terminating() {
                return Ok(Pruned::Done(Action::Deleted));
            }
            let uid = first_uid.get_or_insert_with(|| live.uid().to_owned());
            if uid != live.uid() {
                let message = "it was recreated while it was being pruned".to_owned();
                let error = ApiError::Refused {
                    code: 409,
                    reason: "Conflict".to_owned(),
                    message,
                };
                return Err(failed("delete failed", error));
            }
            match self
                .cluster
                .http
                .delete(&path, live.uid(), live.resource_version())
                .await
            {
                Ok(()) => return Ok(Pruned::Done(Action::Deleted)),
                Err(error) if error.code() == 404 => return Ok(Pruned::Done(Action::Deleted)),
                Err(error) if error.code() == 409 && attempt < TRIES => attempt += 1,
                Err(error) => return Err(failed("delete failed", error)),
            }
        }
    }
}
