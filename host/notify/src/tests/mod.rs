//! Tests of whole deliveries: fake guests of one behaviour, and a real HTTP server.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod delivery;
mod sending;
mod server;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bulkhead_api::GoDuration;
use bulkhead_api::event::Event;
use bulkhead_api::notification::{Provider, ProviderSpec};

use crate::guest::{
    Event as WireEvent, Exchange, Guest, GuestError, Outcome, Part, Request, Response, Signing,
    Step,
};
use crate::notifier::{Delivered, Delivery, Installed, Notifier, Settings, Subscription};
use crate::resolve::{Resolve, Resolving};
use crate::retry::Retries;
use crate::secrets::Secrets;
use crate::{NotifyError, Reach};

/// What every secret holds; it may appear on the wire to the service and nowhere else.
const CANARY: &str = "CANARY-8f1d";

/// What a guest was called with.
#[derive(Clone, Debug)]
enum Call {
    Start {
        event: Box<WireEvent>,
        config: String,
        state: Vec<u8>,
    },
    Resume {
        responses: Vec<Response>,
        state: Vec<u8>,
    },
}

type Behaviour = dyn Fn(&Call) -> Outcome + Send + Sync;

/// A guest of one behaviour, which remembers its calls.
#[derive(Clone)]
struct Fake {
    behaviour: Arc<Behaviour>,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Fake {
    fn new(behaviour: impl Fn(&Call) -> Outcome + Send + Sync + 'static) -> Self {
        Self {
            behaviour: Arc::new(behaviour),
            calls: Arc::default(),
        }
    }

    /// Posts what `request` makes, and is done when the answer is good.
    fn posting(request: impl Fn() -> Request + Send + Sync + 'static) -> Self {
        Self::new(move |call| match call {
            Call::Start { .. } => next(vec![request()]),
            Call::Resume { responses, .. } => match responses[0].status {
                200..300 => Outcome::Done(Vec::new()),
                429 => Outcome::Retry(Some(7)),
                status => {
                    let body = String::from_utf8_lossy(&responses[0].body);
                    Outcome::Failed(format!("request failed with status code {status}: {body}"))
                }
            },
        })
    }

    fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    /// The responses of the last call.
    fn answers(&self) -> Vec<Response> {
        match self.calls().pop() {
            Some(Call::Resume { responses, .. }) => responses,
            other => unreachable!("{other:?}"),
        }
    }

    fn call(&self, call: Call) -> Result<Outcome, GuestError> {
        let outcome = (self.behaviour)(&call);
        self.calls.lock().unwrap().push(call);
        Ok(outcome)
    }
}

impl Guest for Fake {
    async fn start(
        &self,
        event: WireEvent,
        exchange: &Exchange,
        state: Vec<u8>,
    ) -> Result<Outcome, GuestError> {
        self.call(Call::Start {
            event: Box::new(event),
            config: exchange.config.clone(),
            state,
        })
    }

    async fn resume(
        &self,
        responses: Vec<Response>,
        _: &Exchange,
        state: Vec<u8>,
    ) -> Result<Outcome, GuestError> {
        self.call(Call::Resume { responses, state })
    }
}

/// A resolver of one answer, which counts.
#[derive(Default)]
struct Names {
    addresses: Mutex<Vec<Vec<IpAddr>>>,
    asked: Mutex<Vec<String>>,
}

impl Names {
    /// Answers with each list in turn, with the last one for ever.
    fn answering(lists: &[&[&str]]) -> Arc<Self> {
        let parse = |list: &&[&str]| list.iter().map(|ip| ip.parse().unwrap()).collect();
        let addresses = Mutex::new(lists.iter().map(parse).collect());
        Arc::new(Self {
            addresses,
            asked: Mutex::default(),
        })
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Resolve for Names {
    fn resolve<'a>(&'a self, name: &'a str) -> Resolving<'a> {
        self.asked.lock().unwrap().push(name.to_owned());
        let mut lists = self.addresses.lock().unwrap();
        let list = if lists.len() > 1 {
            lists.remove(0)
        } else {
            lists[0].clone()
        };
        Box::pin(async move { Ok(list) })
    }
}

fn text(text: &str) -> Part {
    Part::Text(text.to_owned())
}

fn secret(name: &str) -> Part {
    Part::Secret(name.to_owned())
}

fn post(url: Vec<Part>) -> Request {
    Request {
        id: 3,
        method: "POST".to_owned(),
        url,
        headers: vec![bulkhead_wasm::Header {
            name: "Authorization".to_owned(),
            value: vec![text("Bearer "), secret("token")],
        }],
        body: b"hello".to_vec(),
        signing: Signing::None,
    }
}

fn next(send: Vec<Request>) -> Outcome {
    Outcome::Next(Step {
        send,
        state: b"step".to_vec(),
    })
}

/// Settings for a server on this machine, with quick retries.
fn local() -> Settings {
    let retries = Retries {
        pause: Duration::from_millis(5),
        pause_max: Duration::from_millis(20),
        max: 4,
    };
    Settings {
        reach: Reach::local(),
        retries,
        ..Settings::default()
    }
}

fn subscription(address: &str) -> Subscription {
    let mut spec = ProviderSpec::new("fake");
    spec.address = Some(address.to_owned());
    spec.timeout = Some(GoDuration::from(Duration::from_secs(5)));
    let token = BTreeMap::from([("token".to_owned(), CANARY.as_bytes().to_vec())]);
    let secrets = Secrets::new(&spec, Some(&token)).unwrap();
    let provider = Provider::new("flux-system", "fake", spec);
    Subscription {
        alert: crate::select::tests::alert(),
        provider,
        secrets,
    }
}

fn notifier(guest: &Fake, settings: Settings) -> Notifier<Fake> {
    let plugins = HashMap::from([("fake".to_owned(), Installed::new(guest.clone()))]);
    Notifier::new(plugins, settings)
}

/// Delivers one event to one subscription; whatever comes out is searched for the canary.
async fn deliver(
    notifier: &Notifier<Fake>,
    event: &Event,
    subscription: &Subscription,
) -> Result<Delivered, NotifyError> {
    let Delivery { result, .. } = notifier
        .deliver(event, None, std::slice::from_ref(subscription))
        .await
        .remove(0);
    if let Err(error) = &result {
        let shown = format!(
            "{error:?} {} {:?}",
            bulkhead_api::chain(error),
            error.advice()
        );
        assert!(
            !shown.to_lowercase().contains(&CANARY.to_lowercase()),
            "{shown}"
        );
    }
    result
}

/// The whole text of an error.
fn told(result: Result<Delivered, NotifyError>) -> String {
    result.map_or_else(
        |error| bulkhead_api::chain(&error),
        |delivered| format!("{delivered:?}"),
    )
}
