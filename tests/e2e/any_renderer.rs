//! Renderers and transformers of the user's own: Delivery, and a Kustomization with annotations.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bulkhead_api::delivery::{Delivery, DeliverySpec, PluginReference, Transformer};
use bulkhead_api::kustomize::{Kustomization, SourceKind, SourceReference};
use bulkhead_api::plugin::{Plugin, PluginSpec};
use bulkhead_testing::git::{HttpServer, Repository};
use bulkhead_testing::registry::RegistryServer;
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::{Value, json};

use crate::command::bulkhead;
use crate::guests;
use crate::manager::{http_get, world};
use crate::space::{Space, condition, config_map, is_ready, ready};

/// A registry with plugins in it.
pub(crate) struct Shop {
    pub(crate) registry: RegistryServer,
    pub(crate) folder: tempfile::TempDir,
}

impl Shop {
    pub(crate) async fn open() -> Result<Self> {
        Ok(Self {
            registry: RegistryServer::start().await?,
            folder: tempfile::tempdir()?,
        })
    }

    /// Pushes a component, and installs it in the namespace under its name.
    pub(crate) async fn install(&self, space: &Space, name: &str, component: &[u8]) -> Result<()> {
        let image = self.push(name, component).await?;
        let mut spec = PluginSpec::new(&image);
        spec.insecure = true;
        space
            .create(&Plugin::new(&space.namespace, name, spec))
            .await?;
        let is_ready = |found: &Plugin| is_ready(&found.status.conditions);
        space.wait(name, "ready", is_ready).await.map(drop)
    }

    /// Pushes a component; returns its reference.
    pub(crate) async fn push(&self, name: &str, component: &[u8]) -> Result<String> {
        let file = format!("{name}.wasm");
        std::fs::write(self.folder.path().join(&file), component)?;
        let image = format!("{}/plugins/{name}:1.0.0", self.registry.host());
        self.run(&["plugin", "push", &image, &file]).await?;
        Ok(image)
    }

    /// Runs the command with this registry; fails unless it succeeds.
    async fn run(&self, arguments: &[&str]) -> Result<()> {
        let mut arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        arguments.extend(["--plain-http".to_owned(), self.registry.host().to_owned()]);
        let folder = self.folder.path().to_owned();
        // The registry is served by the thread that waits for the command.
        let command = move || {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            bulkhead(&folder, &arguments)
        };
        let printed = tokio::task::spawn_blocking(command).await?;
        ensure!(printed.status == Some(0), "{}", printed.err);
        Ok(())
    }
}

/// A Delivery of the GitRepository `app`, rendered by `plugin`, into this namespace.
pub(crate) fn delivery(space: &Space, name: &str, plugin: &str, path: &str) -> Delivery {
    let source = SourceReference::new(SourceKind::GitRepository, "app");
    let hour = Duration::from_secs(3600);
    let mut spec = DeliverySpec::new(source, PluginReference::new(plugin), hour, true);
    spec.path = Some(path.to_owned());
    spec.target_namespace = Some(space.namespace.clone());
    Delivery::new(&space.namespace, name, spec)
}

fn transformer(name: &str) -> Transformer {
    Transformer {
        plugin: PluginReference::new(name),
        config: Default::default(),
    }
}

pub(crate) async fn applied(space: &Space, name: &str, commit: &str) -> Result<Delivery> {
    let revision = format!("main@sha1:{commit}");
    let is_applied = |found: &Delivery| {
        is_ready(&found.status.conditions)
            && found.status.last_applied_revision.as_deref() == Some(&revision)
            && found.metadata.generation == Some(found.status.observed_generation)
    };
    space.wait(name, "ready with the commit", is_applied).await
}

