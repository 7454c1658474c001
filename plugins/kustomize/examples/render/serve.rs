//! Answers the fuzzer: the counterpart of `fuzz/oracle/main.go`, line for line.
//!
//! Each line of stdin is a call, `{"args": [directory, flags...]}`; each line of stdout its answer,
//! `{"out": base64}` or `{"error": text}`. In a build that checks for overflow, one panics; a panic
//! is an answer that no oracle gives.

use std::io::{BufRead, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::{Call, text_of};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(data: &[u8]) -> String {
    let mut out = String::new();
    for chunk in data.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, at| {
            bits << 8 | u32::from(chunk.get(at).copied().unwrap_or(0))
        });
        for at in 0..4 {
            let index = bits >> (18 - 6 * at) & 63;
            let is_data = at <= chunk.len();
            out.push(if is_data {
                char::from(ALPHABET[index as usize])
            } else {
                '='
            });
        }
    }
    out
}

fn answer(line: &str) -> Value {
    let call: Value = match serde_json::from_str(line) {
        Ok(call) => call,
        Err(error) => return json!({ "error": format!("call: {error}") }),
    };
    let words = call["args"].as_array().cloned().unwrap_or_default();
    let words = words
        .iter()
        .map(|word| word.as_str().unwrap_or_default().to_owned());
    let call = Call::parse(words);
    match catch_unwind(AssertUnwindSafe(|| call.render())) {
        Ok(Ok(output)) => json!({ "out": base64(text_of(&output).as_bytes()) }),
        Ok(Err(error)) => json!({ "error": error }),
        Err(_) => json!({ "out": base64(b"PANIC") }),
    }
}

fn answers() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        writeln!(out, "{}", answer(&line?))?;
        out.flush()?;
    }
    Ok(())
}

/// Answers calls until stdin ends.
pub(crate) fn serve() -> ExitCode {
    match answers() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
