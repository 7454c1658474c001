//! Plugins installed by reference: from a real registry, on a real API server.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bulkhead_api::meta::LocalObjectReference;
use bulkhead_api::names::annotation;
use bulkhead_api::plugin::{Plugin, PluginSpec, PluginVerification};
use bulkhead_testing::git::{HttpServer, Repository};
use bulkhead_testing::registry::Fault;
use serde_json::{Value, json};

use crate::any_renderer::{Shop, applied, delivery, fails};
use crate::command::bulkhead;
use crate::guests;
use crate::manager::world;
use crate::space::{Space, condition, config_map, is_ready, ready};

/// A key pair for this test alone.
const PRIVATE_KEY: &str = "\
-----BEGIN PRIVATE KEY-----\n\
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgOGRyENx5O27dQqGS\n\
pTm/TLWwVBV+IgeRLxJttxniwEuhRANCAATh3GnO5c1WMKMlxCZ3fQu1UR/nrmVZ\n\
n4AXfCvcbGy1N7gRxtcFjMcRt0BsGcy6YlqOGXSED7kCGydIN4uFER50\n\
-----END PRIVATE KEY-----\n\n";
const PUBLIC_KEY: &str = "\
-----BEGIN PUBLIC KEY-----\n\
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE4dxpzuXNVjCjJcQmd30LtVEf565l\n\
WZ+AF3wr3GxstTe4EcbXBYzHEbdAbBnMumJajhl0hA+5AhsnSDeLhREedA==\n\
-----END PUBLIC KEY-----\n\n";

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A Plugin `name` of `image`, looked at every second.
fn plugin(space: &Space, name: &str, image: &str) -> Plugin {
    let mut spec = PluginSpec::new(image);
    spec.insecure = true;
    spec.interval = Some(Duration::from_secs(1).into());
    Plugin::new(&space.namespace, name, spec)
}

fn condition_is(plugin: &Plugin, type_: &str, status: &str, reason: &str) -> bool {
    condition(&plugin.status.conditions, type_)
        .is_some_and(|found| found.status == status && found.reason == reason)
}

/// Waits until a Plugin runs another digest than `before`; returns that.
async fn runs(space: &Space, name: &str, before: Option<&str>) -> Result<Plugin> {
    let is_so = |found: &Plugin| {
        let digest = found.status.digest.as_deref();
        is_ready(&found.status.conditions) && digest.is_some() && digest != before
    };
    space.wait(name, "running another digest", is_so).await
}

