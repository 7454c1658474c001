//! The Discord notifier: posts an event to a webhook, in Slack's format.
//!
//! Discord reads that format at the webhook's address with `/slack` behind it. The address is the
//! secret `address` and does not enter this plugin; the host joins the path, once.

use bulkhead_plugin::notify::{Error, Event, Notifier, Outcome, Part, Request, Response};
use bulkhead_slack_message::{Config, Message};

/// The plugin.
pub struct Discord;

impl Notifier for Discord {
    fn start(events: Vec<Event>, config: &str, _state: Vec<u8>) -> Result<Outcome, Error> {
        let config = Config::parse(config)?;
        let message = Message::new(&config.username, &events);
        let url = vec![Part::secret("address"), Part::text("/slack")];
        Ok(Request::post_json(url, message.to_json()).alone())
    }

    fn resume(responses: Vec<Response>, _config: &str, _state: Vec<u8>) -> Result<Outcome, Error> {
        Ok(bulkhead_slack_message::outcome(&responses))
    }
}

bulkhead_plugin::notifier!(Discord);

#[cfg(test)]
mod tests {
    use super::*;

    type Tested = Result<(), Box<dyn std::error::Error>>;

    fn request(event: Event, config: &str) -> Result<Request, String> {
        match Discord::start(vec![event], config, Vec::new()) {
            Ok(Outcome::Next(mut step)) if step.send.len() == 1 => Ok(step.send.remove(0)),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn payloads_are_those_of_flux() -> Tested {
        let cases = bulkhead_slack_message::cases::of("discord")?;
        assert!(!cases.is_empty());
        for case in cases {
            let request = request(case.event, &case.config)?;
            assert_eq!(
                String::from_utf8(request.body)?,
                case.expected,
                "{}",
                case.name
            );
            assert_eq!(request.method, "POST");
            assert_eq!(
                request.url,
                vec![Part::secret("address"), Part::text("/slack")]
            );
        }
        Ok(())
    }

    #[test]
    fn a_field_of_the_wrong_type_is_named() {
        let told = Discord::start(Vec::new(), r#"{"channel": 1}"#, Vec::new());
        let Err(Error::InvalidConfig(why)) = told else {
            unreachable!("{told:?}")
        };
        assert!(
            why.contains("invalid type: integer `1`, expected a string"),
            "{why}"
        );
    }
}
