//! Registries that lie, fail, hang, or are none.

use std::time::{Duration, Instant};

use bulkhead_api::Retry;
use bulkhead_source::oci::{Limits, OciError, PluginImage, Registry, RegistryConfig, media};
use bulkhead_testing::registry::{Fault, RegistryServer};

use super::{artifact, client, reference, repository, server, settings, told};

const MANIFESTS: &str = "/manifests/";
const BLOBS: &str = "GET /v2/team/plugin/blobs/";

/// A registry with one plugin.
async fn filled() -> RegistryServer {
    let server = server().await;
    let tag = reference(&server, "team/plugin:v1");
    client(&server)
        .push_plugin(&tag, &artifact("one"))
        .await
        .unwrap();
    server.take_requests();
    server
}

async fn pull(server: &RegistryServer, registry: &Registry) -> Result<PluginImage, OciError> {
    let resolved = registry
        .resolve(&reference(server, "team/plugin:v1"))
        .await?;
    registry.pull_plugin(&resolved).await
}

fn limited(server: &RegistryServer, limits: Limits) -> Registry {
    Registry::new(RegistryConfig {
        limits,
        ..settings(server)
    })
    .unwrap()
}

#[tokio::test]
async fn changed_bytes_are_refused() {
    let server = filled().await;
    let registry = client(&server);
    server.fail(MANIFESTS, Fault::Flip, None);
    let error = pull(&server, &registry).await;
    assert!(
        matches!(error, Err(OciError::DigestMismatch { .. })),
        "{error:?}"
    );
    assert!(told(error).contains("the manifest of"));
    server.heal();
    server.fail(BLOBS, Fault::Flip, None);
    let error = pull(&server, &registry).await;
    assert!(
        matches!(error, Err(OciError::DigestMismatch { .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn another_manifest_than_the_digest_says_is_refused() {
    let server = filled().await;
    let registry = client(&server);
    let pinned = repository(&server, "team/plugin").pinned(artifact("one").digest());
    let other = artifact("two").encode().1.to_vec();
    server.fail(
        MANIFESTS,
        Fault::Instead(media::MANIFEST.to_owned(), other),
        None,
    );
    let error = registry.resolve(&pinned).await;
    assert!(
        matches!(error, Err(OciError::DigestMismatch { .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn other_sizes_than_the_descriptor_says_are_refused() {
    let server = filled().await;
    let registry = client(&server);
    for fault in [Fault::Shorter, Fault::Longer, Fault::Endless] {
        server.heal();
        server.fail(BLOBS, fault.clone(), None);
        let started = Instant::now();
        let error = pull(&server, &registry).await;
        assert!(
            matches!(error, Err(OciError::SizeMismatch { .. })),
            "{fault:?}: {error:?}"
        );
        assert!(started.elapsed() < Duration::from_secs(5), "{fault:?}");
    }
}

#[tokio::test]
async fn a_manifest_past_its_limit_is_refused_and_one_at_it_is_not() {
    let server = filled().await;
    let exact = artifact("one").encode().1.len() as u64;
    let limit = |manifest_bytes| Limits {
        manifest_bytes,
        ..Limits::default()
    };
    assert!(pull(&server, &limited(&server, limit(exact))).await.is_ok());
    let error = pull(&server, &limited(&server, limit(exact - 1))).await;
    assert!(
        matches!(
            error,
            Err(OciError::Limit {
                limit: "manifest_bytes",
                ..
            })
        ),
        "{error:?}"
    );
    server.fail(MANIFESTS, Fault::Endless, None);
    let error = pull(&server, &client(&server)).await;
    assert!(
        matches!(
            error,
            Err(OciError::Limit {
                limit: "manifest_bytes",
                ..
            })
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_page_for_browsers_is_no_registry() {
    let server = filled().await;
    let registry = client(&server);
    server.fail(MANIFESTS, Fault::Page(200), None);
    let error = pull(&server, &registry).await;
    assert!(
        matches!(error, Err(OciError::NotRegistry { .. })),
        "{error:?}"
    );
    server.heal();
    server.fail(MANIFESTS, Fault::Page(404), None);
    let error = pull(&server, &registry).await;
    assert!(matches!(error, Err(OciError::NotFound { .. })), "{error:?}");
    let text = told(error);
    assert!(
        text.ends_with("404 Not Found (with a page for browsers)"),
        "{text}"
    );
}

#[tokio::test]
async fn other_documents_are_told() {
    let server = filled().await;
    let registry = client(&server);
    let old = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    let cases = [
        (
            old,
            "{}",
            "is of type `application/vnd.docker.distribution.manifest.v1+prettyjws`",
        ),
        (media::MANIFEST, "{", "the manifest of"),
        (
            media::MANIFEST,
            r#"{"schemaVersion":1}"#,
            "has schema version 1, and only 2 is read",
        ),
        (
            media::INDEX,
            r#"{"schemaVersion":2,"manifests":[],"layers":[]}"#,
            "is a manifest and an index at once",
        ),
    ];
    for (media_type, body, expected) in cases {
        server.heal();
        server.fail(
            MANIFESTS,
            Fault::Instead(media_type.to_owned(), body.into()),
            None,
        );
        let error = told(pull(&server, &registry).await);
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn refusals_keep_their_meaning() {
    let server = filled().await;
    let registry = limited(
        &server,
        Limits {
            retries: 0,
            ..Limits::default()
        },
    );
    let of = |fault: Fault| {
        server.heal();
        server.fail(MANIFESTS, fault, None);
        pull(&server, &registry)
    };
    let error = of(Fault::Code(403, "DENIED".to_owned())).await.unwrap_err();
    assert!(
        matches!(&error, OciError::Forbidden { answer, .. } if answer.contains("DENIED: on purpose")),
        "{error}"
    );
    let error = of(Fault::RetryAfter(429, 7)).await.unwrap_err();
    assert!(matches!(error, OciError::RateLimited { .. }), "{error}");
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    assert_eq!(error.advice().retry, Retry::Backoff);
    let error = of(Fault::Code(200, "x".to_owned())).await.unwrap_err();
    assert!(matches!(error, OciError::MediaType { .. }), "{error}");
    let error = of(Fault::Code(418, "TOOMANYREQUESTS".to_owned()))
        .await
        .unwrap_err();
    assert!(matches!(error, OciError::RateLimited { .. }), "{error}");
    let error = of(Fault::RetryAfter(503, 3)).await.unwrap_err();
    assert!(matches!(error, OciError::Unavailable { .. }), "{error}");
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3)));
    let error = of(Fault::RetryAfter(403, 9)).await.unwrap_err();
    assert!(matches!(error, OciError::RateLimited { .. }), "{error}");
    let error = of(Fault::Page(302)).await.unwrap_err();
    assert!(matches!(error, OciError::Redirect { .. }), "{error}");
}

#[tokio::test]
async fn what_passes_is_tried_again_after_the_pause_that_is_asked_for() {
    let server = filled().await;
    let registry = client(&server);
    server.fail(MANIFESTS, Fault::RetryAfter(429, 1), Some(1));
    let started = Instant::now();
    pull(&server, &registry).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1));
    server.fail(MANIFESTS, Fault::Page(502), Some(2));
    server.fail(BLOBS, Fault::Cut(3), Some(2));
    pull(&server, &registry).await.unwrap();
    server.take_requests();
    server.fail(MANIFESTS, Fault::RetryAfter(429, 3600), None);
    let started = Instant::now();
    let error = pull(&server, &registry).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)));
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "a long pause is for the caller"
    );
    assert_eq!(server.take_requests().len(), 1);
}

#[tokio::test]
async fn silence_ends() {
    let server = filled().await;
    let idle = limited(
        &server,
        Limits {
            idle: Duration::from_millis(200),
            retries: 0,
            ..Limits::default()
        },
    );
    server.fail(MANIFESTS, Fault::Silence, None);
    let error = pull(&server, &idle).await;
    assert!(matches!(error, Err(OciError::Timeout { .. })), "{error:?}");
    server.heal();
    server.fail(BLOBS, Fault::Stall(2), None);
    let error = pull(&server, &idle).await;
    assert!(matches!(error, Err(OciError::Timeout { .. })), "{error:?}");
    let whole = Registry::new(RegistryConfig {
        timeout: Duration::from_millis(300),
        ..settings(&server)
    })
    .unwrap();
    let error = told(pull(&server, &whole).await);
    assert!(error.contains("did not finish within 0.3s"), "{error}");
}

#[tokio::test]
async fn a_registry_that_is_not_there_is_told() {
    let server = filled().await;
    let registry = client(&server);
    let tag = reference(&server, "team/plugin:v1");
    drop(server);
    let error = registry.resolve(&tag).await;
    assert!(
        matches!(error, Err(OciError::Unreachable { .. })),
        "{error:?}"
    );
    assert!(told(error).starts_with(&format!("failed to reach {tag}: ")));
}

#[tokio::test]
async fn redirects_end() {
    let server = filled().await;
    let registry = client(&server);
    let base = format!("http://{}", server.host());
    server.fail(MANIFESTS, Fault::Redirect(307, base.clone()), Some(5));
    pull(&server, &registry).await.unwrap();
    server.fail(MANIFESTS, Fault::Redirect(307, base.clone()), Some(6));
    let error = pull(&server, &registry).await;
    assert!(
        matches!(
            error,
            Err(OciError::Limit {
                limit: "redirects",
                ..
            })
        ),
        "{error:?}"
    );
    server.heal();
    server.fail(
        MANIFESTS,
        Fault::Redirect(307, "ftp://127.0.0.1".to_owned()),
        None,
    );
    assert!(told(pull(&server, &registry).await).contains("it leads to `ftp:`"));
}

#[tokio::test]
async fn nothing_leads_to_the_credentials_of_the_machine() {
    let server = filled().await;
    let registry = client(&server);
    let base = "http://169.254.169.254".to_owned();
    server.fail(MANIFESTS, Fault::Redirect(307, base), None);
    let error = pull(&server, &registry).await.unwrap_err();
    assert!(matches!(error, OciError::Address { .. }), "{error}");
    assert_eq!(error.advice().retry, bulkhead_api::Retry::OnChange);
    let own = bulkhead_source::oci::Reference::parse("169.254.169.254/team/plugin:v1").unwrap();
    let error = registry.resolve(&own).await.unwrap_err();
    assert!(told::<()>(Err(error)).contains("may not be connected to"));
    // A name is judged when it is looked up.
    let refusing = Registry::new(RegistryConfig {
        admits: |_| false,
        ..settings(&server)
    });
    let port = server.host().rsplit(':').next().unwrap();
    let named = bulkhead_source::oci::Reference::parse(&format!("localhost:{port}/team/plugin:v1"))
        .unwrap();
    let error = refusing.unwrap().resolve(&named).await.unwrap_err();
    assert!(matches!(error, OciError::Address { .. }), "{error:?}");
}

#[tokio::test]
async fn a_push_is_not_led_away() {
    let server = filled().await;
    let elsewhere = super::server().await;
    server.fail(
        "POST",
        Fault::Redirect(307, format!("http://{}", elsewhere.host())),
        None,
    );
    let error = client(&server)
        .push_plugin(&reference(&server, "team/plugin:v2"), &artifact("two"))
        .await;
    assert!(matches!(error, Err(OciError::Redirect { .. })), "{error:?}");
    assert!(elsewhere.take_requests().is_empty());
}

#[tokio::test]
async fn tags_come_page_by_page_up_to_the_limit() {
    let server = filled().await;
    let registry = client(&server);
    for tag in ["v2", "v3"] {
        let tag = reference(&server, &format!("team/plugin:{tag}"));
        registry.push_plugin(&tag, &artifact("one")).await.unwrap();
    }
    let name = repository(&server, "team/plugin");
    let limit = |tags| Limits {
        tags,
        ..Limits::default()
    };
    let tags = limited(&server, limit(3)).tags(&name).await.unwrap();
    assert_eq!(tags, ["v1", "v2", "v3"]);
    let error = limited(&server, limit(2)).tags(&name).await;
    assert!(
        matches!(error, Err(OciError::Limit { limit: "tags", .. })),
        "{error:?}"
    );
    // Some registries give all tags on one page: 50,000 of 30 bytes are 1.7 MB.
    let all: Vec<String> = (0..50_000)
        .map(|at| format!("\"1.0.0-{at:024}\""))
        .collect();
    let page = format!("{{\"name\":\"x\",\"tags\":[{}]}}", all.join(","));
    let json = "application/json".to_owned();
    server.fail(
        "/tags/list",
        Fault::Instead(json.clone(), page.into_bytes()),
        Some(1),
    );
    assert_eq!(registry.tags(&name).await.unwrap().len(), 50_000);
    let page = vec![b' '; (8 << 20) + 1];
    server.fail("/tags/list", Fault::Instead(json, page), Some(1));
    let error = registry.tags(&name).await;
    assert!(
        matches!(
            error,
            Err(OciError::Limit {
                limit: "page_bytes",
                ..
            })
        ),
        "{error:?}"
    );
    server.fail("/tags/list", Fault::Page(200), None);
    assert!(matches!(
        registry.tags(&name).await,
        Err(OciError::NotRegistry { .. })
    ));
}
