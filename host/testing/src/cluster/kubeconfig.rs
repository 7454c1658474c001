//! The kubeconfig of the administrator, and the API server's certificates.

use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::ADMIN_TOKEN;
use super::programs::certificate_dir;

/// Writes `<dir>/kubeconfig` and returns the certificates (DER) that the API server is trusted by.
#[allow(clippy::disallowed_methods, reason = "the test's own temporary folder")]
pub(super) fn write(dir: &Path, port: u16) -> Result<Vec<Vec<u8>>> {
    let path = certificate_dir(dir).join("apiserver.crt");
    let pem = std::fs::read_to_string(path).context("failed to read the serving certificate")?;
    let config = format!(
        "apiVersion: v1
kind: Config
current-context: bulkhead
clusters:
- name: bulkhead
  cluster:
    server: https://127.0.0.1:{port}
    certificate-authority-data: {}
users:
- name: admin
  user:
    token: {ADMIN_TOKEN}
contexts:
- name: bulkhead
  context:
    cluster: bulkhead
    user: admin
",
        STANDARD.encode(&pem)
    );
    std::fs::write(dir.join("kubeconfig"), config)?;
    certificates(&pem)
}

fn certificates(pem: &str) -> Result<Vec<Vec<u8>>> {
    let blocks = pem.split("-----BEGIN CERTIFICATE-----").skip(1);
    let bodies = blocks.filter_map(|block| block.split("-----END").next());
    bodies
        .map(|body| {
            let text: String = body.split_whitespace().collect();
            STANDARD
                .decode(text)
                .context("the serving certificate is not PEM")
        })
        .collect()
}
