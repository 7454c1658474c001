//! Reads a kubeconfig that stands in a Secret: how to reach another cluster, and as whom.
//!
//! Who writes the Secret is not who runs this process: whatever would run a program, read a file, go
//! through a proxy or leave the server unverified is refused by the name of its field.
//!
//! # Source
//! `KubeConfig` of fluxcd/pkg's `runtime/client` leaves such fields out in silence; CVE-2022-24817 is
//! why. Leaving out `exec` means to go on without a login: a refusal says what to do.

use bulkhead_apply::yaml::{self, YamlError};
use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError as LoadError};
use serde_json::Value;

/// Why a kubeconfig cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KubeconfigError {
    /// It is no YAML.
    #[error("it is no YAML")]
    Yaml(#[source] YamlError),
    /// It is no kubeconfig. The text may hold secrets, and is not told.
    #[error("it has not the form of a kubeconfig")]
    Form,
    /// A field asks for what is never done.
    #[error("`{field}` is not allowed: {why}")]
    Field {
        /// The field, as `users[].user.exec`.
        field: &'static str,
        /// Why.
        why: &'static str,
    },
    /// The server's address cannot be used.
    #[error("`clusters[].cluster.server` must be an address that begins with `https://`")]
    Server,
    /// It does not hang together.
    #[error("it does not say which cluster to reach, and as whom")]
    Load(#[source] Box<LoadError>),
}

/// What an operator allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Servers whose certificate is not verified, or that have none.
    pub insecure_tls: bool,
}

/// Reads a kubeconfig: its current context alone.
///
/// # Errors
/// [`KubeconfigError`]. Nothing has been run, read or asked then, nor is it afterwards.
pub async fn read(text: &str, allowed: Allowed) -> Result<Config, KubeconfigError> {
    let mut documents = yaml::read(text).map_err(KubeconfigError::Yaml)?;
    documents.retain(|document| !document.value.is_null());
    let value = match documents.pop() {
        Some(document) if documents.is_empty() => document.value,
        _ => return Err(KubeconfigError::Form),
    };
    let file = current(value)?;
    check(&file, allowed)?;
    let loaded = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
    let config = loaded.map_err(|error| KubeconfigError::Load(Box::new(error)))?;
    match config.cluster_url.scheme_str() {
        Some("https") => Ok(config),
        Some("http") if allowed.insecure_tls => Ok(config),
        _ => Err(KubeconfigError::Server),
    }
}

/// Keeps of a kubeconfig what its current context names: what is wrong elsewhere is nobody's concern.
fn current(value: Value) -> Result<Kubeconfig, KubeconfigError> {
    let mut file: Kubeconfig = serde_json::from_value(value).map_err(|_| KubeconfigError::Form)?;
    let name = file.current_context.clone().unwrap_or_default();
    file.contexts.retain(|one| one.name == name);
    let context = file.contexts.first().and_then(|one| one.context.clone());
    let (cluster, user) = context.map_or_else(Default::default, |one| (one.cluster, one.user));
    file.clusters.retain(|one| one.name == cluster);
    file.auth_infos
        .retain(|one| Some(&one.name) == user.as_ref());
    Ok(file)
}

fn check(file: &Kubeconfig, allowed: Allowed) -> Result<(), KubeconfigError> {
    const FILE: &str = "no file of this process is read; put the content into the kubeconfig";
    const PROGRAM: &str = "no program is run; put a token or a certificate into the kubeconfig";
    const USER: &str = "name the service account to act as in `spec.serviceAccountName`";
    const PROXY: &str = "the server is reached without a proxy";
    const TLS: &str = "the server's certificate is verified; give `certificate-authority-data`, or \
                       let the operator set `--insecure-kubeconfig-tls`";
    let clusters = file.clusters.iter().filter_map(|one| one.cluster.as_ref());
    let users = file.auth_infos.iter();
    let users = users.filter_map(|one| one.auth_info.as_ref());
    let of_clusters = clusters.flat_map(|one| {
        let skips = one.insecure_skip_tls_verify == Some(true) && !allowed.insecure_tls;
        [
            (
                is_set(&one.certificate_authority),
                "clusters[].cluster.certificate-authority",
                FILE,
            ),
            (
                is_set(&one.proxy_url),
                "clusters[].cluster.proxy-url",
                PROXY,
            ),
            (skips, "clusters[].cluster.insecure-skip-tls-verify", TLS),
        ]
    });
    let of_users = users.flat_map(|one| {
        let acts = is_set(&one.impersonate)
            || is_set(&one.impersonate_uid)
            || one.impersonate_groups.is_some()
            || one.impersonate_user_extra.is_some();
        [
            (one.exec.is_some(), "users[].user.exec", PROGRAM),
            (
                one.auth_provider.is_some(),
                "users[].user.auth-provider",
                PROGRAM,
            ),
            (is_set(&one.token_file), "users[].user.tokenFile", FILE),
            (
                is_set(&one.client_certificate),
                "users[].user.client-certificate",
                FILE,
            ),
            (is_set(&one.client_key), "users[].user.client-key", FILE),
            (acts, "users[].user.as", USER),
        ]
    });
    let mut all = of_clusters.chain(of_users);
    match all.find(|(is_used, ..)| *is_used) {
        Some((_, field, why)) => Err(KubeconfigError::Field { field, why }),
        None => Ok(()),
    }
}

