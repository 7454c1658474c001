//! Where releases are kept: a Secret for each version, as Helm's `secret` driver has them.
//!
//! In: a cluster under the identity that may read and write Secrets of one namespace. Out: releases.
//! A record that cannot be read is told apart from one that is not there. Records of one release are
//! never more than the cap, the one that is deployed and the one before the newest apart.
//!
//! # Source
//! `pkg/storage` of Helm 4.3.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bulkhead_api::names::{label, manager};
use bulkhead_api::{Advice, ObjectId, Retry};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::encode::{self, EncodeError};
use super::model::Release;
use super::status::Status;
use crate::target::cluster::api;
use crate::target::cluster::{ApiError, Cluster, Resource};

/// The prefix of the names of records.
const PREFIX: &str = "sh.helm.release.v1";
/// The type of the Secrets.
const TYPE: &str = "helm.sh/release.v1";
/// Labels that are Helm's own.
const SYSTEM_LABELS: [&str; 6] = [
    "name",
    "owner",
    "status",
    "version",
    "createdAt",
    "modifiedAt",
];

/// Why a record could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The API server refused, or did not answer.
    #[error("failed to {action} the release record {namespace}/{key}")]
    Api {
        /// What was tried: `read`, `create`.
        action: &'static str,
        /// The namespace of the records.
        namespace: String,
        /// The Secret, or the release whose records were listed.
        key: String,
        /// Why it failed.
        #[source]
        source: ApiError,
    },
    /// The record is there, and cannot be read; or the release cannot be stored.
    #[error("the release record {namespace}/{key} is unusable")]
    Encode {
        /// The namespace of the records.
        namespace: String,
        /// The Secret.
        key: String,
        /// What is wrong with it.
        #[source]
        source: EncodeError,
    },
    /// Another process has made this version meanwhile.
    #[error(
        "the release record {namespace}/{key} already exists: another process is at this release"
    )]
    Exists {
        /// The namespace of the records.
        namespace: String,
        /// The Secret.
        key: String,
    },
}

impl StorageError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        match self {
            Self::Api { .. } | Self::Exists { .. } => Advice::new("StateError", Retry::Backoff),
            Self::Encode {
                source: EncodeError::TooLarge { .. },
                ..
            } => Advice::new("ReleaseTooLarge", Retry::OnChange).hint(
                "leave files out of the chart by `.helmignore`, split it, or set fewer values",
            ),
            Self::Encode { .. } => Advice::new("StateError", Retry::Backoff)
                .hint("delete the Secret if nobody needs the version that it holds"),
        }
    }
}

/// A record without what it holds: what its Secret's labels say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The version of the release.
    pub version: i64,
    /// Where it stands.
    pub status: Status,
    /// The Secret's resource version: equal means that the record is the same.
    pub resource_version: String,
    /// The Secret's uid.
    pub uid: String,
}

/// The records in one namespace. Cheap to clone.
#[derive(Clone)]
pub struct Storage {
    cluster: Cluster,
    namespace: String,
    max_history: usize,
}

impl Storage {
    /// Reads and writes the Secrets of `namespace` under the identity of `cluster`; keeps every
    /// version.
    pub fn new(cluster: Cluster, namespace: &str) -> Self {
        Self {
            cluster,
            namespace: namespace.to_owned(),
            max_history: 0,
        }
    }

    /// Keeps at most so many versions of a release, the newest; 0 keeps all.
    #[must_use]
    pub fn with_max_history(mut self, versions: usize) -> Self {
        self.max_history = versions;
        self
    }

    /// Returns the namespace of the records.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Lists the records of a release, the oldest version first. One cheap request: no record is
    /// read.
    pub async fn records(&self, name: &str) -> Result<Vec<Record>, StorageError> {
        let collection = self.collection();
        let selector = format!("name={name},owner=helm");
        let http = self.cluster.http();
        let items = http.list_metadata(&collection, &selector).await;
        let items = items.map_err(|source| self.failed("list", name, source))?;
        let mut records: Vec<Record> = items.iter().filter_map(|item| record(item, name)).collect();
        records.sort_by_key(|record| record.version);
        Ok(records)
    }

