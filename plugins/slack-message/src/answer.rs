//! What the answer to a posted message means.

use bulkhead_plugin::notify::{Outcome, Response};
use serde::Deserialize;

/// Status code of an answer that asks to wait.
const TOO_MANY_REQUESTS: u16 = 429;

/// Length in characters of the part of an answer that an error quotes.
const QUOTED_CHARS: usize = 200;

/// Turns the answers to a message into the outcome of its delivery.
///
/// Any status from 200 to 299 is success, except where the body is a JSON object with `ok: false`:
/// Slack's `chat.postMessage` answers so, always with status 200.
pub fn outcome(responses: &[Response]) -> Outcome {
    let Some(response) = responses.first() else {
        return Outcome::Failed("no response came".to_owned());
    };
    if response.status == TOO_MANY_REQUESTS {
        return Outcome::Retry(retry_after(response));
    }
    if !response.is_success() {
        let body: String = response.text().chars().take(QUOTED_CHARS).collect();
        let status = response.status;
        return Outcome::Failed(format!("request failed with status code {status}: {body}"));
    }
    match serde_json::from_slice::<Verdict>(&response.body) {
        Ok(Verdict { ok: false, error }) => {
            Outcome::Failed(format!("responded with error: {error}"))
        }
        _ => Outcome::Done(Vec::new()),
    }
}

#[derive(Deserialize)]
struct Verdict {
    ok: bool,
    #[serde(default)]
    error: String,
}

fn retry_after(response: &Response) -> Option<u32> {
    let (_, seconds) = response
        .headers
        .iter()
        .find(|(name, _)| name == "retry-after")?;
    seconds
        .trim()
        .parse::<f64>()
        .ok()
        .map(|seconds| seconds.ceil() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Outcome {
        let headers = vec![("retry-after".to_owned(), "1.5".to_owned())];
        outcome(&[Response {
            id: 0,
            status,
            headers,
            body: body.into(),
        }])
    }

    #[test]
    fn success_is_the_status_and_slacks_own_verdict() {
        let failed = |why: &str| Outcome::Failed(why.to_owned());
        assert_eq!(answer(200, "ok"), Outcome::Done(Vec::new()));
        assert_eq!(answer(204, ""), Outcome::Done(Vec::new()));
        assert_eq!(answer(200, r#"{"ok": true}"#), Outcome::Done(Vec::new()));
        assert_eq!(
            answer(200, r#"{"ok": false, "error": "too_many_attachments"}"#),
            failed("responded with error: too_many_attachments")
        );
        assert_eq!(
            answer(404, "no_team"),
            failed("request failed with status code 404: no_team")
        );
        assert_eq!(answer(429, ""), Outcome::Retry(Some(2)));
        assert_eq!(outcome(&[]), failed("no response came"));
    }

    #[test]
    fn a_long_answer_is_quoted_in_part() {
        let text = "x".repeat(QUOTED_CHARS + 1);
        let quoted = format!("request failed with status code 500: {}", &text[1..]);
        assert_eq!(answer(500, &text), Outcome::Failed(quoted));
    }
}
