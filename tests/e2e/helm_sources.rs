//! HelmRepository and HelmChart: from web servers, a real registry and a Git server to artifacts, on
//! a real API server.

use std::time::Duration;

use anyhow::Result;
use bulkhead_api::Digest;
use bulkhead_api::meta::LocalObjectReference;
use bulkhead_api::source::{
    ChartSourceKind, ChartSourceReference, ChartVerification, HelmChart, HelmChartSpec,
    HelmRepository, HelmRepositorySpec, HelmRepositoryType, ReconcileStrategy,
};
use bulkhead_testing::cluster::Cluster;
use bulkhead_testing::git::{HttpServer, Repository};
use bulkhead_testing::registry::RegistryServer;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use tokio::time::Instant;

use crate::artifacts::{self, HELM, chart};
use crate::manager::{Manager, install_definitions, world};
use crate::shelf::Shelf;
use crate::space::{Space, condition, is_ready, ready};

/// Creates a HelmRepository `charts`, looked at every second.
async fn repository(
    space: &Space,
    url: &str,
    change: impl FnOnce(&mut HelmRepositorySpec),
) -> Result<()> {
    let mut spec = HelmRepositorySpec::new(url, Duration::from_secs(1));
    change(&mut spec);
    let object = HelmRepository::new(&space.namespace, "charts", spec);
    space.create(&object).await.map(drop)
}

/// Creates a HelmChart of the HelmRepository `charts`, looked at once an hour.
async fn helm_chart(
    space: &Space,
    name: &str,
    chart: &str,
    change: impl FnOnce(&mut HelmChartSpec),
) -> Result<()> {
    let source = ChartSourceReference::new(ChartSourceKind::HelmRepository, "charts");
    let mut spec = HelmChartSpec::new(chart, source, Duration::from_secs(3600));
    change(&mut spec);
    let object = HelmChart::new(&space.namespace, name, spec);
    space.create(&object).await.map(drop)
}

/// Waits until the chart is Ready at a revision.
async fn built(space: &Space, name: &str, revision: &str) -> Result<HelmChart> {
    let is_so = |found: &HelmChart| {
        let artifact = found.status.artifact.as_ref();
        is_ready(&found.status.conditions)
            && artifact.is_some_and(|artifact| artifact.revision == revision)
            && found.metadata.generation == Some(found.status.observed_generation)
    };
    space.wait(name, revision, is_so).await
}

/// Waits until Ready of the chart is False for a reason; returns its message.
async fn fails(space: &Space, name: &str, reason: &str) -> Result<(HelmChart, String)> {
    let is_so = |found: &HelmChart| {
        ready(&found.status.conditions)
            .is_some_and(|ready| ready.status == "False" && ready.reason == reason)
    };
    let found = space.wait(name, reason, is_so).await?;
    let message = ready(&found.status.conditions).unwrap().message.clone();
    Ok((found, message))
}

/// Waits until Ready of the repository `charts` is False for a reason; returns its message.
async fn repository_fails(space: &Space, reason: &str) -> Result<String> {
    let is_so = |found: &HelmRepository| {
        ready(&found.status.conditions)
            .is_some_and(|ready| ready.status == "False" && ready.reason == reason)
    };
    let found = space.wait("charts", reason, is_so).await?;
    Ok(ready(&found.status.conditions).unwrap().message.clone())
}

