//! Repositories over HTTP: logins, redirects, compression, certificates, and servers that misbehave.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bulkhead_api::Digest;
use bulkhead_source::helm::index::{ChartVersion, store};
use bulkhead_source::helm::{ChartLocation, HelmError, HttpRepository, Limits, RepositoryConfig};
use bulkhead_source::{ClientCertificate, Credentials, Secret};
use bulkhead_testing::files::{FileOptions, FileServer};
use bulkhead_testing::git::{Authority, Login};
use bulkhead_testing::registry::Fault;

use super::{Folder, packed, told};

const INDEX: &str = "apiVersion: v1\nentries: {}\n";

fn basic() -> Credentials {
    Credentials::Basic {
        username: "user".to_owned(),
        password: Secret::new("pass"),
    }
}

fn client(url: &str, change: impl FnOnce(&mut RepositoryConfig)) -> HttpRepository {
    let mut config = RepositoryConfig::new(url);
    change(&mut config);
    HttpRepository::new(&config).unwrap()
}

async fn fetched(repository: &HttpRepository) -> Result<(Digest, String), HelmError> {
    let mut file = tempfile::tempfile().unwrap();
    let raw = repository.fetch_index(&mut file).await?;
    let mut text = String::new();
    std::io::Seek::rewind(&mut file).unwrap();
    std::io::Read::read_to_string(&mut file, &mut text).unwrap();
    assert_eq!(raw.size_bytes, text.len() as u64);
    Ok((raw.revision, text))
}

/// Makes an index of one chart whose URL is `url`, and chooses its version.
fn version(url: &str, digest: &str) -> ChartVersion {
    let text = format!(
        "apiVersion: v1\nentries:\n  a:\n  - {{name: a, version: 1.0.0, urls: ['{url}'], digest: '{digest}'}}\n"
    );
    let mut out = Vec::new();
    let mut spool = tempfile::tempfile().unwrap();
    let limits = Limits::default();
    let mut raw = std::io::Cursor::new(text);
    let index = store(&mut raw, &mut spool, &mut out, &limits).unwrap();
    let mut out = std::io::Cursor::new(out);
    index.directory.choose("x", &mut out, "a", "").unwrap()
}

async fn pulled(repository: &HttpRepository, version: &ChartVersion) -> Result<Vec<u8>, HelmError> {
    match repository.locate(version)? {
        ChartLocation::Web(url) => repository.download(version, &url).await,
        ChartLocation::Registry(reference) => panic!("{reference}"),
    }
}

#[tokio::test]
async fn an_index_is_fetched_and_its_digest_is_the_revision() {
    let folder = Folder::new(&[("charts/index.yaml", INDEX)]);
    for compresses in [false, true] {
        let options = FileOptions {
            compresses,
            ..FileOptions::default()
        };
        let server = FileServer::start_with(folder.home.path(), options)
            .await
            .unwrap();
        for url in ["/charts", "/charts/"] {
            let repository = client(&format!("{}{url}", server.url()), |_| {});
            let (revision, text) = fetched(&repository).await.unwrap();
            assert_eq!(text, INDEX);
            assert_eq!(revision, Digest::of(INDEX));
        }
        let seen = server.take_requests();
        assert!(seen.iter().all(|seen| seen.target == "/charts/index.yaml"));
    }
}

