//! Logins over HTTP: who gets in, what an error says, and where a credential never goes.

use std::sync::Arc;

use bulkhead_source::{Credentials, FetchError, GitRequest, Secret};
use bulkhead_testing::git::{Authority, Fault, HttpOptions, HttpServer, Login, Repository};

use super::{error, home, new, request};

const CANARY: &str = "canary-5f1c";

fn basic(request: &mut GitRequest, username: &str) {
    request.credentials = Credentials::Basic {
        username: username.to_owned(),
        password: Secret::new(CANARY),
    };
}

fn assert_masked(error: &FetchError) {
    for text in [
        bulkhead_api::chain(error),
        format!("{error:?}"),
        format!("{:?}", error.advice()),
    ] {
        assert!(!text.contains(CANARY), "{text}");
    }
}

async fn server(repository: &Repository, login: Login) -> HttpServer {
    HttpServer::start_with(
        repository,
        HttpOptions {
            login,
            ..Default::default()
        },
    )
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_right_login_gets_in() {
    let repository = Repository::with_files([("a", "1")]).unwrap();
    let server = server(&repository, Login::Basic("me".into(), CANARY.into())).await;
    let mut with_secret = request(server.url());
    basic(&mut with_secret, "me");
    new(&home(), &with_secret).await;
    let in_url = request(&server.url().replace("://", &format!("://me:{CANARY}@")));
    new(&home(), &in_url).await;

    let anonymous = error(&home(), &request(server.url())).await;
    assert_eq!(anonymous.advice().reason, "AuthenticationFailed");
    let wrong = error(
        &home(),
        &request(&server.url().replace("://", &format!("://you:{CANARY}@"))),
    )
    .await;
    assert!(matches!(wrong, FetchError::Refused { .. }));
    assert_masked(&wrong);
    let mut nameless = request(server.url());
    basic(&mut nameless, "");
    let nameless = error(&home(), &nameless).await;
    assert!(matches!(nameless, FetchError::Credentials { .. }));
    assert_masked(&nameless);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bearer_token_gets_in() {
    let repository = Repository::with_files([("a", "1")]).unwrap();
    let server = server(&repository, Login::Bearer(CANARY.into())).await;
    let mut request = request(server.url());
    request.credentials = Credentials::Bearer(Secret::new(CANARY));
    new(&home(), &request).await;
    assert!(!format!("{request:?}").contains(CANARY));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_gets_no_login() {
    let repository = Repository::with_files([("a", "1")]).unwrap();
    let (own, other) = (
        server(&repository, Login::Anyone).await,
        server(&repository, Login::Anyone).await,
    );
    for status in [301, 302, 307, 308] {
        own.fail(Some(Fault::Redirect(status, other.base().to_owned())));
        let mut request = request(own.url());
        basic(&mut request, "me");
        new(&home(), &request).await;
        assert!(
            own.take_requests()
                .iter()
                .all(|request| request.authorization.is_some())
        );
        let followed = other.take_requests();
        assert!(followed.len() >= 3);
        assert!(
            followed
                .iter()
                .all(|request| request.authorization.is_none()),
            "{status}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_redirects_are_refused() {
    let repository = Repository::with_files([("a", "1")]).unwrap();
    let authority = Arc::new(Authority::new().unwrap());
    let options = HttpOptions {
        authority: Some(authority.clone()),
        ..Default::default()
    };
    let own = HttpServer::start_with(&repository, options).await.unwrap();
    let mut request = request(own.url());
    request.authority = Some(authority.certificate.clone());
    basic(&mut request, "me");
    for target in [
        "http://127.0.0.1:1",
        "file:///etc",
        "ssh://host",
        &format!("https://me:{CANARY}@127.0.0.1:1"),
        "https://127.0.0.1:1/login?next=",
    ] {
        own.fail(Some(Fault::Redirect(301, target.to_owned())));
        let error = error(&home(), &request).await;
        assert!(
            matches!(error, FetchError::Redirect { .. }),
            "{target}: {error}"
        );
        assert_masked(&error);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_needs_its_authority() {
    let repository = Repository::with_files([("a", "1")]).unwrap();
    let authority = Arc::new(Authority::new().unwrap());
    let options = HttpOptions {
        authority: Some(authority.clone()),
        ..Default::default()
    };
    let server = HttpServer::start_with(&repository, options).await.unwrap();
    let mut request = request(server.url());
    let unknown = error(&home(), &request).await;
    assert!(
        matches!(unknown, FetchError::Certificate { .. }),
        "{}",
        bulkhead_api::chain(&unknown)
    );
    assert!(unknown.advice().hint.unwrap().contains("ca.crt"));
    request.authority = Some(authority.certificate.clone());
    new(&home(), &request).await;
    request.authority = Some(b"no certificate".to_vec());
    assert!(matches!(
        error(&home(), &request).await,
        FetchError::Credentials { .. }
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_have_their_meaning() {
    let repository = Repository::with_files([("a", "1")]).unwrap();
    let server = server(&repository, Login::Anyone).await;
    let request = request(server.url());
    for (fault, reason, expected) in [
        (
            Fault::Status(200),
            "GitOperationFailed",
            "did not answer as a Git server but with `text/html`",
        ),
        (
            Fault::Status(401),
            "AuthenticationFailed",
            "refused the login: 401 Unauthorized",
        ),
        (
            Fault::Status(403),
            "AuthenticationFailed",
            "refused the login: 403 Forbidden",
        ),
        (
            Fault::Status(404),
            "GitOperationFailed",
            "does not exist, or this login may not see it",
        ),
        (
            Fault::Status(429),
            "GitOperationFailed",
            "is limiting requests: 429 Too Many Requests",
        ),
        (
            Fault::RetryAfter(403, 7),
            "GitOperationFailed",
            "is limiting requests: 403 Forbidden",
        ),
        (
            Fault::Status(500),
            "GitOperationFailed",
            "answered with 500 Internal Server Error",
        ),
    ] {
        server.fail(Some(fault.clone()));
        let error = error(&home(), &request).await;
        assert_eq!(error.advice().reason, reason);
        assert_eq!(error.to_string(), format!("{} {expected}", server.url()));
        assert_eq!(
            error.retry_after().is_some(),
            matches!(fault, Fault::RetryAfter(..))
        );
    }
    let unreachable = error(&home(), &super::request("http://127.0.0.1:1/repo")).await;
    assert!(matches!(unreachable, FetchError::Unreachable { .. }));
}