fn message(found: &HelmChart) -> &str {
    &ready(&found.status.conditions).unwrap().message
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_chart_of_an_index_follows_its_versions() -> Result<()> {
    let world = world().await?;
    let space = Space::new(world.cluster, "index").await?;
    let shelf = Shelf::open().await?;
    let values = [
        ("values.yaml", "a: 1\nb:\n  c: 2\n  d: 3\n"),
        ("more.yaml", "b:\n  c: 4\n"),
    ];
    let old = chart("podinfo", "1.0.0", &values)?;
    let next = chart("podinfo", "1.1.0", &values)?;
    let raw = shelf.put_charts(&[("podinfo", "1.0.0", &old)]);
    helm_chart(&space, "podinfo", "podinfo", |_| ()).await?;
    let (_, text) = fails(&space, "podinfo", "SourceUnavailable").await?;
    let start =
        "failed to get source: HelmRepository.source.toolkit.fluxcd.io \"charts\" not found";
    assert_eq!(text, start);
    repository(&space, shelf.url(), |_| ()).await?;

    let first = built(&space, "podinfo", "1.0.0").await?;
    let revision = Digest::of(&raw);
    let is_so = |found: &HelmRepository| is_ready(&found.status.conditions);
    let index = space.wait("charts", "ready", is_so).await?;
    let stored = format!("stored artifact: revision '{revision}'");
    assert_eq!(ready(&index.status.conditions).unwrap().message, stored);
    let artifact = index.status.artifact.unwrap();
    assert_eq!(artifact.revision, revision.to_string());
    let folder = format!("helmrepository/{}/charts", space.namespace);
    let file = format!("{folder}/index-{}.yaml", revision.to_hex());
    assert_eq!(artifact.path, file);
    let sorted: serde_json::Value = serde_json::from_slice(&artifacts::load(&artifact.url).await?)?;
    assert_eq!(sorted["entries"]["podinfo"][0]["version"], "1.0.0");
    assert!(index.status.url.unwrap().ends_with("/charts/index.yaml"));
    let event = "stored fetched index of size ";
    space.event("charts", "NewArtifact", event).await?;

    assert_eq!(
        message(&first),
        "pulled 'podinfo' chart with version '1.0.0'"
    );
    assert_eq!(
        ready(&first.status.conditions).unwrap().reason,
        "ChartPullSucceeded"
    );
    let status = &first.status;
    assert_eq!(status.observed_chart_name.as_deref(), Some("podinfo"));
    let observed = status.observed_source_artifact_revision.clone();
    assert_eq!(observed, Some(revision.to_string()));
    let artifact = status.artifact.clone().unwrap();
    let path = format!("helmchart/{}/podinfo/podinfo-1.0.0.tgz", space.namespace);
    assert_eq!(artifact.path, path);
    assert_eq!(artifacts::load(&artifact.url).await?, old, "as it is");
    let event = "pulled 'podinfo' chart with version '1.0.0'";
    space.event("podinfo", "ChartPullSucceeded", event).await?;

    // A new index wakes the chart, once, and downloads one file.
    shelf.take_requests();
    shelf.put_charts(&[("podinfo", "1.0.0", &old), ("podinfo", "1.1.0", &next)]);
    built(&space, "podinfo", "1.1.0").await?;
    let asked = shelf.take_requests();
    let charts = asked.iter().filter(|path| path.ends_with(".tgz"));
    assert_eq!(charts.collect::<Vec<_>>(), ["/podinfo-1.1.0.tgz"]);

    let files = json!({ "spec": {
        "valuesFiles": ["values.yaml", "more.yaml", "none.yaml"],
        "ignoreMissingValuesFiles": true,
    } });
    space.patch::<HelmChart>("podinfo", files).await?;
    let merged = built(&space, "podinfo", "1.1.0+2").await?;
    assert_eq!(
        message(&merged),
        "packaged 'podinfo' chart with version '1.1.0+2' and merged values files [values.yaml \
         more.yaml]"
    );
    assert_eq!(
        merged.status.observed_values_files,
        ["values.yaml", "more.yaml"]
    );
    let packed = artifacts::load(&merged.status.artifact.unwrap().url).await?;
    let values = artifacts::file_of(&packed, "podinfo/values.yaml")?;
    assert_eq!(values, "a: 1\nb:\n  c: 4\n  d: 3\n");
    space.delete::<HelmChart>("podinfo").await?;
    space.wait_gone::<HelmChart>("podinfo").await?;
    space.delete::<HelmRepository>("charts").await?;
    space.wait_gone::<HelmRepository>("charts").await
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn what_an_index_lacks_is_told_in_the_words_of_flux() -> Result<()> {
    let world = world().await?;
    let space = Space::new(world.cluster, "index-fail").await?;
    let shelf = Shelf::locked().await?;
    let packed = chart("podinfo", "1.0.0", &[])?;
    let good = shelf.put_charts(&[("podinfo", "1.0.0", &packed)]);
    space
        .secret("wrong", &[("username", "user"), ("password", "nonsense")])
        .await?;
    space
        .secret("login", &[("username", "user"), ("password", "password")])
        .await?;
    let secret = |name: &str| LocalObjectReference { name: name.into() };
    repository(&space, shelf.url(), |spec| {
        spec.secret_ref = Some(secret("wrong"));
    })
    .await?;
    let text = repository_fails(&space, "Failed").await?;
    let start = "failed to fetch Helm repository index: ";
    assert!(text.starts_with(start) && text.contains("401"), "{text}");
    helm_chart(&space, "waiting", "podinfo", |_| ()).await?;
    let (found, text) = fails(&space, "waiting", "NoSourceArtifact").await?;
    assert_eq!(
        text,
        "no artifact available for HelmRepository source 'charts'"
    );
    assert_eq!(found.status.observed_generation, -1);
    let login = json!({ "spec": { "secretRef": { "name": "login" } } });
    space.patch::<HelmRepository>("charts", login).await?;
    built(&space, "waiting", "1.0.0").await?;

    helm_chart(&space, "no-chart", "nothing", |_| ()).await?;
    let version = |version: &str| {
        let version = Some(version.to_owned());
        move |spec: &mut HelmChartSpec| spec.version = version
    };
    helm_chart(&space, "no-version", "podinfo", version("9.x")).await?;
    helm_chart(&space, "bucket", "podinfo", |spec| {
        spec.source_ref.kind = ChartSourceKind::Bucket;
    })
    .await?;
    for name in ["no-chart", "no-version"] {
        let (found, text) = fails(&space, name, "InvalidChartReference").await?;
        let start =
            "invalid chart reference: failed to get chart version for remote reference: no '";
        assert!(text.starts_with(start), "{text}");
        let conditions = &found.status.conditions;
        assert_eq!(condition(conditions, "Stalled").unwrap().status, "True");
        assert_eq!(condition(conditions, "FetchFailed").unwrap().status, "True");
        assert_eq!(found.status.observed_generation, 1);
    }
    let (_, text) = fails(&space, "bucket", "NotSupported").await?;
    assert!(text.starts_with("`spec.sourceRef.kind: Bucket`"), "{text}");

    // The chart is another than the index says.
    let digest = Digest::of(&packed).to_hex();
    let lies = good.replace(&digest, &Digest::of("other").to_hex());
    shelf.put("index.yaml", lies.replace("1.0.0\n", "1.0.1\n"));
    let (found, text) = fails(&space, "waiting", "ChartPullError").await?;
    assert!(text.starts_with("chart pull error: "), "{text}");
    assert!(text.contains(&digest), "{text}");
    let outdated = condition(&found.status.conditions, "ArtifactOutdated").unwrap();
    assert_eq!(outdated.message, "new 'podinfo' chart with version '1.0.1'");
    let kept = found.status.artifact.unwrap();
    assert_eq!(kept.revision, "1.0.0", "the last good one stays");
    shelf.put("index.yaml", "entries: [");
    let text = repository_fails(&space, "IndexationFailed").await?;
    let start = "failed to load Helm repository from index YAML: ";
    assert!(text.starts_with(start), "{text}");
    assert!(!world.manager.log().contains("nonsense"));
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn logins_are_not_told_and_files_of_others_not_touched() -> Result<()> {
    let world = world().await?;
    let (own, other) = (
        Space::new(world.cluster, "index-own").await?,
        Space::new(world.cluster, "index-other").await?,
    );
    let shelf = Shelf::locked().await?;
    let packed = chart("podinfo", "1.0.0", &[])?;
    shelf.put_charts(&[("podinfo", "1.0.0", &packed)]);
    let url = shelf.url().replace("http://", "http://user:password@");
    let is_stored = |found: &HelmRepository| is_ready(&found.status.conditions);
    let mut stored = Vec::new();
    for space in [&own, &other] {
        repository(space, &url, |spec| {
            spec.interval = Some(Duration::from_secs(3600).into());
        })
        .await?;
        let event = "stored fetched index of size ";
        let event = space.event("charts", "NewArtifact", event).await?;
        let told = event.message.unwrap_or_default();
        assert!(!told.contains("password"), "{told}");
        assert!(told.contains(&format!("from '{}/'", shelf.url())), "{told}");
        let found = space.wait("charts", "stored", is_stored).await?;
        stored.push(found.status.artifact.unwrap());
    }
    // Who may write a status names the file of another in it, with another digest.
    let (mine, theirs) = (&stored[0], &stored[1]);
    let mut lie = theirs.clone();
    lie.digest = Digest::of("other").to_string();
    let lie = json!({ "status": { "artifact": lie } });
    let (parameters, patch) = (PatchParams::default(), Patch::Merge(lie));
    let api = own.api::<HelmRepository>();
    api.patch_status("charts", &parameters, &patch).await?;
    own.request::<HelmRepository>("charts", "look").await?;
    let is_own = |found: &HelmRepository| {
        let artifact = found.status.artifact.as_ref();
        artifact.is_some_and(|artifact| artifact.path == mine.path)
            && found.status.last_handled_reconcile_at.as_deref() == Some("look")
    };
    own.wait("charts", "made anew", is_own).await?;
    let bytes = artifacts::load(&theirs.url).await?;
    assert_eq!(Digest::of(&bytes).to_string(), theirs.digest);
    assert!(!world.manager.log().contains("password"));
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_registry_is_static_and_its_charts_are_checked() -> Result<()> {
    let world = world().await?;
    let space = Space::new(world.cluster, "helm-oci").await?;
    let registry = RegistryServer::start().await?;
    for version in ["1.0.0", "1.1.0", "2.0.0"] {
        let packed = chart("podinfo", version, &[("values.yaml", "a: 1\n")])?;
        let image = format!("{}/charts/podinfo:{version}", registry.host());
        artifacts::push(&image, HELM, &packed, json!({})).await?;
    }
    let url = format!("oci://{}/charts", registry.host());
    repository(&space, &url, |spec| {
        spec.type_ = Some(HelmRepositoryType::Oci);
        spec.insecure = true;
    })
    .await?;
    let range = |spec: &mut HelmChartSpec| spec.version = Some("1.x".into());
    helm_chart(&space, "podinfo", "podinfo", range).await?;
    let found = built(&space, "podinfo", "1.1.0").await?;
    assert_eq!(
        message(&found),
        "pulled 'podinfo' chart with version '1.1.0'"
    );
    assert_eq!(found.status.observed_source_artifact_revision, None);
    helm_chart(&space, "signed", "podinfo", |spec| {
        spec.verify = Some(ChartVerification {
            provider: "cosign".into(),
            secret_ref: None,
            match_oidc_identity: Vec::new(),
        });
    })
    .await?;
    let (found, text) = fails(&space, "signed", "VerificationError").await?;
    assert!(text.starts_with("chart verification error: "), "{text}");
    let conditions = &found.status.conditions;
    let failed = condition(conditions, "BuildFailed").unwrap();
    assert_eq!(failed.reason, "ChartVerificationError");
    assert_eq!(
        condition(conditions, "SourceVerified").unwrap().status,
        "False"
    );
    helm_chart(&space, "absent", "nothing", |_| ()).await?;
    let (_, text) = fails(&space, "absent", "ChartPullError").await?;
    let start = "chart pull error: failed to get chart version for remote reference: ";
    assert!(text.starts_with(start), "{text}");
    let settled = space.api::<HelmRepository>().get("charts").await?;
    assert_eq!(settled.metadata.finalizers, None);
    assert!(settled.status.conditions.is_empty());
    assert_eq!(settled.status.artifact, None);
    Ok(())
}

/// Asks for a run of a chart, and waits until it was done.
async fn run_again(space: &Space, name: &str, token: &str) -> Result<()> {
    space.request::<HelmChart>(name, token).await?;
    let is_handled =
        |found: &HelmChart| found.status.last_handled_reconcile_at.as_deref() == Some(token);
    space.wait(name, token, is_handled).await.map(drop)
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_chart_that_is_there_costs_a_registry_as_little_as_in_flux() -> Result<()> {
    let world = world().await?;
    let space = Space::new(world.cluster, "helm-oci-calm").await?;
    let registry = RegistryServer::start().await?;
    let packed = chart("podinfo", "1.0.0", &[("values.yaml", "a: 1\n")])?;
    let image = format!("{}/charts/podinfo:1.0.0", registry.host());
    artifacts::push(&image, HELM, &packed, json!({})).await?;
    let url = format!("oci://{}/charts", registry.host());
    repository(&space, &url, |spec| {
        spec.type_ = Some(HelmRepositoryType::Oci);
        spec.insecure = true;
    })
    .await?;
    for (name, version) in [("exact", "1.0.0"), ("range", "1.x")] {
        let version = Some(version.to_owned());
        helm_chart(&space, name, "podinfo", |spec| spec.version = version).await?;
        built(&space, name, "1.0.0").await?;
    }
    registry.take_requests();
    run_again(&space, "exact", "once").await?;
    assert!(registry.take_requests().is_empty());
    run_again(&space, "range", "once").await?;
    let asked = registry.take_requests();
    let asked: Vec<&str> = asked.iter().map(|seen| &*seen.target).collect();
    assert!(!asked.is_empty(), "the tags are listed");
    let are_lists = asked.iter().all(|target| target.contains("/tags/list"));
    assert!(are_lists, "{asked:?}");
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_chart_is_made_anew_with_its_index_after_a_restart_without_storage() -> Result<()> {
    let cluster = Cluster::start().await?;
    install_definitions(&cluster).await?;
    let space = Space::new(&cluster, "helm-restart").await?;
    let shelf = Shelf::open().await?;
    let packed = chart("podinfo", "1.0.0", &[])?;
    shelf.put_charts(&[("podinfo", "1.0.0", &packed)]);
    let (before, after) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let manager = Manager::start(&cluster, before.path()).await?;
    repository(&space, shelf.url(), |spec| {
        spec.interval = Some(Duration::from_secs(3600).into());
    })
    .await?;
    helm_chart(&space, "podinfo", "podinfo", |_| ()).await?;
    let first = built(&space, "podinfo", "1.0.0").await?;
    manager.kill()?;
    shelf.hold(true);
    let _manager = Manager::start(&cluster, after.path()).await?;
    fails(&space, "podinfo", "NoSourceArtifact").await?;
    let event = space.event("podinfo", "NoSourceArtifact", "").await?;
    assert_eq!(event.type_.as_deref(), Some("Normal"), "it is no failure");
    shelf.hold(false);
    let freed = Instant::now();
    let again = built(&space, "podinfo", "1.0.0").await?;
    // Not only at the next look, after half a minute.
    assert!(
        freed.elapsed() < Duration::from_secs(10),
        "{:?}",
        freed.elapsed()
    );
    let digest = |chart: HelmChart| chart.status.artifact.unwrap().digest;
    assert_eq!(digest(again), digest(first));
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_chart_of_a_git_repository_is_packed_with_its_dependencies() -> Result<()> {
    let world = world().await?;
    let space = Space::new(world.cluster, "helm-git").await?;
    let shelf = Shelf::open().await?;
    let redis = chart("redis", "7.0.1", &[("values.yaml", "r: 1\n")])?;
    shelf.put_charts(&[("redis", "7.0.1", &redis)]);
    let web = format!(
        "apiVersion: v2\nname: web\nversion: 0.1.0\ndependencies:\n\
         - name: common\n  version: 1.x\n  repository: file://../common\n\
         - name: redis\n  version: ^7.0.0\n  repository: {}\n",
        shelf.url()
    );
    let git = Repository::with_files([
        ("charts/web/Chart.yaml", &*web),
        ("charts/web/values.yaml", "a: 1\n"),
        ("charts/web/templates/a.yaml", "a: {{ .Values.a }}\n"),
        (
            "charts/common/Chart.yaml",
            "apiVersion: v2\nname: common\nversion: 1.2.3\ntype: library\n",
        ),
        ("prod.yaml", "a: 2\n"),
    ])?;
    let server = HttpServer::start(&git).await?;
    space.repository("app", server.url()).await?;
    let of_git = |spec: &mut HelmChartSpec| {
        spec.source_ref = ChartSourceReference::new(ChartSourceKind::GitRepository, "app");
    };
    helm_chart(&space, "web", "./charts/web", of_git).await?;
    helm_chart(&space, "revision", "charts/web", |spec| {
        of_git(spec);
        spec.reconcile_strategy = Some(ReconcileStrategy::Revision);
        spec.values_files = vec!["prod.yaml".into()];
    })
    .await?;
    helm_chart(&space, "nowhere", "charts/none", of_git).await?;
    let first = git.head()?;
    let found = built(&space, "web", "0.1.0").await?;
    assert_eq!(message(&found), "packaged 'web' chart with version '0.1.0'");
    let packed = artifacts::load(&found.status.artifact.clone().unwrap().url).await?;
    let listed = artifacts::listed(&packed)?;
    for file in ["web/Chart.yaml", "web/templates/a.yaml"] {
        assert!(listed.contains(&file.to_owned()), "{listed:?}");
    }
    for name in ["common", "redis"] {
        let start = format!("web/charts/{name}");
        let is_there = listed.iter().any(|file| file.starts_with(&start));
        assert!(is_there, "{name} in {listed:?}");
    }
    let of_first = format!("0.1.0+{}.1", &first[..12]);
    let found = built(&space, "revision", &of_first).await?;
    let packed = artifacts::load(&found.status.artifact.unwrap().url).await?;
    let values = artifacts::file_of(&packed, "web/values.yaml")?;
    assert_eq!(values, "a: 2\n");
    let (_, text) = fails(&space, "nowhere", "InvalidChartReference").await?;
    assert!(text.starts_with("invalid chart reference: "), "{text}");

    git.write("prod.yaml", "a: 3\n")?;
    let second = git.commit("change values")?;
    let of_second = format!("0.1.0+{}.1", &second[..12]);
    built(&space, "revision", &of_second).await?;
    let is_seen = |found: &HelmChart| {
        let observed = found.status.observed_source_artifact_revision.as_deref();
        observed.is_some_and(|observed| observed.ends_with(&second))
    };
    let same = space.wait("web", "at the second commit", is_seen).await?;
    assert_eq!(same.status.artifact.unwrap().revision, "0.1.0");

    let suspend = json!({ "spec": { "suspend": true } });
    space.patch::<HelmChart>("web", suspend).await?;
    space.request::<HelmChart>("web", "while-suspended").await?;
    let is_handled = |found: &HelmChart| {
        found.status.last_handled_reconcile_at.as_deref() == Some("while-suspended")
    };
    space.wait("web", "told", is_handled).await.map(drop)
}