    /// Reads one version; `None` where there is none.
    pub async fn get(&self, name: &str, version: i64) -> Result<Option<Release>, StorageError> {
        let key = key(name, version);
        let found = self.cluster.http().get(&self.path(&key)).await;
        let Some(secret) = found.map_err(|source| self.failed("read", &key, source))? else {
            return Ok(None);
        };
        let release = self.release(&key, &secret)?;
        if release.name == name && release.version == version {
            return Ok(Some(release));
        }
        // Copied or renamed: what is written of it would go to the record that it is a copy of.
        let (name, version) = (release.name, release.version);
        Err(self.unusable(&key, EncodeError::Other { name, version }))
    }

    /// Reads the newest version.
    pub async fn last(&self, name: &str) -> Result<Option<Release>, StorageError> {
        match self.records(name).await?.last() {
            Some(record) => self.get(name, record.version).await,
            None => Ok(None),
        }
    }

    /// Fails when the release would not fit into its Secret, with some room left for what is recorded
    /// later; sends nothing.
    ///
    /// # Errors
    /// [`StorageError::Encode`].
    pub fn check(&self, release: &Release) -> Result<(), StorageError> {
        let limit = encode::MAX_SECRET_BYTES - encode::ROOM_BYTES;
        let key = key(&release.name, release.version);
        encode::encode_within(release, limit)
            .map(drop)
            .map_err(|source| self.unusable(&key, source))
    }

    /// Stores a new version, after making room for it where the history is capped. `records` are those
    /// that are there. Returns the new one; `None` where the answer got lost.
    ///
    /// # Errors
    /// [`StorageError::Exists`] when the version is there: Helm's lock.
    pub async fn create(
        &self,
        release: &Release,
        records: &[Record],
    ) -> Result<Option<Record>, StorageError> {
        let secret = self.secret(release, "createdAt")?;
        self.make_room(&release.name, records).await?;
        let key = key(&release.name, release.version);
        let http = self.cluster.http();
        match http.create(&as_manager(self.collection()), &secret).await {
            Ok(secret) => Ok(record(&secret, &release.name)),
            // The answer to our own request may have got lost.
            Err(error) if error.code() == 409 && self.is_stored(&key, &secret).await => Ok(None),
            Err(error) if error.code() == 409 => Err(StorageError::Exists {
                namespace: self.namespace.clone(),
                key,
            }),
            Err(source) => Err(self.failed("create", &key, source)),
        }
    }

    /// Stores a version that is there already. Returns its record.
    pub async fn update(&self, release: &Release) -> Result<Option<Record>, StorageError> {
        let secret = self.secret(release, "modifiedAt")?;
        let key = key(&release.name, release.version);
        let path = as_manager(self.path(&key));
        let sent = self.cluster.http().replace(&path, &secret).await;
        sent.map(|secret| record(&secret, &release.name))
            .map_err(|source| self.failed("update", &key, source))
    }