pub(crate) async fn fails(space: &Space, name: &str, reason: &str) -> Result<String> {
    let has_failed = |found: &Delivery| {
        let ready = ready(&found.status.conditions);
        ready.is_some_and(|ready| ready.status == "False" && ready.reason == reason)
    };
    let found = space
        .wait(name, &format!("failed with {reason}"), has_failed)
        .await?;
    let ready = ready(&found.status.conditions).context("there is a condition")?;
    Ok(ready.message.clone())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_delivery_waits_for_its_plugin_and_is_rendered_and_labelled() -> Result<()> {
    let world = world().await?;
    let (space, shop) = (
        Space::new(world.cluster, "deliver").await?,
        Shop::open().await?,
    );
    let git = Repository::with_files([("web/app.yaml", config_map("web", "1").as_str())])?;
    let server = HttpServer::start(&git).await?;
    space.repository("app", server.url()).await?;
    let mut object = delivery(&space, "web", "files", "web");
    object.spec.transformers = vec![transformer("team")];
    space.create(&object).await?;
    let message = fails(&space, "web", "PluginNotFound").await?;
    let expected = format!(
        "no plugin `files` is installed in namespace `{}`",
        space.namespace
    );
    assert!(message.starts_with(&expected), "{message}");

    // Nothing asks again for an hour: the plugins themselves wake it.
    shop.install(&space, "files", &guests::renderer()).await?;
    shop.install(&space, "team", &guests::labels()).await?;
    let found = applied(&space, "web", &git.head()?).await?;
    let object = space.wait_value("web", "key", "1").await?;
    let labels = object.metadata.labels.context("labels")?;
    assert_eq!(labels["team"], "web");
    assert_eq!(labels["bulkhead.dev/name"], "web");
    assert_eq!(labels["bulkhead.dev/namespace"], space.namespace);
    let status = &found.status;
    assert_eq!(status.conditions.len(), 1, "{:?}", status.conditions);
    let entries = &status.inventory.as_ref().context("an inventory")?.entries;
    assert_eq!(entries[0].id, format!("{}_web__ConfigMap", space.namespace));
    let render = status.render.as_ref().context("what was rendered")?;
    let steps: Vec<_> = render.plugins.keys().map(String::as_str).collect();
    assert_eq!(steps, ["0-files", "1-team"]);
    assert_eq!(
        status.history[0].metadata["bulkhead.dev/render"],
        render.digest
    );
    space.event("web", "Progressing", "ConfigMap/").await?;

    // The rest is as for a Kustomization: a commit, a request, a deletion.
    git.write("web/app.yaml", config_map("web", "2"))?;
    applied(&space, "web", &git.commit("change web")?).await?;
    assert_eq!(space.value("web", "key").await?.as_deref(), Some("2"));
    space.request::<Delivery>("web", "now").await?;
    let handled =
        |found: &Delivery| found.status.last_handled_reconcile_at.as_deref() == Some("now");
    space
        .wait("web", "told that the request was handled", handled)
        .await?;
    space.delete::<Delivery>("web").await?;
    space.wait_gone::<Delivery>("web").await?;
    space.wait_gone::<ConfigMap>("web").await
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_configuration_is_checked_against_the_schema_before_anything_runs() -> Result<()> {
    let world = world().await?;
    let (space, shop) = (
        Space::new(world.cluster, "schema").await?,
        Shop::open().await?,
    );
    let git = Repository::with_files([("web/app.yaml", config_map("web", "1").as_str())])?;
    let server = HttpServer::start(&git).await?;
    space.repository("app", server.url()).await?;
    shop.install(&space, "files", &guests::renderer()).await?;
    let mut object = delivery(&space, "web", "files", "web");
    object.spec.config = serde_json::from_value(json!({ "replicas": "two" }))?;
    space.create(&object).await?;
    let message = fails(&space, "web", "ValidationFailed").await?;
    assert!(
        message.contains("`spec.config`") && message.contains("`replicas`"),
        "{message}"
    );
    let right = json!({ "spec": { "config": { "replicas": 2 } } });
    space.patch::<Delivery>("web", right).await?;
    applied(&space, "web", &git.head()?).await?;
    // What is part of the binary is checked alike.
    let mut object = delivery(&space, "built-in", "kustomize", "web");
    object.spec.config = serde_json::from_value(json!({ "generates": true }))?;
    space.create(&object).await?;
    let message = fails(&space, "built-in", "ValidationFailed").await?;
    assert!(message.contains("`generates`"), "{message}");
    let right = json!({ "spec": { "config": { "generates": null, "generate": true } } });
    space.patch::<Delivery>("built-in", right).await?;
    applied(&space, "built-in", &git.head()?).await.map(drop)
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_kustomization_names_renderer_and_transformers_by_annotation() -> Result<()> {
    let world = world().await?;
    let (space, shop) = (
        Space::new(world.cluster, "annotated").await?,
        Shop::open().await?,
    );
    let git = Repository::with_files([
        ("web/app.yaml", config_map("web", "${value}").as_str()),
        ("plain/plain.yaml", config_map("plain", "1").as_str()),
    ])?;
    let server = HttpServer::start(&git).await?;
    space.repository("app", server.url()).await?;
    shop.install(&space, "files", &guests::renderer()).await?;
    shop.install(&space, "team", &guests::labels()).await?;
    let annotate = async |name: &str, path: &str, annotations: Value| {
        space
            .kustomization(name, |spec| {
                spec.path = Some(path.to_owned());
                spec.suspend = true;
                let substitute = [("value".to_owned(), "7".to_owned())].into();
                spec.post_build = Some(bulkhead_api::kustomize::PostBuild {
                    substitute,
                    ..Default::default()
                });
            })
            .await?;
        let patch =
            json!({ "metadata": { "annotations": annotations }, "spec": { "suspend": false } });
        space.patch::<Kustomization>(name, patch).await.map(drop)
    };
    let with = json!({
        "bulkhead.dev/renderer": "files",
        "bulkhead.dev/config": "replicas: 3\n",
        "bulkhead.dev/transformers": "team",
    });
    annotate("web", "web", with).await?;
    // kustomize with a transformer behind it, told what nobody names.
    let only = json!({ "bulkhead.dev/transformers": "team" });
    annotate("plain", "plain", only).await?;
    let found = space.applied("web", &git.head()?).await?;
    assert!(found.status.history[0].metadata["bulkhead.dev/render"].starts_with("sha256:"));
    let web = space.wait_value("web", "key", "7").await?;
    assert_eq!(web.metadata.labels.context("labels")?["team"], "web");
    space.applied("plain", &git.head()?).await?;
    let plain = space.wait_value("plain", "key", "1").await?;
    assert_eq!(plain.metadata.labels.context("labels")?["team"], "web");

    let useless = json!({ "metadata": { "annotations": { "bulkhead.dev/config.tem": "a: 1" } } });
    space.patch::<Kustomization>("plain", useless).await?;
    space.request::<Kustomization>("plain", "now").await?;
    let message = space.fails("plain", "ValidationFailed").await?;
    assert!(message.contains("`bulkhead.dev/config.tem`"), "{message}");
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_transformer_that_traps_is_named_and_prunes_nothing() -> Result<()> {
    let world = world().await?;
    let (space, shop) = (
        Space::new(world.cluster, "trapping").await?,
        Shop::open().await?,
    );
    let git = Repository::with_files([("web/app.yaml", config_map("web", "1").as_str())])?;
    let server = HttpServer::start(&git).await?;
    space.repository("app", server.url()).await?;
    shop.install(&space, "files", &guests::renderer()).await?;
    shop.install(&space, "broken", &guests::trapping()).await?;
    space
        .create(&delivery(&space, "web", "files", "web"))
        .await?;
    applied(&space, "web", &git.head()?).await?;
    let patch = json!({ "spec": { "transformers": [{ "plugin": { "name": "broken" } }] } });
    space.patch::<Delivery>("web", patch).await?;
    let message = fails(&space, "web", "PluginTrapped").await?;
    assert!(
        message.starts_with("transformer `broken` failed: "),
        "{message}"
    );
    assert_eq!(space.value("web", "key").await?.as_deref(), Some("1"));

    // What a plugin empties is not pruned either.
    let patch = json!({ "spec": { "transformers": null } });
    space.patch::<Delivery>("web", patch).await?;
    applied(&space, "web", &git.head()?).await?;
    git.write("web/app.yaml", "# nothing\n")?;
    git.commit("empty the file")?;
    let message = fails(&space, "web", "BuildFailed").await?;
    assert!(
        message.starts_with("plugin `files` returned no objects, and 1 are applied"),
        "{message}"
    );
    assert_eq!(space.value("web", "key").await?.as_deref(), Some("1"));
    Ok(())
}

/// Applications of the monorepo.
const APPS: usize = 200;

/// Calls of a plugin that the manager counted.
fn calls(port: u16, plugin: &str, result: &str) -> Result<u64> {
    let text = http_get(port, "/metrics")?;
    let start = format!("bulkhead_renders_total{{plugin=\"{plugin}\",result=\"{result}\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&start));
    line.map_or(Ok(0), |number| Ok(number.parse()?))
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn of_200_applications_a_commit_renders_the_one_that_it_touches() -> Result<()> {
    let world = world().await?;
    let (space, shop) = (
        Space::new(world.cluster, "monorepo").await?,
        Shop::open().await?,
    );
    let files: Vec<_> = (0..APPS)
        .map(|app| {
            (
                format!("apps/{app}/app.yaml"),
                config_map(&format!("a{app}"), "1"),
            )
        })
        .collect();
    let git = Repository::with_files(files.iter().map(|(path, text)| (&**path, &**text)))?;
    let server = HttpServer::start(&git).await?;
    // Other tests render too: no other uses this name.
    let plugin = format!("mono-{}", space.namespace);
    shop.install(&space, &plugin, &guests::renderer()).await?;
    for app in 0..APPS {
        let object = delivery(&space, &format!("a{app}"), &plugin, &format!("apps/{app}"));
        space.create(&object).await?;
    }
    space.repository("app", server.url()).await?;
    for app in 0..APPS {
        applied(&space, &format!("a{app}"), &git.head()?).await?;
    }
    let port = world.manager.metrics;
    assert_eq!(
        calls(port, &plugin, "run")?,
        APPS as u64,
        "each is rendered once"
    );
    let reused = calls(port, &plugin, "cached")?;

    git.write("apps/7/app.yaml", config_map("a7", "2"))?;
    let commit = git.commit("touch one application")?;
    for app in 0..APPS {
        applied(&space, &format!("a{app}"), &commit).await?;
    }
    assert_eq!(space.value("a7", "key").await?.as_deref(), Some("2"));
    assert_eq!(
        calls(port, &plugin, "run")?,
        APPS as u64 + 1,
        "one is rendered again"
    );
    assert!(calls(port, &plugin, "cached")? - reused >= APPS as u64 - 1);
    assert_eq!(calls(port, &plugin, "failed")?, 0);
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_laptop_makes_the_same_render_with_the_same_digest() -> Result<()> {
    let world = world().await?;
    let (space, shop) = (
        Space::new(world.cluster, "provenance").await?,
        Shop::open().await?,
    );
    let git = Repository::with_files([("web/app.yaml", config_map("web", "1").as_str())])?;
    let server = HttpServer::start(&git).await?;
    space.repository("app", server.url()).await?;
    let image = shop.push("files", &guests::renderer()).await?;
    shop.install(&space, "files", &guests::renderer()).await?;
    let mut object = delivery(&space, "web", "files", "web");
    object.spec.config = serde_json::from_value(json!({ "replicas": 2 }))?;
    object.spec.target_namespace = None;
    // Without a namespace of its own, the object says where it goes.
    let text = config_map("web", "1").replace(
        "name: web",
        &format!("name: web\n  namespace: {}", space.namespace),
    );
    git.write("web/app.yaml", text)?;
    let commit = git.commit("name the namespace")?;
    space.create(&object).await?;
    let found = applied(&space, "web", &commit).await?;
    let render = found.status.render.context("what was rendered")?;

    let version = space.client.apiserver_version().await?.git_version;
    let checkout = git.path().display().to_string();
    let directory = git.path().join("web").display().to_string();
    let arguments = [
        "render",
        &image,
        &directory,
        "--root",
        &checkout,
        "--config",
        r#"{"replicas":2}"#,
        "--name=web",
        "--namespace",
        &space.namespace,
        "--kube-version",
        &version,
        "--provenance=statement.json",
    ];
    shop.run(&arguments).await?;
    let statement = std::fs::read_to_string(shop.folder.path().join("statement.json"))?;
    let statement: Value = serde_json::from_str(&statement)?;
    assert_eq!(
        statement["predicate"]["render"], render.digest,
        "{statement:#}"
    );
    let output = &statement["subject"][0]["digest"]["sha256"];
    assert_eq!(
        json!(render.output),
        json!(format!("sha256:{}", output.as_str().unwrap_or_default()))
    );
    assert!(condition(&found.status.conditions, "Stalled").is_none());
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_failed_render_is_kept_and_repeated_anywhere() -> Result<()> {
    let world = world().await?;
    let (space, shop) = (
        Space::new(world.cluster, "transcript").await?,
        Shop::open().await?,
    );
    let git = Repository::with_files([("web/other.yaml", config_map("web", "1").as_str())])?;
    let server = HttpServer::start(&git).await?;
    space.repository("app", server.url()).await?;
    shop.install(&space, "files", &guests::renderer()).await?;
    space
        .create(&delivery(&space, "web", "files", "web"))
        .await?;
    let message = fails(&space, "web", "BuildFailed").await?;
    assert!(message.contains("there is no app.yaml"), "{message}");
    let (_, after) = message
        .split_once("`bulkhead plugin replay ")
        .with_context(|| message.clone())?;
    let (told, _) = after.split_once('`').context("the end of the command")?;
    let mut command = vec!["plugin", "replay"];
    command.extend(told.split(' '));
    shop.run(&command).await?;
    let file = command[2];
    space.delete::<Delivery>("web").await?;
    space.wait_gone::<Delivery>("web").await?;
    assert!(
        !std::path::Path::new(file).exists(),
        "it goes with its object"
    );
    Ok(())
}
