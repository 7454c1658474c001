//! A notifier: posts `{"text": "..."}` to the address of the Provider.

use bulkhead_plugin::notify::{Error, Event, Notifier, Outcome, Part, Request, Response};
use serde_json::json;

struct Plugin;

bulkhead_plugin::notifier!(Plugin);

impl Notifier for Plugin {
    fn start(events: Vec<Event>, _config: &str, _state: Vec<u8>) -> Result<Outcome, Error> {
        let lines: Vec<String> = events.iter().map(line).collect();
        let body = json!({ "text": lines.join("\n") }).to_string();
        Ok(Request::post_json(vec![Part::secret("address")], body).alone())
    }

    fn resume(responses: Vec<Response>, _config: &str, _state: Vec<u8>) -> Result<Outcome, Error> {
        for response in &responses {
            match response.status {
                200..300 => {}
                429 => return Ok(Outcome::Retry(None)),
                status => {
                    let why = format!("the service answered with status {status}");
                    return Ok(Outcome::Failed(why));
                }
            }
        }
        Ok(Outcome::Done(Vec::new()))
    }
}

fn line(event: &Event) -> String {
    let object = &event.object;
    let namespace = object.namespace.as_deref().unwrap_or("-");
    let (kind, name) = (&object.kind, &object.name);
    format!("{kind} {namespace}/{name}: {}: {}", event.reason, event.message)
}