/// A GitRepository and a Kustomization `web` that the plugin `name` renders.
async fn rendered_by(space: &Space, name: &str) -> Result<(Repository, HttpServer)> {
    let git = Repository::with_files([("web/app.yaml", config_map("web", "1").as_str())])?;
    let server = HttpServer::start(&git).await?;
    space.repository("app", server.url()).await?;
    space
        .kustomization("web", |spec| spec.path = Some("web".to_owned()))
        .await?;
    // An annotation alone starts nothing.
    let annotations = json!({
        annotation::RENDERER: name,
        annotation::RECONCILE_REQUESTED_AT: "annotated",
    });
    let patch = json!({ "metadata": { "annotations": annotations } });
    space
        .patch::<bulkhead_api::kustomize::Kustomization>("web", patch)
        .await?;
    Ok((git, server))
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_tag_that_moves_runs_the_new_digest_and_says_so() -> Result<()> {
    let world = world().await?;
    let (space, shop) = (
        Space::new(world.cluster, "moves").await?,
        Shop::open().await?,
    );
    let image = shop
        .push("files", &guests::renderer_of("0.1.0", json!({})))
        .await?;
    space.create(&plugin(&space, "files", &image)).await?;
    let first = runs(&space, "files", None).await?;
    let status = &first.status;
    for type_ in ["Fetched", "Compatible", "Compiled", "Approved"] {
        assert!(
            condition_is(&first, type_, "True", "Succeeded"),
            "{type_}: {status:?}"
        );
    }
    assert_eq!(status.kind.as_deref(), Some("renderer"));
    assert_eq!(status.version.as_deref(), Some("0.1.0"));
    assert_eq!(status.digest, status.approved_digest);
    assert!(
        status
            .imports
            .contains(&"bulkhead:base/tree@0.1.0".to_owned())
    );
    space.event("files", "PluginInstalled", "0.1.0").await?;

    shop.push("files", &guests::renderer_of("0.2.0", json!({})))
        .await?;
    let second = runs(&space, "files", status.digest.as_deref()).await?;
    assert_eq!(second.status.version.as_deref(), Some("0.2.0"));
    let old = status.digest.as_deref().context("a digest")?;
    let event = space.event("files", "PluginUpdated", old).await?;
    let new = second.status.digest.as_deref().context("a digest")?;
    assert!(event.message.context("a message")?.contains(new));
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn an_image_that_asks_for_more_waits_until_it_is_approved() -> Result<()> {
    let world = world().await?;
    let (space, shop) = (
        Space::new(world.cluster, "approve").await?,
        Shop::open().await?,
    );
    let image = shop
        .push("files", &guests::renderer_of("0.1.0", json!({})))
        .await?;
    space.create(&plugin(&space, "files", &image)).await?;
    let old = runs(&space, "files", None).await?.status.digest;
    shop.push(
        "files",
        &guests::renderer_of("0.2.0", json!({ "lookup": true })),
    )
    .await?;
    let is_waiting = |found: &Plugin| found.status.pending_digest.is_some();
    let waits: Plugin = space.wait("files", "waiting", is_waiting).await?;
    assert!(condition_is(&waits, "Approved", "False", "NeedsApproval"));
    assert_eq!(waits.status.digest, old, "the old one runs on");
    assert!(is_ready(&waits.status.conditions));
    let approved = condition(&waits.status.conditions, "Approved").context("a condition")?;
    assert!(
        approved.message.contains("`lookup`"),
        "{}",
        approved.message
    );
    assert!(approved.message.contains("kubectl patch plugin files"));
    space.event("files", "NeedsApproval", "lookup").await?;

    let approve = json!({ "spec": { "approve": waits.status.pending_digest } });
    space.patch::<Plugin>("files", approve).await?;
    let now = runs(&space, "files", old.as_deref()).await?;
    assert_eq!(now.status.digest, waits.status.pending_digest);
    assert_eq!(now.status.pending_digest, None);
    assert!(condition_is(&now, "Approved", "True", "Succeeded"));
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn only_a_signed_image_runs_under_enforce() -> Result<()> {
    let world = world().await?;
    let (space, shop) = (
        Space::new(world.cluster, "signed").await?,
        Shop::open().await?,
    );
    space.secret("keys", &[("cosign.pub", PUBLIC_KEY)]).await?;
    std::fs::write(shop.folder.path().join("cosign.key"), PRIVATE_KEY)?;
    let image = shop.push("files", &guests::renderer()).await?;
    let mut object = plugin(&space, "files", &image);
    object.spec.verify = Some(PluginVerification {
        secret_ref: Some(LocalObjectReference {
            name: "keys".into(),
        }),
        ..PluginVerification::default()
    });
    space.create(&object).await?;
    let is_refused = |found: &Plugin| condition_is(found, "Verified", "False", "SignatureMissing");
    let refused: Plugin = space.wait("files", "refused", is_refused).await?;
    assert_eq!(refused.status.digest, None);
    assert!(condition(&refused.status.conditions, "Compiled").is_none());

    // The registry answers on this thread: the command runs on another.
    let (host, folder) = (
        shop.registry.host().to_owned(),
        shop.folder.path().to_owned(),
    );
    let signed = tokio::task::spawn_blocking(move || {
        let key = ["--key", "cosign.key", "--plain-http", &host];
        bulkhead(&folder, &[&["plugin", "sign", &image], &key[..]].concat())
    })
    .await?;
    ensure!(signed.status == Some(0), "{}", signed.err);
    space.request::<Plugin>("files", "signed").await?;
    let now = runs(&space, "files", None).await?;
    assert!(condition_is(&now, "Verified", "True", "Succeeded"));
    assert!(now.status.signer.is_some());
    Ok(())
}

/// What a registry does, and the condition and reason that tell it.
fn bad_input() -> Vec<(&'static str, Fault, &'static str, &'static str)> {
    let manifest = |value: &Value| Fault::Instead(MANIFEST.into(), value.to_string().into_bytes());
    let digest = format!("sha256:{}", "0".repeat(64));
    let blob = |type_: &str| json!({ "mediaType": type_, "digest": digest, "size": 2 });
    let image = |config: &str, layers: &[Value]| {
        manifest(&json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": blob(config), "layers": layers,
        }))
    };
    let wasm = blob("application/wasm");
    let layer = blob("application/vnd.oci.image.layer.v1.tar+gzip");
    let config = "application/vnd.wasm.config.v0+json";
    let large = json!({ "mediaType": "application/wasm", "digest": digest, "size": 500_000_000 });
    let elsewhere = Fault::Redirect(307, "http://user:secret@127.0.0.1:1".into());
    vec![
        (
            "/manifests/",
            image("application/vnd.oci.image.config.v1+json", &[layer]),
            "Fetched",
            "ContainerImage",
        ),
        (
            "/manifests/",
            image(config, &[wasm.clone(), wasm]),
            "Fetched",
            "NotOneLayer",
        ),
        (
            "/manifests/",
            image(config, &[large]),
            "Fetched",
            "TooLarge",
        ),
        ("/manifests/", elsewhere, "Fetched", "RedirectRefused"),
        (
            "/manifests/",
            Fault::Code(404, "MANIFEST_UNKNOWN".into()),
            "Fetched",
            "ImageNotFound",
        ),
        ("/blobs/", Fault::Flip, "Fetched", "DigestMismatch"),
        ("/blobs/", Fault::Shorter, "Fetched", "SizeMismatch"),
    ]
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn what_a_registry_does_wrong_has_a_reason_each_and_what_ran_runs_on() -> Result<()> {
    let world = world().await?;
    let (space, shop) = (
        Space::new(world.cluster, "badimage").await?,
        Shop::open().await?,
    );
    let image = shop
        .push("files", &guests::renderer_of("0.1.0", json!({})))
        .await?;
    space.create(&plugin(&space, "files", &image)).await?;
    let ran = runs(&space, "files", None).await?.status.digest;
    shop.push(
        "files",
        &guests::renderer_of("0.2.0", json!({ "lookup": true })),
    )
    .await?;
    for (number, (part, fault, type_, reason)) in bad_input().into_iter().enumerate() {
        // Of an image that was refused before, no layer is read again: the object is changed.
        shop.registry.fail(part, fault, None);
        let limits = json!({ "spec": { "limits": { "deadline": format!("{}s", number + 1) } } });
        space.patch::<Plugin>("files", limits).await?;
        let is_told = |found: &Plugin| condition_is(found, type_, "False", reason);
        let told: Plugin = space.wait("files", reason, is_told).await?;
        assert_eq!(told.status.digest, ran, "{reason}: what ran runs on");
        let ready = ready(&told.status.conditions).context("a condition")?;
        assert!(ready.message.contains("runs on"), "{}", ready.message);
        shop.registry.heal();
    }
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn what_a_new_version_leaves_out_is_kept_until_somebody_asks() -> Result<()> {
    let world = world().await?;
    let (space, shop) = (
        Space::new(world.cluster, "upgrade").await?,
        Shop::open().await?,
    );
    let two = format!("{}---\n{}", config_map("web", "1"), config_map("db", "1"));
    let git = Repository::with_files([
        ("web/app.yaml", two.as_str()),
        ("web/one.yaml", config_map("web", "2").as_str()),
    ])?;
    let server = HttpServer::start(&git).await?;
    space.repository("app", server.url()).await?;
    let old = guests::renderer_of_file("0.1.0", "/app.yaml");
    let image = shop.push("files", &old).await?;
    space.create(&plugin(&space, "files", &image)).await?;
    let digest = runs(&space, "files", None).await?.status.digest;
    space
        .create(&delivery(&space, "web", "files", "web"))
        .await?;
    let head = git.head()?;
    let found = applied(&space, "web", &head).await?;
    let plugins = &found.status.history[0].metadata["bulkhead.dev/plugins"];
    assert!(plugins.starts_with("files@sha256:"), "{plugins}");

    // The tag moves, and with it one of two objects goes.
    shop.push("files", &guests::renderer_of_file("0.2.0", "/one.yaml"))
        .await?;
    let digest = runs(&space, "files", digest.as_deref())
        .await?
        .status
        .digest;
    let message = fails(&space, "web", "PluginChangedOutput").await?;
    let gone = format!("`ConfigMap/{}/db`", space.namespace);
    assert!(message.contains("leaves out 1 object"), "{message}");
    assert!(message.contains(&gone), "{message}");
    space.event("web", "PluginChangedOutput", &gone).await?;
    assert_eq!(space.value("web", "key").await?.as_deref(), Some("1"));
    assert_eq!(space.value("db", "key").await?.as_deref(), Some("1"));
    // A commit that has nothing to do with it does not let it go.
    git.write("other/app.yaml", "# nothing\n")?;
    git.commit("something else")?;
    space.fetched("app", &git.head()?).await?;
    let attempted = |found: &bulkhead_api::delivery::Delivery| {
        found.status.last_attempted_revision.as_deref()
            == Some(&format!("main@sha1:{}", git.head().unwrap_or_default()))
    };
    space.wait("web", "tried again", attempted).await?;
    fails(&space, "web", "PluginChangedOutput").await?;
    assert_eq!(space.value("db", "key").await?.as_deref(), Some("1"));
    // The version before is as good as ever.
    shop.push("files", &old).await?;
    let digest = runs(&space, "files", digest.as_deref())
        .await?
        .status
        .digest;
    applied(&space, "web", &git.head()?).await?;
    shop.push("files", &guests::renderer_of_file("0.2.0", "/one.yaml"))
        .await?;
    runs(&space, "files", digest.as_deref()).await?;
    fails(&space, "web", "PluginChangedOutput").await?;

    space
        .request::<bulkhead_api::delivery::Delivery>("web", "let it go")
        .await?;
    applied(&space, "web", &git.head()?).await?;
    space
        .wait_gone::<k8s_openapi::api::core::v1::ConfigMap>("db")
        .await?;
    assert_eq!(space.value("web", "key").await?.as_deref(), Some("2"));
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn who_uses_a_plugin_that_is_deleted_is_told() -> Result<()> {
    let world = world().await?;
    let (space, shop) = (
        Space::new(world.cluster, "gone").await?,
        Shop::open().await?,
    );
    let (git, _server) = rendered_by(&space, "files").await?;
    space.fails("web", "PluginNotFound").await?;
    shop.install(&space, "files", &guests::renderer()).await?;
    space.applied("web", &git.head()?).await?;
    space.delete::<Plugin>("files").await?;
    space.wait_gone::<Plugin>("files").await?;
    let message = space.fails("web", "PluginNotFound").await?;
    assert!(message.contains("`files`"), "{message}");
    Ok(())
}