fn is_set(text: &Option<String>) -> bool {
    text.as_ref().is_some_and(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use serde_json::json;

    use super::*;

    fn file(cluster: Value, user: Value) -> String {
        let mut fields = json!({ "server": "https://192.0.2.1:6443" });
        fields
            .as_object_mut()
            .unwrap()
            .extend(cluster.as_object().unwrap().clone());
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "contexts": [
                { "name": "other", "context": { "cluster": "other", "user": "other" } },
                { "name": "c", "context": { "cluster": "k", "user": "u" } },
            ],
            "clusters": [
                { "name": "other", "cluster": { "server": "http://x", "proxy-url": "http://y" } },
                { "name": "k", "cluster": fields },
            ],
            "users": [
                { "name": "other", "user": { "exec": { "command": "sh",
                    "apiVersion": "client.authentication.k8s.io/v1" } } },
                { "name": "u", "user": user },
            ],
        })
        .to_string()
    }

    async fn refused(cluster: Value, user: Value) -> String {
        let text = file(cluster, user);
        let error = read(&text, Allowed::default()).await.unwrap_err();
        error.to_string()
    }

    #[tokio::test]
    async fn the_current_context_counts_and_no_other() {
        let text = file(json!({}), json!({ "token": "t" }));
        let config = read(&text, Allowed::default()).await.unwrap();
        assert_eq!(config.cluster_url, "https://192.0.2.1:6443/");
        assert!(config.auth_info.token.is_some());
        assert!(config.auth_info.exec.is_none());
        assert!(config.proxy_url.is_none());
    }

    #[tokio::test]
    async fn what_runs_reads_or_trusts_is_refused_by_name() {
        let exec = json!({ "command": "sh", "apiVersion": "client.authentication.k8s.io/v1" });
        for (cluster, user, field) in [
            (json!({}), json!({ "exec": exec }), "users[].user.exec"),
            (
                json!({}),
                json!({ "auth-provider": { "name": "gcp", "config": {} } }),
                "users[].user.auth-provider",
            ),
            (
                json!({}),
                json!({ "tokenFile": "/etc/passwd" }),
                "users[].user.tokenFile",
            ),
            (
                json!({}),
                json!({ "client-certificate": "/a" }),
                "users[].user.client-certificate",
            ),
            (
                json!({}),
                json!({ "client-key": "/a" }),
                "users[].user.client-key",
            ),
            (json!({}), json!({ "as": "root" }), "users[].user.as"),
            (
                json!({ "certificate-authority": "/a" }),
                json!({}),
                "clusters[].cluster.certificate-authority",
            ),
            (
                json!({ "proxy-url": "http://169.254.169.254" }),
                json!({}),
                "clusters[].cluster.proxy-url",
            ),
            (
                json!({ "insecure-skip-tls-verify": true }),
                json!({}),
                "clusters[].cluster.insecure-skip-tls-verify",
            ),
        ] {
            let told = refused(cluster, user).await;
            assert!(
                told.starts_with(&format!("`{field}` is not allowed: ")),
                "{told}"
            );
        }
        let told = refused(json!({ "server": "http://192.0.2.1" }), json!({})).await;
        assert!(told.contains("https://"), "{told}");
    }

    #[tokio::test]
    async fn an_operator_may_allow_unverified_servers() {
        let allowed = Allowed { insecure_tls: true };
        let text = file(
            json!({ "insecure-skip-tls-verify": true, "server": "http://192.0.2.1" }),
            json!({}),
        );
        assert!(read(&text, allowed).await.unwrap().accept_invalid_certs);
    }

    #[tokio::test]
    async fn what_is_no_kubeconfig_is_told_without_its_text() {
        for text in [
            "",
            "a: [",
            "- 1",
            "users: {token: hidden}",
            "a: 1\n---\nb: 1",
        ] {
            let error = read(text, Allowed::default()).await.unwrap_err();
            assert!(!bulkhead_api::chain(&error).contains("hidden"), "{text}");
        }
    }
}
