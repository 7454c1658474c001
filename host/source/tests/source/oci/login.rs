//! Logins: who is let in, and where a login goes.

use std::sync::Arc;

use bulkhead_source::oci::{Keychain, Login, OciError, Registry, RegistryConfig};
use bulkhead_source::{ClientCertificate, Secret};
use bulkhead_testing::git::Authority;
use bulkhead_testing::registry::{
    Access, Fault, IDENTITY, PASSWORD, RegistryOptions, RegistryServer, USER,
};

use super::{artifact, client, client_with, reference, server, server_with, settings, told};

fn user(server: &RegistryServer) -> Keychain {
    Keychain::default().with(server.host(), Login::basic(USER, PASSWORD))
}

async fn with_access(access: Access) -> RegistryServer {
    server_with(RegistryOptions {
        access,
        ..RegistryOptions::default()
    })
    .await
}

#[tokio::test]
async fn a_password_lets_in_and_is_sent_only_when_asked_for() {
    let server = with_access(Access::Basic).await;
    let registry = client_with(&server, user(&server));
    let tag = reference(&server, "team/plugin:v1");
    registry.push_plugin(&tag, &artifact("one")).await.unwrap();
    let resolved = registry.resolve(&tag).await.unwrap();
    registry.pull_plugin(&resolved).await.unwrap();
    let asked = server.take_requests();
    assert_eq!(asked[0].authorization, None, "the first request finds out");
    assert!(
        asked[1]
            .authorization
            .as_deref()
            .unwrap()
            .starts_with("Basic ")
    );
    let error = client(&server).resolve(&tag).await;
    assert!(
        matches!(
            error,
            Err(OciError::Unauthorised {
                had_login: false,
                ..
            })
        ),
        "{error:?}"
    );
    let wrong = Keychain::default().with(server.host(), Login::basic(USER, "wrong"));
    let error = client_with(&server, wrong).resolve(&tag).await;
    assert!(
        matches!(
            error,
            Err(OciError::Unauthorised {
                had_login: true,
                ..
            })
        ),
        "{error:?}"
    );
    assert!(!told(error).contains("wrong"));
}

