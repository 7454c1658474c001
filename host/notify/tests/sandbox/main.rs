//! Notifiers in the real sandbox against a real HTTP server: the built-in ones, and one that gives
//! away all it has.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod built_in;
mod dump;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bulkhead_api::event::Event;
use bulkhead_api::notification::{Alert, AlertSpec, EventSource, Provider, ProviderSpec};
use bulkhead_notify::{Delivered, Installed, Notifier, Reach, Secrets, Settings, Subscription};
use bulkhead_wasm::{Host, HostConfig, PluginId};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// A request: its first line and headers, and its body.
type Received = (String, Vec<u8>);

/// Accepts every request, answers with its first line, and remembers it.
async fn receiver() -> (SocketAddr, Arc<Mutex<Vec<Received>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let received: Arc<Mutex<Vec<Received>>> = Arc::default();
    let log = Arc::clone(&received);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = Vec::new();
            let (head, body) = loop {
                if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                    break (String::new(), Vec::new());
                }
                let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else {
                    continue;
                };
                let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
                let length = head.split("content-length: ").nth(1);
                let length = length
                    .and_then(|rest| rest.lines().next()?.parse().ok())
                    .unwrap_or(0);
                if bytes.len() >= end + 4 + length {
                    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
                    break (head, bytes[end + 4..].to_vec());
                }
            };
            let echo = format!("service got {}", head.replace("\r\n", " "));
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{echo}",
                echo.len()
            );
            log.lock().unwrap().push((head, body));
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (address, received)
}

/// Delivers `event` through one component to a provider of type `kind`.
async fn deliver(
    kind: &str,
    component: &[u8],
    event: &Event,
    mut spec: ProviderSpec,
    secret: &BTreeMap<String, Vec<u8>>,
) -> Delivered {
    let host = Host::new(HostConfig::default()).unwrap();
    let plugin = host
        .load(PluginId::new(kind, "0.1.0"), component)
        .await
        .unwrap();
    let settings = Settings {
        reach: Reach::local(),
        ..Settings::default()
    };
    let plugins = HashMap::from([(kind.to_owned(), Installed::new(plugin))]);
    spec.type_ = kind.to_owned();
    let secrets = Secrets::new(&spec, Some(secret)).unwrap();
    let object = &event.involved_object;
    let source = EventSource {
        kind: object.kind.clone(),
        name: "*".to_owned(),
        namespace: Some(object.namespace.clone()),
        ..EventSource::default()
    };
    let subscription = Subscription {
        alert: Alert::new(
            &object.namespace,
            "chat",
            AlertSpec::new(kind, vec![source]),
        ),
        provider: Provider::new(&object.namespace, kind, spec),
        secrets,
    };
    let delivery = Notifier::new(plugins, settings)
        .deliver(event, None, &[subscription])
        .await;
    let result = delivery.into_iter().next().unwrap().result;
    result.unwrap_or_else(|error| unreachable!("{}", bulkhead_api::chain(&error)))
}