    /// Deletes a version; one that is not there is deleted already.
    pub async fn delete(&self, name: &str, version: i64) -> Result<(), StorageError> {
        let key = key(name, version);
        let sent = self.cluster.http().delete_any(&self.path(&key)).await;
        match sent {
            Err(error) if error.code() != 404 => Err(self.failed("delete", &key, error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Deletes the oldest versions, so that one more is within the cap; never the deployed one, nor the
    /// newest: were the process to end now, they tell what the release is.
    async fn make_room(&self, name: &str, records: &[Record]) -> Result<(), StorageError> {
        if self.max_history == 0 {
            return Ok(());
        }
        let mut newest = records.iter().rev();
        let deployed = newest.find(|one| one.status == Status::Deployed);
        let deployed = deployed.map(|record| record.version);
        let surplus = (records.len() + 1).saturating_sub(self.max_history);
        let newest = records.last().map(|record| record.version);
        let stays = |version: i64| Some(version) == deployed || Some(version) == newest;
        let old = records.iter().filter(|one| !stays(one.version));
        for record in old.take(surplus) {
            self.delete(name, record.version).await?;
        }
        Ok(())
    }

    async fn is_stored(&self, key: &str, secret: &Value) -> bool {
        let found = self.cluster.http().get(&self.path(key)).await;
        matches!(found, Ok(Some(found)) if found["data"]["release"] == secret["data"]["release"])
    }

    fn secret(&self, release: &Release, moment: &str) -> Result<Value, StorageError> {
        let key = key(&release.name, release.version);
        let text = encode::encode(release).map_err(|source| self.unusable(&key, source))?;
        let mut labels = serde_json::Map::new();
        for (label, value) in &release.labels {
            labels.insert(label.clone(), value.clone().into());
        }
        if release.info.rollback_revision != 0 {
            let back = release.info.rollback_revision.to_string();
            labels.insert(label::ROLLED_BACK_TO.to_owned(), back.into());
        }
        let now = Timestamp::now().as_second().to_string();
        let own = [
            (moment, now),
            ("name", release.name.clone()),
            ("owner", "helm".to_owned()),
            ("status", release.info.status.to_string()),
            ("version", release.version.to_string()),
        ];
        for (label, value) in own {
            labels.insert(label.to_owned(), value.into());
        }
        Ok(json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": { "name": key, "namespace": self.namespace, "labels": labels },
            "type": TYPE,
            "data": { "release": STANDARD.encode(text) },
        }))
    }

    fn release(&self, key: &str, secret: &Value) -> Result<Release, StorageError> {
        let data = secret["data"]["release"].as_str().unwrap_or_default();
        let text = STANDARD.decode(data);
        let text = text.map_err(|error| EncodeError::Packed(error.to_string()));
        let release = text.and_then(|text| encode::decode(&text));
        let mut release = release.map_err(|source| self.unusable(key, source))?;
        let labels = secret["metadata"]["labels"].as_object();
        let own = |name: &str| !SYSTEM_LABELS.contains(&name) && name != label::ROLLED_BACK_TO;
        if release.info.rollback_revision == 0 {
            release.info.rollback_revision = rolled_back_to(secret, &release);
        }
        release.labels = labels
            .into_iter()
            .flatten()
            .filter(|(label, _)| own(label))
            .filter_map(|(label, value)| Some((label.clone(), value.as_str()?.to_owned())))
            .collect();
        Ok(release)
    }

    fn collection(&self) -> String {
        api::collection(&secrets(), &self.namespace)
    }

    fn path(&self, key: &str) -> String {
        api::path(
            &secrets(),
            &ObjectId::new(&self.namespace, key, "", "Secret"),
        )
    }

    fn failed(&self, action: &'static str, key: &str, source: ApiError) -> StorageError {
        StorageError::Api {
            action,
            namespace: self.namespace.clone(),
            key: key.to_owned(),
            source,
        }
    }

    fn unusable(&self, key: &str, source: EncodeError) -> StorageError {
        StorageError::Encode {
            namespace: self.namespace.clone(),
            key: key.to_owned(),
            source,
        }
    }
}

/// Returns the name of a record's Secret: `sh.helm.release.v1.NAME.v1`.
pub fn key(name: &str, version: i64) -> String {
    format!("{PREFIX}.{name}.v{version}")
}

/// Returns the version that a rollback went back to, by our label or by Helm's words; 0 for none.
fn rolled_back_to(secret: &Value, release: &Release) -> i64 {
    let label = secret["metadata"]["labels"][label::ROLLED_BACK_TO].as_str();
    let told = release.info.description.strip_prefix("Rollback to ");
    label.or(told).map_or(0, |back| back.parse().unwrap_or(0))
}

/// Secrets are written under Flux's field manager, as objects are: either engine goes on with them.
fn as_manager(path: String) -> String {
    format!("{path}?fieldManager={}", manager::HELM)
}

fn secrets() -> Resource {
    Resource::core("Secret", "secrets", true)
}

fn record(secret: &Value, name: &str) -> Option<Record> {
    let metadata = &secret["metadata"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    // The name is what a version is read by; the label is the user's to change.
    let prefix = format!("{PREFIX}.{name}.v");
    let version = metadata["name"].as_str()?.strip_prefix(&prefix)?;
    // Helm counts no further, and what comes next must be a number, too.
    let version = version
        .parse::<i32>()
        .ok()
        .filter(|version| *version < i32::MAX)?;
    Some(Record {
        version: version.into(),
        status: text(&metadata["labels"]["status"]).as_str().into(),
        resource_version: text(&metadata["resourceVersion"]),
        uid: text(&metadata["uid"]),
    })
}
