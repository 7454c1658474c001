//! Git over SSH: keys, passphrases, and hosts that are not who they should be.

use bulkhead_source::{Credentials, FetchError, GitRequest, Secret};
use bulkhead_testing::git::{Repository, SshOptions, SshServer};

use super::{error, home, new, request, text};

pub(crate) fn credentials(identity: &str, known_hosts: &str) -> Credentials {
    Credentials::Ssh {
        identity: Secret::new(identity),
        known_hosts: known_hosts.to_owned(),
        password: None,
    }
}

fn login(server: &SshServer) -> GitRequest {
    GitRequest {
        credentials: credentials(&server.identity, &server.known_hosts),
        ..request(server.url())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_key_gets_in() {
    let repository = Repository::with_files([("a", "1")]).unwrap();
    for (key_type, host_key_type) in [("ed25519", "ecdsa"), ("ecdsa", "rsa"), ("rsa", "ed25519")] {
        let options = SshOptions {
            key_type,
            host_key_type,
            ..Default::default()
        };
        let server = SshServer::start_with(&repository, &options).unwrap();
        assert_eq!(
            text(&new(&home(), &login(&server)).await, "a"),
            "1",
            "{key_type}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passphrase_opens_the_key() {
    let repository = Repository::with_files([("a", "1")]).unwrap();
    let options = SshOptions {
        passphrase: "open sesame",
        ..Default::default()
    };
    let server = SshServer::start_with(&repository, &options).unwrap();
    let mut request = login(&server);
    let locked = error(&home(), &request).await;
    assert!(
        locked
            .to_string()
            .contains("is encrypted, and the secret has no `password`"),
        "{locked}"
    );
    for (passphrase, opens) in [("wrong", false), ("open sesame", true)] {
        if let Credentials::Ssh { password, .. } = &mut request.credentials {
            *password = Some(Secret::new(passphrase));
        }
        let result = home().store.fetch(&request, None).await;
        assert_eq!(result.is_ok(), opens, "{passphrase}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_must_be_known() {
    let repository = Repository::with_files([("a", "1")]).unwrap();
    let (server, other) = (
        SshServer::start(&repository).unwrap(),
        SshServer::start(&repository).unwrap(),
    );
    let mut request = login(&server);
    let line = other.known_hosts.split_once(' ').unwrap().1;
    request.credentials = credentials(
        &server.identity,
        &format!("[127.0.0.1]:{} {line}", server.port()),
    );
    match error(&home(), &request).await {
        FetchError::HostKeyMismatch {
            offered, expected, ..
        } => {
            assert_eq!(
                (offered, expected),
                (server.fingerprint.clone(), other.fingerprint.clone())
            );
        }
        other => panic!("{other}"),
    }
    request.credentials = credentials(&server.identity, &other.known_hosts);
    match error(&home(), &request).await {
        error @ FetchError::HostUnknown { .. } => {
            assert!(error.to_string().contains(&server.fingerprint), "{error}");
            assert_eq!(error.advice().reason, "AuthenticationFailed");
        }
        other => panic!("{other}"),
    }
    request.credentials = credentials(&server.identity, "\n");
    assert!(
        error(&home(), &request)
            .await
            .to_string()
            .ends_with("the secret has no `known_hosts`")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_fails_says_why() {
    let repository = Repository::with_files([("a", "1")]).unwrap();
    let server = SshServer::start(&repository).unwrap();
    let stranger = SshServer::start(&repository).unwrap().identity.clone();
    let mut request = login(&server);
    request.credentials = credentials(&stranger, &server.known_hosts);
    assert!(matches!(
        error(&home(), &request).await,
        FetchError::Refused { .. }
    ));
    request.credentials = credentials("no key", &server.known_hosts);
    assert!(
        error(&home(), &request)
            .await
            .to_string()
            .ends_with("`identity` is not a private key")
    );
    request.credentials = Credentials::None;
    assert!(matches!(
        error(&home(), &request).await,
        FetchError::Credentials { .. }
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_repository_is_named() {
    let repository = Repository::with_files([("a", "1")]).unwrap();
    let server = SshServer::start(&repository).unwrap();
    let missing = GitRequest { ..login(&server) };
    let missing = GitRequest {
        location: request(&format!("{}-not", server.url())).location,
        ..missing
    };
    let error = error(&home(), &missing).await;
    assert!(matches!(error, FetchError::NotFound(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_protocol_will_do() {
    let repository = Repository::with_files([("a", "1")]).unwrap();
    let options = SshOptions {
        first_protocol: true,
        ..Default::default()
    };
    let server = SshServer::start_with(&repository, &options).unwrap();
    let (home, request) = (home(), login(&server));
    let first = new(&home, &request).await;
    assert!(home.is_unchanged(&request, &first.revision).await);
    repository.write("a", "2").unwrap();
    repository.commit("second").unwrap();
    assert_eq!(text(&new(&home, &request).await, "a"), "2");
}