#[tokio::test]
async fn a_helper_that_is_not_run_is_named() {
    let server = with_access(Access::Basic).await;
    let config = format!(r#"{{"credHelpers":{{"{}":"cloud"}}}}"#, server.host());
    let keychain = Keychain::docker_config(config.as_bytes()).unwrap();
    let error = client_with(&server, keychain)
        .resolve(&reference(&server, "team/plugin:v1"))
        .await
        .unwrap_err();
    let hint = error.advice().hint.unwrap();
    assert!(hint.contains("credential helper `cloud`"), "{hint}");
}

#[tokio::test]
async fn tokens_are_fetched_once_for_reading_and_once_for_writing() {
    let server = with_access(Access::Token).await;
    let registry = client_with(&server, user(&server));
    let tag = reference(&server, "team/plugin:v1");
    registry.push_plugin(&tag, &artifact("one")).await.unwrap();
    let resolved = registry.resolve(&tag).await.unwrap();
    registry.pull_plugin(&resolved).await.unwrap();
    let asked = server.take_requests();
    let (tokens, others): (Vec<_>, Vec<_>) =
        asked.iter().partition(|r| r.target.starts_with("/token"));
    assert_eq!(tokens.len(), 2, "{tokens:?}");
    let is_basic = |text: &Option<String>| text.as_deref().is_some_and(|t| t.starts_with("Basic "));
    assert!(tokens.iter().all(|r| is_basic(&r.authorization)));
    assert!(
        others.iter().all(|r| !is_basic(&r.authorization)),
        "the password goes to the token service alone"
    );
}

#[tokio::test]
async fn identity_tokens_and_anonymous_tokens_work() {
    let server = with_access(Access::Token).await;
    let keychain = Keychain::default().with(server.host(), Login::Identity(Secret::new(IDENTITY)));
    let registry = client_with(&server, keychain);
    let public = reference(&server, "public/plugin:v1");
    let private = reference(&server, "team/plugin:v1");
    registry
        .push_plugin(&public, &artifact("one"))
        .await
        .unwrap();
    registry
        .push_plugin(&private, &artifact("one"))
        .await
        .unwrap();
    let anonymous = client(&server);
    anonymous.resolve(&public).await.unwrap();
    let error = anonymous.resolve(&private).await;
    assert!(
        matches!(error, Err(OciError::Unauthorised { .. })),
        "{error:?}"
    );
    let wrong = Keychain::default().with(server.host(), Login::Identity(Secret::new("stale")));
    let error = client_with(&server, wrong).resolve(&private).await;
    assert!(
        matches!(error, Err(OciError::Unauthorised { .. })),
        "{error:?}"
    );
    assert!(told(error).contains("token service"));
}

#[tokio::test]
async fn a_cached_plugin_is_authorised_again_for_each_login() {
    let server = with_access(Access::Token).await;
    let owner = client_with(&server, user(&server));
    let tag = reference(&server, "team/plugin:v1");
    owner.push_plugin(&tag, &artifact("one")).await.unwrap();
    let resolved = owner.resolve(&tag).await.unwrap();
    owner.authorise(&resolved).await.unwrap();
    let error = client(&server).authorise(&resolved).await;
    assert!(
        matches!(error, Err(OciError::Unauthorised { .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn no_login_follows_a_redirect_to_another_host() {
    for access in [Access::Basic, Access::Token] {
        let server = with_access(access).await;
        let elsewhere = super::server().await;
        let registry = client_with(&server, user(&server));
        let tag = reference(&server, "team/plugin:v1");
        registry.push_plugin(&tag, &artifact("one")).await.unwrap();
        client(&elsewhere)
            .push_plugin(&reference(&elsewhere, "team/plugin:v1"), &artifact("one"))
            .await
            .unwrap();
        elsewhere.take_requests();
        let resolved = registry.resolve(&tag).await.unwrap();
        let base = format!("http://{}", elsewhere.host());
        server.fail("/blobs/", Fault::Redirect(307, base), None);
        registry.pull_plugin(&resolved).await.unwrap();
        let seen = elsewhere.take_requests();
        assert_eq!(seen.len(), 2, "both blobs came from there");
        assert!(seen.iter().all(|r| r.authorization.is_none()), "{seen:?}");
        let own = server.take_requests();
        let own = own
            .iter()
            .filter(|r| r.method == "GET" && r.target.contains("/blobs/"));
        assert!(own.map(|r| &r.authorization).all(Option::is_some));
    }
}

#[tokio::test]
async fn a_login_demanded_by_another_host_is_not_given() {
    let server = server().await;
    let elsewhere = with_access(Access::Basic).await;
    let registry = client_with(&server, user(&server).and(user(&elsewhere)));
    let tag = reference(&server, "team/plugin:v1");
    registry.push_plugin(&tag, &artifact("one")).await.unwrap();
    let resolved = registry.resolve(&tag).await.unwrap();
    server.fail(
        "GET /v2/team/plugin/blobs/",
        Fault::Redirect(302, format!("http://{}", elsewhere.host())),
        None,
    );
    let error = registry.pull_plugin(&resolved).await;
    assert!(
        matches!(error, Err(OciError::Unauthorised { .. })),
        "{error:?}"
    );
    assert!(
        elsewhere
            .take_requests()
            .iter()
            .all(|r| r.authorization.is_none())
    );
}

fn secure(authority: &Authority) -> RegistryConfig {
    RegistryConfig {
        authority: Some(authority.certificate.clone()),
        ..RegistryConfig::default()
    }
}

#[tokio::test]
async fn tls_needs_the_authority_and_can_ask_for_a_certificate() {
    let authority = Arc::new(Authority::new().unwrap());
    let server = server_with(RegistryOptions {
        authority: Some(authority.clone()),
        asks_for_certificate: true,
        ..RegistryOptions::default()
    })
    .await;
    let tag = reference(&server, "team/plugin:v1");
    let own = ClientCertificate {
        chain: authority.client_certificate.clone(),
        key: Secret::new(String::from_utf8(authority.client_key.clone()).unwrap()),
    };
    let registry = Registry::new(RegistryConfig {
        client_certificate: Some(own),
        ..secure(&authority)
    })
    .unwrap();
    registry.push_plugin(&tag, &artifact("one")).await.unwrap();
    assert!(
        Registry::new(secure(&authority))
            .unwrap()
            .resolve(&tag)
            .await
            .is_err(),
        "no certificate to show"
    );
    let error = Registry::new(RegistryConfig::default())
        .unwrap()
        .resolve(&tag)
        .await;
    assert!(
        matches!(error, Err(OciError::Certificate { .. })),
        "{error:?}"
    );
    let error = Registry::new(RegistryConfig {
        authority: Some(b"nothing".to_vec()),
        ..RegistryConfig::default()
    });
    assert!(told(error).contains("`ca.crt` holds no certificate"));
}

#[tokio::test]
async fn plain_http_is_spoken_only_when_allowed() {
    let server = server().await;
    let tag = reference(&server, "team/plugin:v1");
    let error = Registry::new(RegistryConfig::default())
        .unwrap()
        .resolve(&tag)
        .await;
    assert!(
        matches!(error, Err(OciError::Certificate { .. })),
        "{error:?}"
    );
    assert!(
        error
            .unwrap_err()
            .advice()
            .hint
            .unwrap()
            .contains("plain http")
    );
    assert!(server.take_requests().is_empty());
    let registry = Registry::new(settings(&server)).unwrap();
    assert!(matches!(
        registry.resolve(&tag).await,
        Err(OciError::NotFound { .. })
    ));
}

#[tokio::test]
async fn a_registry_with_tls_does_not_lead_to_one_without() {
    let authority = Arc::new(Authority::new().unwrap());
    let server = server_with(RegistryOptions {
        authority: Some(authority.clone()),
        ..RegistryOptions::default()
    })
    .await;
    let registry = Registry::new(secure(&authority)).unwrap();
    let tag = reference(&server, "team/plugin:v1");
    registry.push_plugin(&tag, &artifact("one")).await.unwrap();
    server.fail(
        "/manifests/",
        Fault::Redirect(302, "http://127.0.0.1:1".to_owned()),
        None,
    );
    let error = registry.resolve(&tag).await;
    assert!(matches!(error, Err(OciError::Redirect { .. })), "{error:?}");
    assert!(told(error).contains("it leads from https to http://127.0.0.1:1"));
}
