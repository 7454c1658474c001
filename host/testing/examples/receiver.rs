//! A stand-in for a chat service: accepts every POST, and prints one line for each message.
//!
//! `receiver FILE` writes its address to FILE once it listens. For the demo, and to try a notifier.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program of its own, which prints and writes one file"
)]

use axum::Router;
use axum::extract::Request;
use axum::routing::any;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let file = std::env::args()
        .nth(1)
        .ok_or_else(|| anyhow::anyhow!("usage: receiver FILE"))?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    std::fs::write(&file, format!("http://{}", listener.local_addr()?))?;
    let app = Router::new().fallback(any(receive));
    axum::serve(listener, app).await?;
    Ok(())
}

async fn receive(request: Request) -> &'static str {
    let line = format!("{} {}", request.method(), request.uri().path());
    let body = axum::body::to_bytes(request.into_body(), 1 << 20)
        .await
        .unwrap_or_default();
    println!("{line}\n{}", summary(&body));
    "ok"
}

/// Shows what a person would see in the chat: author, text and fields of each attachment.
fn summary(body: &[u8]) -> String {
    let Ok(message) = serde_json::from_slice::<serde_json::Value>(body) else {
        return String::from_utf8_lossy(body).into_owned();
    };
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let attachments = message["attachments"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let mut lines = Vec::new();
    for attachment in &attachments {
        lines.push(format!(
            "  [{}] {}",
            text(&attachment["color"]),
            text(&attachment["author_name"])
        ));
        lines.extend(
            text(&attachment["text"])
                .lines()
                .map(|line| format!("    {line}")),
        );
        for field in attachment["fields"].as_array().into_iter().flatten() {
            lines.push(format!(
                "    {}: {}",
                text(&field["title"]),
                text(&field["value"])
            ));
        }
    }
    if lines.is_empty() {
        format!("  {message}")
    } else {
        lines.join("\n")
    }
}