#[tokio::test]
async fn a_login_is_sent_to_its_own_host_alone() {
    let folder = Folder::new(&[("index.yaml", INDEX)]);
    let chart = packed("a", "1.0.0");
    folder.write("a.tgz", &chart);
    let options = || FileOptions {
        login: Login::Basic("user".to_owned(), "pass".to_owned()),
        ..FileOptions::default()
    };
    let own = FileServer::start_with(folder.home.path(), options())
        .await
        .unwrap();
    let other = FileServer::start_with(folder.home.path(), options())
        .await
        .unwrap();
    let elsewhere = version(&format!("{}/a.tgz", other.url()), "");

    let repository = client(own.url(), |config| config.credentials = basic());
    fetched(&repository).await.unwrap();
    assert_eq!(
        pulled(&repository, &version("a.tgz", "")).await.unwrap(),
        chart
    );
    let error = pulled(&repository, &elsewhere).await.unwrap_err();
    assert!(
        matches!(
            &error,
            HelmError::Unauthorised {
                had_login: false,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.advice().hint.unwrap().contains("passCredentials"));
    assert!(other.take_requests()[0].authorization.is_none());

    let passes = client(own.url(), |config| {
        config.credentials = basic();
        config.pass_credentials = true;
    });
    assert_eq!(pulled(&passes, &elsewhere).await.unwrap(), chart);
    other.take_requests();

    // Neither follows a redirect.
    own.fail(
        "GET /a.tgz",
        Fault::Redirect(302, other.url().to_owned()),
        None,
    );
    for repository in [&repository, &passes] {
        let error = pulled(repository, &version("a.tgz", "")).await.unwrap_err();
        assert!(matches!(error, HelmError::Unauthorised { .. }), "{error}");
    }
    let seen = other.take_requests();
    assert!(seen.iter().all(|seen| seen.authorization.is_none()));
    assert_eq!(seen.len(), 2);

    let (_, address) = own.url().split_once("//").unwrap();
    let in_url = client(&format!("http://user:pass@{address}"), |_| {});
    fetched(&in_url).await.unwrap();
    assert!(!in_url.place().contains("pass"), "{}", in_url.place());

    let anyone = client(own.url(), |_| {});
    let error = fetched(&anyone).await.unwrap_err();
    assert_eq!(error.advice().reason, "AuthenticationFailed");
    let wrong = client(own.url(), |config| {
        config.credentials = Credentials::Basic {
            username: "user".to_owned(),
            password: Secret::new("secret-of-mine"),
        }
    });
    let error = fetched(&wrong).await.unwrap_err();
    assert!(!told(&error).contains("secret-of-mine"), "{}", told(&error));
}

#[tokio::test]
async fn a_token_is_a_login_too() {
    let folder = Folder::new(&[("index.yaml", INDEX)]);
    let options = FileOptions {
        login: Login::Bearer("t0ken".to_owned()),
        ..FileOptions::default()
    };
    let server = FileServer::start_with(folder.home.path(), options)
        .await
        .unwrap();
    let repository = client(server.url(), |config| {
        config.credentials = Credentials::Bearer(Secret::new("t0ken"));
    });
    fetched(&repository).await.unwrap();
}

#[tokio::test]
async fn certificates_are_checked_and_shown() {
    let folder = Folder::new(&[("index.yaml", INDEX)]);
    folder.write("a.tgz", &packed("a", "1.0.0"));
    let authority = Arc::new(Authority::new().unwrap());
    let options = || FileOptions {
        authority: Some(authority.clone()),
        asks_for_certificate: true,
        ..FileOptions::default()
    };
    let server = FileServer::start_with(folder.home.path(), options())
        .await
        .unwrap();
    let error = fetched(&client(server.url(), |_| {})).await.unwrap_err();
    assert!(matches!(error, HelmError::Certificate { .. }), "{error}");
    assert_eq!(error.advice().reason, "AuthenticationFailed");
    let trusts = |config: &mut RepositoryConfig| {
        config.authority = Some(authority.certificate.clone());
    };
    assert!(fetched(&client(server.url(), trusts)).await.is_err());
    let shows = |config: &mut RepositoryConfig| {
        trusts(config);
        config.client_certificate = Some(ClientCertificate {
            chain: authority.client_certificate.clone(),
            key: Secret::new(String::from_utf8(authority.client_key.clone()).unwrap()),
        });
    };
    fetched(&client(server.url(), shows)).await.unwrap();
    // Another host is not shown the certificate, unless logins are passed on.
    let other = FileServer::start_with(folder.home.path(), options())
        .await
        .unwrap();
    let elsewhere = version(&format!("{}/a.tgz", other.url()), "");
    assert!(
        pulled(&client(server.url(), shows), &elsewhere)
            .await
            .is_err()
    );
    let passes = client(server.url(), |config| {
        shows(config);
        config.pass_credentials = true;
    });
    pulled(&passes, &elsewhere).await.unwrap();
    let broken = RepositoryConfig {
        authority: Some(b"no".to_vec()),
        ..RepositoryConfig::new(server.url())
    };
    let error = HttpRepository::new(&broken).err().unwrap();
    assert!(told(&error).contains("`ca.crt`"), "{}", told(&error));
}

#[tokio::test]
async fn a_chart_has_the_digest_of_its_index() {
    let folder = Folder::new(&[("index.yaml", INDEX)]);
    let chart = packed("a", "1.0.0");
    folder.write("a.tgz", &chart);
    let options = FileOptions {
        calls_charts_compressed: true,
        ..FileOptions::default()
    };
    let server = FileServer::start_with(folder.home.path(), options)
        .await
        .unwrap();
    let repository = client(server.url(), |_| {});
    let right = Digest::of(&chart);
    for digest in [right.to_string(), right.to_hex(), "sha1:00".to_owned()] {
        let version = version("a.tgz", &digest);
        assert_eq!(pulled(&repository, &version).await.unwrap(), chart);
    }
    server.fail("a.tgz", Fault::Flip, Some(1));
    let version = version("a.tgz", &right.to_hex());
    let error = pulled(&repository, &version).await.unwrap_err();
    assert!(matches!(error, HelmError::DigestMismatch { .. }), "{error}");
}

#[tokio::test]
async fn servers_that_misbehave_are_named_and_left() {
    let long = format!("{INDEX}# {}\n", "x".repeat(1000));
    let folder = Folder::new(&[("index.yaml", &long)]);
    let server = FileServer::start(folder.home.path()).await.unwrap();
    let repository = client(server.url(), |config| {
        config.limits.idle = Duration::from_millis(300);
        config.limits.redirects = 3;
    });
    let base = server.url().to_owned();
    let cases = [
        (Fault::Silence, "did not send a byte within 0.3s"),
        (Fault::Stall(20), "did not send a byte within 0.3s"),
        (Fault::Cut(20), "failed to reach"),
        (Fault::Page(200), "with a web page instead of an index"),
        (Fault::Page(404), "answered with 404 Not Found"),
        (Fault::Page(500), "answered with 500"),
        (Fault::Page(403), "needs a login, or refused it: 403"),
        (Fault::RetryAfter(429, 7), "is not available for now: 429"),
        (Fault::RetryAfter(403, 7), "is not available for now: 403"),
        (
            Fault::Redirect(302, base),
            "past the limit `redirects` of 3",
        ),
        (
            Fault::Redirect(302, "ftp://a.b".to_owned()),
            "leads to no web address",
        ),
        (
            Fault::Redirect(302, "http://169.254.169.254".to_owned()),
            "has the address 169.254.169.254, which may not be connected to",
        ),
    ];
    for (fault, expected) in cases {
        server.heal();
        server.fail("index.yaml", fault.clone(), None);
        let start = Instant::now();
        let error = fetched(&repository).await.unwrap_err();
        assert!(
            told(&error).contains(expected),
            "{fault:?}: {}",
            told(&error)
        );
        assert!(start.elapsed() < Duration::from_secs(5), "{fault:?}");
        if matches!(fault, Fault::RetryAfter(..)) {
            assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
        }
    }
    server.heal();
    server.fail("index.yaml", Fault::Endless, None);
    let short = client(server.url(), |config| config.limits.index_bytes = 100_000);
    let error = fetched(&short).await.unwrap_err();
    assert!(
        matches!(
            error,
            HelmError::Limit {
                limit: "index_bytes",
                ..
            }
        ),
        "{error}"
    );
    server.heal();
    server.fail("index.yaml", Fault::Stall(20), None);
    let hasty = client(server.url(), |config| {
        config.timeout = Duration::from_millis(200);
    });
    let error = fetched(&hasty).await.unwrap_err();
    assert!(
        told(&error).contains("did not finish within 0.2s"),
        "{error}"
    );
}

#[tokio::test]
async fn what_comes_may_be_as_large_as_its_limit_and_no_larger() {
    let folder = Folder::new(&[("index.yaml", INDEX)]);
    let chart = packed("a", "1.0.0");
    folder.write("a.tgz", &chart);
    for compresses in [false, true] {
        let options = FileOptions {
            compresses,
            ..FileOptions::default()
        };
        let server = FileServer::start_with(folder.home.path(), options)
            .await
            .unwrap();
        let with = |index: u64, chart: u64| {
            client(server.url(), |config| {
                config.limits.index_bytes = index;
                config.limits.chart_bytes = chart;
            })
        };
        let (index, size) = (INDEX.len() as u64, chart.len() as u64);
        assert!(fetched(&with(index, size)).await.is_ok());
        assert!(fetched(&with(index - 1, size)).await.is_err());
        let version = version("a.tgz", "");
        assert!(pulled(&with(index, size), &version).await.is_ok());
        assert!(pulled(&with(index, size - 1), &version).await.is_err());
    }
}

#[tokio::test]
async fn an_entry_without_a_usable_url_is_told() {
    let folder = Folder::new(&[]);
    let server = FileServer::start(folder.home.path()).await.unwrap();
    let repository = client(server.url(), |_| {});
    for url in ["file:///etc/passwd", "ftp://a.b/c.tgz"] {
        let error = repository.locate(&version(url, "")).unwrap_err();
        assert!(matches!(error, HelmError::NoUrl { .. }), "{url}: {error}");
    }
    let version = version("oci://a.b/c/d:1.0.0", "");
    assert!(matches!(
        repository.locate(&version).unwrap(),
        ChartLocation::Registry(reference) if reference.to_string() == "a.b/c/d:1.0.0"
    ));
}
