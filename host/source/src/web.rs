//! One file behind a URL: read over HTTP, within time and size, from places that the caller admits.
//!
//! Redirects are followed one at a time, never from `https` to `http`; a login in the URL goes to its
//! own scheme, host and port only. Every address is shown to the caller before it is connected to,
//! and the connection goes to the address that was shown.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use reqwest::{Client, Response};
use url::{Host, Url};

use crate::http::{has_same_origin, is_redirect, redirect_target};
use crate::location::Kind;
use crate::transport::http::{USER_AGENT, problem_of};
use crate::transport::tls;
use crate::{FetchError, GitRequest, Limits, Location, Secret};

/// A file, and how to get at it.
#[derive(Clone, Debug)]
pub struct FileRequest {
    /// Where the file is: see [`Location::of_file`].
    pub location: Location,
    /// Longest time for all of it.
    pub timeout: Duration,
    /// What it may cost: `redirects` and `file_bytes` count.
    pub limits: Limits,
    /// Tells whether an address may be connected to.
    pub admits: fn(IpAddr) -> bool,
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileAnswer {
    /// The file.
    Content(Vec<u8>),
    /// Something else: status and reason.
    Status(String),
}

/// Reads a file.
///
/// # Errors
/// [`FetchError`] when there is no answer, or one that is refused. A status such as 404 is an answer.
pub async fn read_file(request: &FileRequest) -> Result<FileAnswer, FetchError> {
    let timeout = request.timeout.min(request.limits.timeout);
    let answer = tokio::time::timeout(timeout, follow(request)).await;
    answer.unwrap_or_else(|_| {
        Err(FetchError::Timeout {
            location: request.location.clone(),
            after: timeout,
        })
    })
}

async fn follow(request: &FileRequest) -> Result<FileAnswer, FetchError> {
    let Kind::Http(own) = request.location.kind() else {
        return Err(FetchError::protocol(
            &request.location,
            "it is no web address",
        ));
    };
    let mut place = own.clone();
    for _ in 0..=request.limits.redirects {
        let response = send(request, own, &place).await?;
        let status = response.status();
        if is_redirect(status) {
            place = next(request, &place, &response)?;
        } else if status.is_success() {
            return body(request, response).await.map(FileAnswer::Content);
        } else {
            return Ok(FileAnswer::Status(status.to_string()));
        }
    }
    let allowed = request.limits.redirects as u64;
    Err(FetchError::limit(
        "the number of redirects",
        "redirects",
        allowed,
    ))
}

async fn send(request: &FileRequest, own: &Url, place: &Url) -> Result<Response, FetchError> {
    let problem = |error| problem_of(&request.location, error);
    let client = client(request, place).await?.build().map_err(problem)?;
    let mut get = client.get(place.clone());
    if let Some(user) = request.location.user()
        && has_same_origin(own, place)
    {
        get = get.basic_auth(user, request.location.password().map(Secret::expose));
    }
    get.send().await.map_err(problem)
}

/// Makes a client that connects to admitted addresses of `place` alone.
async fn client(request: &FileRequest, place: &Url) -> Result<reqwest::ClientBuilder, FetchError> {
    let tls = tls::config(&GitRequest::new(request.location.clone()))?;
    let builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(USER_AGENT)
        .no_proxy()
        .http1_only();
    let port = place.port_or_known_default().unwrap_or_default();
    let (name, addresses) = match place.host() {
        Some(Host::Ipv4(address)) => (None, vec![SocketAddr::from((address, port))]),
        Some(Host::Ipv6(address)) => (None, vec![SocketAddr::from((address, port))]),
        Some(Host::Domain(name)) => (Some(name), resolve(request, name, port).await?),
        None => (None, Vec::new()),
    };
    if let Some(refused) = addresses
        .iter()
        .find(|address| !(request.admits)(address.ip()))
    {
        return Err(FetchError::Address {
            location: request.location.clone(),
            address: refused.ip(),
        });
    }
    Ok(match name {
        Some(name) => builder.resolve_to_addrs(name, &addresses),
        None => builder,
    })
}

async fn resolve(
    request: &FileRequest,
    name: &str,
    port: u16,
) -> Result<Vec<SocketAddr>, FetchError> {
    let found = tokio::net::lookup_host((name, port)).await;
    found
        .map(Iterator::collect)
        .map_err(|error| FetchError::Unreachable {
            location: request.location.clone(),
            source: Box::new(error),
        })
}

fn next(request: &FileRequest, from: &Url, response: &Response) -> Result<Url, FetchError> {
    redirect_target(from, response).map_err(|problem| FetchError::Redirect {
        location: request.location.clone(),
        problem: problem.to_owned(),
    })
}

async fn body(request: &FileRequest, mut response: Response) -> Result<Vec<u8>, FetchError> {
    let allowed = request.limits.file_bytes;
    let mut content = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| problem_of(&request.location, error))?
    {
        if (content.len() + chunk.len()) as u64 > allowed {
            return Err(FetchError::limit("the file", "file_bytes", allowed));
        }
        content.extend_from_slice(&chunk);
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// Answers each connection with the text that `answers` has for its path.
    async fn serve(answers: &'static [(&'static str, &'static str)]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = vec![0; 4096];
                let length = stream.read(&mut head).await.unwrap();
                let head = String::from_utf8_lossy(&head[..length]).into_owned();
                let path = head.split(' ').nth(1).unwrap();
                let found = answers.iter().find(|(name, _)| *name == path);
                let answer = found.map_or("HTTP/1.1 404 Not Found\r\n\r\n", |(_, text)| text);
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        base
    }

    fn request(url: &str) -> FileRequest {
        FileRequest {
            location: Location::of_file(url).unwrap(),
            timeout: Duration::from_secs(20),
            limits: Limits::default(),
            admits: |_| true,
        }
    }

    #[tokio::test]
    async fn a_file_is_read_with_its_query_and_through_redirects() {
        let base = serve(&[
            (
                "/a.yaml?ref=x",
                "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\na: 1",
            ),
            (
                "/old",
                "HTTP/1.1 302 Found\r\nLocation: /a.yaml?ref=x\r\n\r\n",
            ),
            ("/circle", "HTTP/1.1 302 Found\r\nLocation: /circle\r\n\r\n"),
        ])
        .await;
        let content = FileAnswer::Content(b"a: 1".to_vec());
        for path in ["/a.yaml?ref=x", "/old"] {
            let answer = read_file(&request(&format!("{base}{path}"))).await;
            assert_eq!(answer.unwrap(), content, "{path}");
        }
        let missing = read_file(&request(&format!("{base}/b.yaml")))
            .await
            .unwrap();
        assert_eq!(missing, FileAnswer::Status("404 Not Found".to_owned()));
        let circle = read_file(&request(&format!("{base}/circle"))).await;
        let error = circle.unwrap_err();
        assert!(matches!(
            error,
            FetchError::Limit {
                limit: "redirects",
                ..
            }
        ));
    }

    #[tokio::test]
    async fn a_file_may_be_as_long_as_its_limit_and_no_longer() {
        let base = serve(&[("/a", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\na: 1")]).await;
        let mut request = request(&format!("{base}/a"));
        request.limits.file_bytes = 4;
        assert!(read_file(&request).await.is_ok());
        request.limits.file_bytes = 3;
        let error = read_file(&request).await.unwrap_err();
        assert!(matches!(
            error,
            FetchError::Limit {
                limit: "file_bytes",
                allowed: 3,
                ..
            }
        ));
    }

    #[tokio::test]
    async fn an_address_that_is_not_admitted_is_not_connected_to() {
        let base = serve(&[("/a", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")]).await;
        let port = base.rsplit_once(':').unwrap().1;
        for host in ["127.0.0.1", "localhost"] {
            let mut request = request(&format!("http://{host}:{port}/a"));
            request.admits = |address| !address.is_loopback();
            let error = read_file(&request).await.unwrap_err();
            assert!(matches!(error, FetchError::Address { .. }), "{error}");
        }
    }
}
