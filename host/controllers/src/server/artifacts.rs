//! Serves the archives of sources: `/<kind>/<namespace>/<name>/<file>`, and nothing else.
//!
//! The folder is opened once; a path is taken apart before it is looked up in it, so that no request
//! reads outside it. There are no listings.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use cap_std::fs::Dir;
use tokio::io::AsyncReadExt;

/// Bytes that are read at once.
const CHUNK_BYTES: usize = 64 << 10;

/// Serves the files of `directory`, which has the layout of artifact paths.
pub fn artifacts(directory: Arc<Dir>) -> Router {
    Router::new()
        .route("/{kind}/{namespace}/{name}/{file}", get(file))
        .with_state(directory)
}

async fn file(
    State(directory): State<Arc<Dir>>,
    Path((kind, namespace, name, file)): Path<(String, String, String, String)>,
) -> Response {
    let parts = [&kind, &namespace, &name, &file];
    if parts.iter().any(|part| !is_plain(part)) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let path = format!("{kind}/{namespace}/{name}/{file}");
    let opened = tokio::task::spawn_blocking(move || open(&directory, &path)).await;
    match opened {
        Ok(Some((file, size))) => answer(file, size),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Tells whether `part` is one name, not a way somewhere else.
fn is_plain(part: &str) -> bool {
    !part.is_empty() && !part.starts_with('.') && !part.contains(['/', '\\', '\0'])
}

fn open(directory: &Dir, path: &str) -> Option<(cap_std::fs::File, u64)> {
    let file = directory.open(path).ok()?;
    let metadata = file.metadata().ok()?;
    metadata.is_file().then(|| (file, metadata.len()))
}

fn answer(file: cap_std::fs::File, size: u64) -> Response {
    let file = tokio::fs::File::from_std(file.into_std());
    let stream = futures::stream::try_unfold(file, |mut file| async move {
        let mut chunk = vec![0; CHUNK_BYTES];
        let read = file.read(&mut chunk).await?;
        chunk.truncate(read);
        Ok::<_, std::io::Error>((read > 0).then_some((chunk, file)))
    });
    let headers = [
        (header::CONTENT_TYPE, "application/gzip".to_owned()),
        (header::CONTENT_LENGTH, size.to_string()),
    ];
    (headers, Body::from_stream(stream)).into_response()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    #[test]
    fn only_plain_names_are_looked_up() {
        for part in ["", ".", "..", ".git", "a/b", "a\\b", "a\0"] {
            assert!(!is_plain(part), "{part:?}");
        }
        assert!(is_plain("flux-system"));
        assert!(is_plain("1f0c.tar.gz"));
    }

    #[tokio::test]
    async fn files_are_served_and_directories_are_not() {
        let temporary = tempfile::tempdir().unwrap();
        let directory =
            Dir::open_ambient_dir(temporary.path(), cap_std::ambient_authority()).unwrap();
        directory.create_dir_all("gitrepository/apps/web").unwrap();
        directory
            .write("gitrepository/apps/web/1.tar.gz", vec![7; 100_000])
            .unwrap();
        directory
            .create_dir_all("gitrepository/apps/web/dir")
            .unwrap();
        let listener = super::super::listen("artifacts", "127.0.0.1:0".parse().unwrap());
        let listener = listener.await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(super::super::serve(
            listener,
            artifacts(Arc::new(directory)),
        ));
        let get = async |path: &str| {
            use tokio::io::AsyncWriteExt;
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            answer
        };
        let served = get("/gitrepository/apps/web/1.tar.gz").await;
        assert!(served.starts_with(b"HTTP/1.1 200"));
        assert!(served.ends_with(&[7; 100_000]));
        for path in [
            "/",
            "/gitrepository/apps/web",
            "/gitrepository/apps/web/dir",
            "/gitrepository/apps/web/none",
            "/gitrepository/apps/web/..%2f..",
            "/gitrepository/apps/../apps/web/1.tar.gz",
        ] {
            assert!(get(path).await.starts_with(b"HTTP/1.1 404"), "{path}");
        }
        server.abort();
    }
}
