//! The Slack notifier: posts an event to an incoming webhook, or to `chat.postMessage` with a token.
//!
//! The address is the secret `address`, the token the secret `token`; neither enters this plugin.

use bulkhead_plugin::notify::{Error, Event, Notifier, Outcome, Part, Request, Response};
use bulkhead_slack_message::{Attachment, Config, Message};

/// The plugin.
pub struct Slack;

impl Notifier for Slack {
    fn start(events: Vec<Event>, config: &str, _state: Vec<u8>) -> Result<Outcome, Error> {
        let config = Config::parse(config)?;
        let mut message = Message::new(&config.username, &events);
        message.channel.clone_from(&config.channel);
        message
            .attachments
            .iter_mut()
            .for_each(Attachment::set_fallback);
        let mut request = Request::post_json(vec![Part::secret("address")], message.to_json());
        if config.has_secret("token") {
            let value = vec![Part::text("Bearer "), Part::secret("token")];
            request = request.header("Authorization", value);
        }
        Ok(request.alone())
    }

    fn resume(responses: Vec<Response>, _config: &str, _state: Vec<u8>) -> Result<Outcome, Error> {
        Ok(bulkhead_slack_message::outcome(&responses))
    }
}

bulkhead_plugin::notifier!(Slack);

#[cfg(test)]
mod tests {
    use super::*;

    type Tested = Result<(), Box<dyn std::error::Error>>;

    fn request(event: Event, config: &str) -> Result<Request, String> {
        match Slack::start(vec![event], config, Vec::new()) {
            Ok(Outcome::Next(mut step)) if step.send.len() == 1 => Ok(step.send.remove(0)),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn payloads_are_those_of_flux() -> Tested {
        let cases = bulkhead_slack_message::cases::of("slack")?;
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
            assert_eq!(request.url, vec![Part::secret("address")]);
        }
        Ok(())
    }

    #[test]
    fn a_token_travels_as_a_name() -> Tested {
        let cases = bulkhead_slack_message::cases::of("slack")?;
        for case in cases {
            let request = request(case.event, r#"{"secrets": ["address", "token"]}"#)?;
            let value = &request.headers[1].value;
            assert_eq!(request.headers[1].name, "Authorization");
            assert_eq!(*value, [Part::text("Bearer "), Part::secret("token")]);
        }
        Ok(())
    }

    #[test]
    fn a_field_of_the_wrong_type_is_named() {
        let told = Slack::start(Vec::new(), r#"{"channel": 1}"#, Vec::new());
        let Err(Error::InvalidConfig(why)) = told else {
            unreachable!("{told:?}")
        };
        assert!(
            why.contains("invalid type: integer `1`, expected a string"),
            "{why}"
        );
    }
}
