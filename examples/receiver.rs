//! A stand-in for a chat service, for the demo: accepts every POST and prints what a person would
//! read in the chat. The standard library alone, so that `rustc receiver.rs` builds it in a second.
//!
//! `receiver FILE` writes its address to FILE once it listens.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

/// Longest message that is read, in bytes.
const MAX_BYTES: usize = 1 << 20;

fn main() -> std::io::Result<()> {
    let file = std::env::args().nth(1).expect("usage: receiver FILE");
    let listener = TcpListener::bind("127.0.0.1:0")?;
    std::fs::write(file, format!("http://{}", listener.local_addr()?))?;
    for stream in listener.incoming() {
        // A sender that breaks off is no reason to stop.
        let _ = receive(stream?);
    }
    Ok(())
}

fn receive(mut stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length.min(MAX_BYTES)];
    reader.read_exact(&mut body)?;
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")?;
    let text = String::from_utf8_lossy(&body);
    println!("{}", request.trim_end().trim_end_matches(" HTTP/1.1"));
    for name in ["author_name", "text"] {
        for value in values(&text, name) {
            println!("  {}", value.replace("\\n", "\n  ").replace("\\\"", "\""));
        }
    }
    std::io::stdout().flush()
}

/// Finds the texts of a field in a JSON document, as they are written there.
fn values<'a>(json: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!("\"{name}\":\"");
    let mut found = Vec::new();
    for piece in json.split(&start).skip(1) {
        let mut escaped = false;
        let end = piece.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        found.extend(end.map(|end| &piece[..end]));
    }
    found
}
