//! Which kinds the API server serves, and where: two requests for everything, again when an unknown
//! kind is asked for. And what it publishes of the built-in ones: a request a version of a group.
//!
//! A kind that is not found is unknown, never "gone": a broken aggregated API looks the same.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::core::discovery::v2::{APIGroupDiscovery, APIVersionDiscovery};
use tokio::sync::RwLock;

use super::api::ApiError;
use crate::merge::schema::Schemas;

/// How long a "not found" is believed before the server is asked again.
const BELIEVED: Duration = Duration::from_secs(1);

/// Where objects of a kind are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// API group; empty for the core group.
    pub group: String,
    /// Version.
    pub version: String,
    /// Kind.
    pub kind: String,
    /// Plural, lower case: the part of the path.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
}

impl Resource {
    /// Names a kind of the core group, which every server serves.
    pub(crate) fn core(kind: &str, plural: &str, namespaced: bool) -> Self {
        Self {
            group: String::new(),
            version: "v1".to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
            namespaced,
        }
    }
}

/// What the server serves, as of one moment.
#[derive(Debug, Default)]
struct Served {
    // By group and kind; the preferred version first.
    kinds: HashMap<(String, String), Vec<Resource>>,
    at: Option<Instant>,
}

/// The served kinds of one API server, shared by all who apply to it.
#[derive(Clone)]
pub struct Discovery {
    client: kube::Client,
    served: Arc<RwLock<Served>>,
    // By path. What is built in changes with the server's version alone.
    schemas: Arc<RwLock<HashMap<String, Arc<Schemas>>>>,
}

impl Discovery {
    /// Asks nothing yet.
    pub fn new(client: kube::Client) -> Self {
        Self {
            client,
            served: Arc::default(),
            schemas: Arc::default(),
        }
    }

    /// Finds a kind: in this version or, with `None` or where that is not served, see below.
    ///
    /// With a version, only that version will do; without one, the preferred is returned. `None`
    /// after a look at the server means that it does not serve the kind now.
    pub async fn find(
        &self,
        group: &str,
        kind: &str,
        version: Option<&str>,
    ) -> Result<Option<Resource>, ApiError> {
        if let Some(found) = self.served.read().await.find(group, kind, version) {
            return Ok(Some(found));
        }
        let mut served = self.served.write().await;
        // Somebody else may have asked while this one waited.
        if let Some(found) = served.find(group, kind, version) {
            return Ok(Some(found));
        }
        if served.at.is_some_and(|at| at.elapsed() < BELIEVED) {
            return Ok(None);
        }
        *served = ask(&self.client).await?;
        Ok(served.find(group, kind, version))
    }

    /// Returns what charts are told of the cluster: `apps/v1`, and `apps/v1/Deployment`, sorted.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub async fn api_versions(&self) -> Result<Vec<String>, ApiError> {
        let mut served = self.served.write().await;
        if served.at.is_none() {
            *served = ask(&self.client).await?;
        }
        let mut found = std::collections::BTreeSet::new();
        for resource in served.kinds.values().flatten() {
            let version = match resource.group.as_str() {
                "" => resource.version.clone(),
                group => format!("{group}/{}", resource.version),
            };
            found.insert(format!("{version}/{}", resource.kind));
            found.insert(version);
        }
        Ok(found.into_iter().collect())
    }

    /// Returns what the server publishes of the kinds of a group's version. Asked for once.
    ///
    /// # Errors
    /// As [`find`](Self::find); an answer that is no OpenAPI document.
    pub(crate) async fn schemas(&self, resource: &Resource) -> Result<Arc<Schemas>, ApiError> {
        let (group, version) = (&resource.group, &resource.version);
        let path = match group.as_str() {
            "" => format!("/openapi/v3/api/{version}"),
            group => format!("/openapi/v3/apis/{group}/{version}"),
        };
        if let Some(known) = self.schemas.read().await.get(&path) {
            return Ok(Arc::clone(known));
        }
        let mut schemas = self.schemas.write().await;
        // Somebody else may have asked while this one waited.
        if let Some(known) = schemas.get(&path) {
            return Ok(Arc::clone(known));
        }
        let request = http::Request::get(&path).body(Vec::new());
        let request = request.map_err(|error| ApiError::Unreadable(error.to_string()))?;
        let text = self.client.request_text(request).await.map_err(refused)?;
        let parsed = Schemas::parse(&text);
        let parsed = parsed.map_err(|error| ApiError::Unreadable(format!("{path}: {error}")))?;
        let parsed = Arc::new(parsed);
        schemas.insert(path, Arc::clone(&parsed));
        Ok(parsed)
    }

    /// Forgets what is known: the next look asks the server. For a new CustomResourceDefinition.
    pub async fn forget(&self) {
        self.served.write().await.at = None;
    }
}

impl Served {
    fn find(&self, group: &str, kind: &str, version: Option<&str>) -> Option<Resource> {
        let found = self.kinds.get(&(group.to_owned(), kind.to_owned()))?;
        match version {
            Some(version) => found
                .iter()
                .find(|resource| resource.version == version)
                .cloned(),
            None => found.first().cloned(),
        }
    }

    fn add(&mut self, group: &APIGroupDiscovery) {
        let name = group
            .metadata
            .as_ref()
            .and_then(|metadata| metadata.name.clone());
        let name = name.unwrap_or_default();
        for version in &group.versions {
            self.add_version(&name, version);
        }
    }

    fn add_version(&mut self, group: &str, served: &APIVersionDiscovery) {
        for resource in &served.resources {
            let kind = resource
                .response_kind
                .as_ref()
                .and_then(|kind| kind.kind.clone());
            let (Some(kind), Some(plural)) = (kind, resource.resource.clone()) else {
                continue;
            };
            // What cannot be patched, like reviews and bindings, is no object to apply.
            if !resource.verbs.iter().any(|verb| verb == "patch") {
                continue;
            }
            let found = Resource {
                group: group.to_owned(),
                version: served.version.clone().unwrap_or_default(),
                kind: kind.clone(),
                plural,
                namespaced: resource.scope.as_deref() == Some("Namespaced"),
            };
            self.kinds
                .entry((group.to_owned(), kind))
                .or_default()
                .push(found);
        }
    }
}

async fn ask(client: &kube::Client) -> Result<Served, ApiError> {
    let core = client.list_core_api_versions_aggregated().await;
    let core = core.map_err(refused)?;
    let groups = client.list_api_groups_aggregated().await;
    let groups = groups.map_err(refused)?;
    let mut served = Served {
        at: Some(Instant::now()),
        ..Served::default()
    };
    core.items
        .iter()
        .chain(&groups.items)
        .for_each(|group| served.add(group));
    Ok(served)
}

fn refused(error: kube::Error) -> ApiError {
    match error {
        kube::Error::Api(status) => ApiError::Refused {
            code: status.code,
            reason: status.reason.clone(),
            message: status.message.clone(),
        },
        other => ApiError::Lost(bulkhead_api::chain(&other)),
    }
}
