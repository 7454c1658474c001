//! A service that takes messages: answers every request with 200, and passes it on to the test.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;

use anyhow::Result;
use serde_json::Value;

/// What somebody sent.
#[derive(Debug)]
pub(crate) struct Message {
    /// The path, with its query.
    pub(crate) path: String,
    /// All lines before the body, in lower case.
    pub(crate) head: String,
    /// The body, which has to be JSON.
    pub(crate) body: Value,
}

/// Starts one; returns its address, without a slash at the end.
pub(crate) fn receiver() -> Result<(String, mpsc::Receiver<Message>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = format!("http://{}", listener.local_addr()?);
    let (send, received) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            if let Some(message) = message(&mut stream) {
                let _ = stream.write_all(
                    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
                );
                if send.send(message).is_err() {
                    return;
                }
            }
        }
    });
    Ok((address, received))
}

fn message(stream: &mut TcpStream) -> Option<Message> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let read = stream.read(&mut chunk).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&chunk[..read]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let lower = head.to_lowercase();
        let length = lower
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))?;
        if bytes.len() >= end + 4 + length.trim().parse::<usize>().ok()? {
            return Some(Message {
                path: head.split(' ').nth(1)?.to_owned(),
                body: serde_json::from_slice(&bytes[end + 4..]).ok()?,
                head: lower,
            });
        }
    }
}
