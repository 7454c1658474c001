//! The audit log of the API server: who asked for what, and what came of it. The oracle of tests
//! that count requests.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

/// One request, as the API server saw it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEvent {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, ...
    pub verb: String,
    /// Path and query, as sent.
    #[serde(rename = "requestURI")]
    pub uri: String,
    /// What the client calls itself.
    #[serde(default)]
    pub user_agent: String,
    /// Who asked.
    #[serde(default)]
    pub user: AuditUser,
    /// Whom they acted as, if anybody.
    #[serde(default)]
    pub impersonated_user: Option<AuditUser>,
    /// The object, where the request names one.
    #[serde(default)]
    pub object_ref: Option<AuditObject>,
    /// The answer.
    #[serde(default)]
    pub response_status: AuditStatus,
}

/// The object of a request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AuditObject {
    /// Plural, lower case.
    pub resource: String,
    /// Empty for cluster-scoped objects.
    pub namespace: String,
    /// Empty for lists.
    pub name: String,
    /// Empty for the object itself, or `status`, `scale`, ...
    pub subresource: String,
}

/// Who asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct AuditUser {
    /// `system:serviceaccount:<namespace>:<name>`.
    pub username: String,
}

/// The answer to a request.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct AuditStatus {
    /// The HTTP status.
    pub code: u16,
}

pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join("audit.log")
}

#[allow(clippy::disallowed_methods, reason = "the test's own temporary folder")]
pub(super) fn read(dir: &Path) -> Result<Vec<AuditEvent>> {
    let text = match std::fs::read_to_string(path(dir)) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).context("failed to read the audit log"),
    };
    // The last line may be half written.
    let complete = text.rfind('\n').map_or("", |end| &text[..end]);
    complete
        .lines()
        .map(|line| serde_json::from_str(line).context("failed to read an audit event"))
        .collect()
}
