//! Deletes and creates again what cannot be changed, where that is asked for and safe.

use tokio::time::{Instant, sleep};

use serde_json::Value;

use super::api::ApiError;
use super::live::Live;
use super::look::Todo;
use super::{DEFINITIONS_LIMIT, LOOK_PAUSES, Run, object_error};
use crate::object::Object;
use crate::target::ObjectError;

impl Run<'_> {
    /// Deletes and applies an object with fields that cannot change, if that is asked for.
    ///
    /// Nothing is deleted before it is known that the new object would be accepted: the server says
    /// that a field is immutable, or takes a copy under another name in a dry-run.
    pub(super) async fn recreate(
        &self,
        path: &str,
        todo: &Todo,
        refusal: ApiError,
    ) -> Result<Option<(bool, Value)>, ObjectError> {
        let failed = |what: &str, error: ApiError| object_error(&todo.object, what, &error);
        let http = &self.cluster.http;
        let live = http
            .get_metadata(path)
            .await
            .map_err(|error| failed("query failed", error))?;
        if let Some(live) = live {
            let live = Live(&live);
            let intent = live.intent(self.owner);
            if intent.ignore {
                return Ok(None);
            }
            if !(self.may_recreate(todo) || intent.force) {
                return Err(failed("apply failed", refusal));
            }
            if !says_immutable(&refusal) && !self.would_be_created(path, &todo.object).await {
                return Err(failed("apply failed", refusal));
            }
            let what = "immutable field detected, failed to delete object";
            match http.delete(path, live.uid(), live.resource_version()).await {
                Ok(()) => {}
                Err(error) if error.code() == 404 => {}
                Err(error) => return Err(failed(what, error)),
            }
            let what = "immutable field detected, failed to wait for object to be deleted";
            self.wait_until_gone(path, live.uid())
                .await
                .map_err(|error| failed(what, error))?;
        }
        let answer = self.patch(path, todo).await;
        answer
            .map(Some)
            .map_err(|error| failed("apply failed", error))
    }

    async fn would_be_created(&self, path: &str, object: &Object) -> bool {
        let collection = path
            .rsplit_once('/')
            .map_or(path, |(collection, _)| collection);
        let mut copy = object.to_value();
        copy["metadata"]["name"] = "bulkhead-dry-run".into();
        self.cluster
            .http
            .try_create(collection, &copy)
            .await
            .is_ok()
    }

    async fn wait_until_gone(&self, path: &str, uid: &str) -> Result<(), ApiError> {
        let deadline = Instant::now() + DEFINITIONS_LIMIT;
        let mut pause = LOOK_PAUSES.0;
        while let Some(live) = self.cluster.http.get_metadata(path).await? {
            if Live(&live).uid() != uid {
                return Ok(());
            }
            if Instant::now() > deadline {
                let message = format!("it is still there after {DEFINITIONS_LIMIT:?}");
                return Err(ApiError::Refused {
                    code: 408,
                    reason: String::new(),
                    message,
                });
            }
            sleep(pause).await;
            pause = (pause * 2).min(LOOK_PAUSES.1);
        }
        Ok(())
    }
}

/// Whether a refusal may be due to a field that cannot change.
pub(super) fn is_immutable(error: &ApiError) -> bool {
    error.code() == 422 || says_immutable(error)
}

fn says_immutable(error: &ApiError) -> bool {
    let ApiError::Refused { message, .. } = error else {
        return false;
    };
    let words = [
        "is immutable",
        "immutable field",
        "may not change fields other than",
        "updates to statefulset spec for fields other than",
        "may not change once set",
        "cannot be changed",
    ];
    words.iter().any(|words| message.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn immutable_fields_are_recognised() {
        let refused = |code, message: &str| ApiError::Refused {
            code,
            reason: String::new(),
            message: message.to_owned(),
        };
        assert!(is_immutable(&refused(422, "spec.x: wrong")));
        assert!(!says_immutable(&refused(422, "spec.x: wrong")));
        assert!(is_immutable(&refused(403, "admission: spec is immutable")));
        assert!(says_immutable(&refused(
            422,
            "spec.selector: field is immutable"
        )));
        assert!(!is_immutable(&refused(409, "the object has been modified")));
        assert!(!is_immutable(&ApiError::Lost("is immutable".to_owned())));
    }
}
