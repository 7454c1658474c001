//! Answers the questions of renderers about the cluster, with the rights of the account that the
//! objects are applied as: a renderer sees no more than who uses it could read.

use bulkhead_api::ObjectId;
use bulkhead_apply::target::cluster::{Discovery, Resource};
use bulkhead_wasm::{Lookup, LookupAnswer, LookupError, LookupQuery};
use kube::Client;

use crate::client::is_not_found;

/// Objects that one list returns at most; more is an error, never a part.
const LIST_MAX: u32 = 1000;

/// A cluster as one account sees it.
pub struct ClusterLookup {
    client: Client,
    discovery: Discovery,
}

impl ClusterLookup {
    /// Looks with the rights of `client`.
    pub fn new(client: Client, discovery: Discovery) -> Self {
        Self { client, discovery }
    }

    async fn ask(&self, query: &LookupQuery) -> Result<Option<String>, LookupError> {
        let (group, version) = ObjectId::group_version(&query.api_version);
        let found = self.discovery.find(group, &query.kind, Some(version)).await;
        let found = found.map_err(|error| LookupError::Unavailable(bulkhead_api::chain(&error)))?;
        // A kind that is not there has no objects.
        let Some(resource) = found else {
            return Ok(None);
        };
        let Some(path) = path(&resource, query) else {
            return Err(LookupError::Other(
                "the namespace or the name is not one".to_owned(),
            ));
        };
        let request = http::Request::get(path)
            .header(http::header::ACCEPT, "application/json")
            .body(Vec::new());
        let request = request.map_err(|error| LookupError::Other(error.to_string()))?;
        match self.client.request_text(request).await {
            Ok(text) if query.name.is_empty() && is_part(&text) => Err(LookupError::Other(
                format!("there are more than {LIST_MAX} objects"),
            )),
            Ok(text) => Ok(Some(text)),
            Err(error) if is_not_found(&error) => Ok(None),
            Err(error) => Err(refusal(&error)),
        }
    }
}

impl Lookup for ClusterLookup {
    fn lookup<'a>(&'a self, query: &'a LookupQuery) -> LookupAnswer<'a> {
        Box::pin(self.ask(query))
    }
}

/// Returns the path of an object or of a list; `None` for what can be no name.
fn path(resource: &Resource, query: &LookupQuery) -> Option<String> {
    let is_name = |text: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
        text.bytes().all(allowed) && text != "." && text != ".."
    };
    if !is_name(&query.namespace) || !is_name(&query.name) {
        return None;
    }
    let mut path = match resource.group.as_str() {
        "" => format!("/api/{}", resource.version),
        group => format!("/apis/{group}/{}", resource.version),
    };
    if resource.namespaced && !query.namespace.is_empty() {
        path.push_str(&format!("/namespaces/{}", query.namespace));
    }
    path.push_str(&format!("/{}", resource.plural));
    match query.name.as_str() {
        "" => path.push_str(&format!("?limit={LIST_MAX}")),
        // A name alone is no object of a namespace.
        _ if resource.namespaced && query.namespace.is_empty() => return None,
        name => path.push_str(&format!("/{name}")),
    }
    Some(path)
}

/// Tells whether a list goes on.
fn is_part(list: &str) -> bool {
    let list: serde_json::Value = serde_json::from_str(list).unwrap_or_default();
    let next = list["metadata"]["continue"].as_str();
    next.is_some_and(|next| !next.is_empty())
}

fn refusal(error: &kube::Error) -> LookupError {
    let text = bulkhead_api::chain(error);
    match error {
        kube::Error::Api(status) if matches!(status.code, 401 | 403) => {
            LookupError::Forbidden(text)
        }
        kube::Error::Api(status) if (400..429).contains(&status.code) => LookupError::Other(text),
        _ => LookupError::Unavailable(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(group: &str, namespaced: bool, namespace: &str, name: &str) -> Option<String> {
        let resource = Resource {
            group: group.to_owned(),
            version: "v1".to_owned(),
            kind: "Thing".to_owned(),
            plural: "things".to_owned(),
            namespaced,
        };
        let query = LookupQuery {
            api_version: String::new(),
            kind: String::new(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        path(&resource, &query)
    }

    #[test]
    fn objects_and_lists_have_their_paths() {
        let one = of("", true, "apps", "web");
        assert_eq!(one.as_deref(), Some("/api/v1/namespaces/apps/things/web"));
        let list = of("x.example", true, "", "");
        assert_eq!(
            list.as_deref(),
            Some("/apis/x.example/v1/things?limit=1000")
        );
        let role = of("", false, "ignored", "system:node");
        assert_eq!(role.as_deref(), Some("/api/v1/things/system:node"));
    }

    #[test]
    fn names_cannot_lead_elsewhere() {
        for name in ["../secrets", "a/b", "..", "a?b", "a%2fb", "a#b"] {
            assert_eq!(of("", true, "apps", name), None, "{name}");
            assert_eq!(of("", true, name, "web"), None, "{name}");
        }
        assert_eq!(of("", true, "", "web"), None);
    }

    #[test]
    fn a_part_of_a_list_is_known() {
        assert!(is_part(r#"{"metadata":{"continue":"x"},"items":[]}"#));
        assert!(!is_part(r#"{"metadata":{"continue":""},"items":[]}"#));
        assert!(!is_part(r#"{"metadata":{},"items":[]}"#));
    }
}
