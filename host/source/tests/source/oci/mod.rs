//! Registries: the real program behind a proxy that lies when told to.

mod faults;
mod keys;
mod layout;
mod login;
mod plugins;

use bulkhead_source::oci::{
    Keychain, PluginArtifact, Reference, Registry, RegistryConfig, Repository,
};
use bulkhead_testing::registry::{RegistryOptions, RegistryServer};

/// The smallest component: a header and nothing else.
pub(crate) const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// A registry for everyone, without TLS.
pub(crate) async fn server() -> RegistryServer {
    RegistryServer::start().await.unwrap()
}

pub(crate) async fn server_with(options: RegistryOptions) -> RegistryServer {
    RegistryServer::start_with(options).await.unwrap()
}

/// Settings to talk to `server` without TLS.
pub(crate) fn settings(server: &RegistryServer) -> RegistryConfig {
    RegistryConfig {
        plain_http_hosts: [server.host().to_owned()].into(),
        ..RegistryConfig::default()
    }
}

pub(crate) fn client(server: &RegistryServer) -> Registry {
    Registry::new(settings(server)).unwrap()
}

pub(crate) fn client_with(server: &RegistryServer, credentials: Keychain) -> Registry {
    Registry::new(RegistryConfig {
        credentials,
        ..settings(server)
    })
    .unwrap()
}

pub(crate) fn reference(server: &RegistryServer, rest: &str) -> Reference {
    Reference::parse(&format!("{}/{rest}", server.host())).unwrap()
}

pub(crate) fn repository(server: &RegistryServer, path: &str) -> Repository {
    Repository::parse(&format!("{}/{path}", server.host())).unwrap()
}

/// A component whose bytes end with `mark`.
pub(crate) fn artifact(mark: &str) -> PluginArtifact {
    PluginArtifact {
        wasm: [COMPONENT, mark.as_bytes()].concat().into(),
        exports: vec!["bulkhead:renderer/render@0.1.0".to_owned()],
        imports: vec!["bulkhead:base/tree@0.1.0".to_owned()],
        target: Some("bulkhead:renderer/renderer@0.1.0".to_owned()),
        annotations: [(
            "org.opencontainers.image.title".to_owned(),
            "test".to_owned(),
        )]
        .into(),
        ..PluginArtifact::default()
    }
}

/// The error of a result, as a condition shows it.
pub(crate) fn told<T: std::fmt::Debug>(
    result: Result<T, impl std::error::Error + 'static>,
) -> String {
    bulkhead_api::chain(&result.unwrap_err())
}
