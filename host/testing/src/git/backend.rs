//! One request through `git http-backend`, git's own CGI program.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// What the CGI program is told of a request.
pub(super) struct Call<'a> {
    pub(super) root: &'a Path,
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) content_type: &'a str,
    pub(super) protocol: &'a str,
    pub(super) body: &'a [u8],
}

/// What the CGI program answered.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// Runs the program; blocks until it has ended.
pub(super) fn run(call: &Call<'_>) -> Result<Answer> {
    let mut child = Command::new("git")
        .arg("http-backend")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("GIT_PROJECT_ROOT", call.root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*")
        .env("REQUEST_METHOD", call.method)
        .env("PATH_INFO", call.path)
        .env("QUERY_STRING", call.query)
        .env("CONTENT_TYPE", call.content_type)
        .env("CONTENT_LENGTH", call.body.len().to_string())
        .env("GIT_PROTOCOL", call.protocol)
        .env("REMOTE_ADDR", "127.0.0.1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("failed to start `git http-backend`")?;
    let stdin = child.stdin.take();
    let body = call.body.to_vec();
    let writer = std::thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(&body)));
    let output = child.wait_with_output()?;
    let _ = writer.join();
    parse(&output.stdout)
}

fn parse(raw: &[u8]) -> Result<Answer> {
    let end = raw
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap_or(raw.len());
    ensure!(end < raw.len(), "`git http-backend` sent no header");
    let mut answer = Answer {
        status: 200,
        headers: Vec::new(),
        body: raw[end + 4..].to_vec(),
    };
    for line in String::from_utf8_lossy(&raw[..end]).lines() {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        if name.eq_ignore_ascii_case("status") {
            answer.status = value.trim().split(' ').next().unwrap_or_default().parse()?;
        } else {
            answer
                .headers
                .push((name.to_owned(), value.trim().to_owned()));
        }
    }
    Ok(answer)
}
