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
