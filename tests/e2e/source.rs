//! GitRepository: from a Git server to an artifact.

use anyhow::Result;
use bulkhead_api::Digest;
use bulkhead_api::source::GitRepository;
use bulkhead_testing::git::{Fault, HttpServer, Repository, SshServer};

use crate::manager::{http_get, world};
use crate::space::{Space, condition, config_map, ready};

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_commit_over_http_becomes_an_artifact_that_is_served() -> Result<()> {
    let world = world().await?;
    let space = Space::new(world.cluster, "http").await?;
    let git = Repository::with_files([("a.yaml", config_map("a", "1").as_str())])?;
    let server = HttpServer::start(&git).await?;
    space.repository("app", server.url()).await?;
    let first = space.fetched("app", &git.head()?).await?;
    assert_eq!(first.status.observed_generation, 1);
    assert_eq!(
        first.metadata.finalizers.as_deref(),
        Some(&["finalizers.fluxcd.io".to_owned()][..])
    );
    let stored = condition(&first.status.conditions, "ArtifactInStorage").unwrap();
    let revision = format!("main@sha1:{}", git.head()?);
    assert_eq!(
        stored.message,
        format!("stored artifact for revision '{revision}'")
    );
    let artifact = first.status.artifact.unwrap();
    let (_, address) = artifact.url.split_once("//").unwrap();
    let (host, path) = address.split_once('/').unwrap();
    let port = host.rsplit_once(':').unwrap().1.parse()?;
    assert_eq!(
        format!("/{path}"),
        format!(
            "/gitrepository/{}/app/{}.tar.gz",
            space.namespace,
            git.head()?
        )
    );
    assert_eq!(path, artifact.path);
    let digest = fetch(port, &format!("/{path}"))?;
    assert_eq!(artifact.digest, digest.to_string());
    space.event("app", "NewArtifact", &git.head()?).await?;

    git.write("a.yaml", config_map("a", "2"))?;
    let second = git.commit("change a")?;
    space.fetched("app", &second).await?;
    // A head that does not move costs a listing, and writes nothing.
    let before = space.fetched("app", &second).await?;
    server.take_requests();
    while server
        .take_requests()
        .iter()
        .filter(|request| request.is_ls_refs())
        .count()
        == 0
    {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let after = space.fetched("app", &second).await?;
    assert_eq!(
        before.metadata.resource_version,
        after.metadata.resource_version
    );
    assert!(
        !server
            .take_requests()
            .iter()
            .any(|request| request.is_fetch())
    );
    Ok(())
}

/// Digests the body of an answer.
fn fetch(port: u16, path: &str) -> Result<Digest> {
    use std::io::{Read, Write};
    assert!(http_get(port, path)?.starts_with("HTTP/1.1 200"));
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let head = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    Ok(Digest::of(&answer[head + 4..]))
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_commit_over_ssh_needs_the_right_key_of_the_host() -> Result<()> {
    let world = world().await?;
    let space = Space::new(world.cluster, "ssh").await?;
    let git = Repository::with_files([("a.yaml", config_map("a", "1").as_str())])?;
    let server = SshServer::start(&git)?;
    let keys = [
        ("identity", &*server.identity),
        ("known_hosts", &*server.known_hosts),
    ];
    space.secret("login", &keys).await?;
    let other = SshServer::start(&git)?;
    let wrong = other
        .known_hosts
        .replace(&other.port().to_string(), &server.port().to_string());
    space
        .secret(
            "wrong",
            &[("identity", &server.identity), ("known_hosts", &wrong)],
        )
        .await?;
    let with_secret = async |name: &str, secret: &str| {
        let secret = Some(bulkhead_api::meta::LocalObjectReference {
            name: secret.to_owned(),
        });
        space
            .repository_with(name, server.url(), |spec| spec.secret_ref = secret)
            .await
    };
    with_secret("app", "login").await?;
    with_secret("mismatch", "wrong").await?;
    with_secret("missing", "nothing").await?;
    space.fetched("app", &git.head()?).await?;
    let message = space
        .fetch_fails("mismatch", "AuthenticationFailed")
        .await?;
    assert!(message.contains(&server.fingerprint), "{message}");
    let message = space.fetch_fails("missing", "AuthenticationFailed").await?;
    assert!(
        message.contains(&format!("'{}/nothing'", space.namespace)),
        "{message}"
    );
    for secret in [&server.identity, "OPENSSH PRIVATE KEY"] {
        assert!(!world.manager.log().contains(secret));
    }
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_server_that_fails_costs_nothing_but_a_condition() -> Result<()> {
    let world = world().await?;
    let space = Space::new(world.cluster, "outage").await?;
    let git = Repository::with_files([("a.yaml", config_map("a", "1").as_str())])?;
    let server = HttpServer::start(&git).await?;
    space.repository("app", server.url()).await?;
    let before = space.fetched("app", &git.head()?).await?;
    server.fail(Some(Fault::Status(503)));
    space.request::<GitRepository>("app", "first").await?;
    space.fetch_fails("app", "GitOperationFailed").await?;
    let failed = space
        .wait(
            "app",
            "told that the request was handled",
            |found: &GitRepository| {
                found.status.last_handled_reconcile_at.as_deref() == Some("first")
            },
        )
        .await?;
    assert_eq!(
        failed.status.artifact, before.status.artifact,
        "the last good one stays"
    );
    assert_eq!(
        condition(&failed.status.conditions, "FetchFailed")
            .unwrap()
            .status,
        "True"
    );
    assert_eq!(
        condition(&failed.status.conditions, "Reconciling")
            .unwrap()
            .reason,
        "ProgressingWithRetry"
    );
    assert!(condition(&failed.status.conditions, "Stalled").is_none());
    server.fail(None);
    let healed = space.fetched("app", &git.head()?).await?;
    assert!(condition(&healed.status.conditions, "FetchFailed").is_none());
    space.event("app", "Succeeded", "stored artifact").await?;
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_suspended_source_is_left_alone_and_a_deleted_one_goes() -> Result<()> {
    let world = world().await?;
    let space = Space::new(world.cluster, "suspend").await?;
    let git = Repository::with_files([("a.yaml", config_map("a", "1").as_str())])?;
    let server = HttpServer::start(&git).await?;
    space.repository("app", server.url()).await?;
    let first = git.head()?;
    space.fetched("app", &first).await?;
    let suspend = |suspend: bool| serde_json::json!({ "spec": { "suspend": suspend } });
    space.patch::<GitRepository>("app", suspend(true)).await?;
    git.write("a.yaml", config_map("a", "2"))?;
    let second = git.commit("change a")?;
    space
        .request::<GitRepository>("app", "while-suspended")
        .await?;
    let found = space
        .wait(
            "app",
            "told that the request was handled",
            |found: &GitRepository| {
                found.status.last_handled_reconcile_at.as_deref() == Some("while-suspended")
            },
        )
        .await?;
    assert!(found.status.artifact.unwrap().revision.ends_with(&first));
    space.patch::<GitRepository>("app", suspend(false)).await?;
    let found = space.fetched("app", &second).await?;
    assert_eq!(ready(&found.status.conditions).unwrap().reason, "Succeeded");
    space.delete::<GitRepository>("app").await?;
    space.wait_gone::<GitRepository>("app").await
}
