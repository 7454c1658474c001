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
