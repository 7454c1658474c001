//! `kill -9` at every write of an install, an upgrade, a rollback and an uninstall of a release, and
//! what the next start makes of it.
//!
//! Each write of each action has a release of its own, whose writes are held from there on; when all
//! are held, the process is killed, and the next one has all of them to take up.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use bulkhead_api::helmrelease::HelmRelease;
use bulkhead_testing::cluster::{Cluster, Gate};
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::api::ListParams;
use serde_json::json;
use tokio::time::Instant;

use crate::artifacts;
use crate::helm_stage::Stage;
use crate::manager::{Manager, install_definitions};
use crate::space::{condition, is_ready, ready};

/// Objects of every version, one of each alone, hooks of each action; a port that is refused.
const FILES: [(&str, &str); 2] = [
    ("values.yaml", "text: one\nport: 80\n"),
    (
        "templates/all.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: both\ndata:\n  \
         text: {{ .Values.text | quote }}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  \
         name: only-{{ .Values.text }}\n---\napiVersion: v1\nkind: Service\nmetadata:\n  \
         name: port\nspec:\n  ports:\n  - port: {{ .Values.port }}\n---\napiVersion: v1\n\
         kind: ConfigMap\nmetadata:\n  name: before\n  annotations:\n    helm.sh/hook: \
         pre-install,pre-upgrade,pre-rollback,pre-delete\n    helm.sh/hook-delete-policy: \
         before-hook-creation,hook-succeeded\n",
    ),
];
/// How long all of them may take.
const LIMIT: Duration = Duration::from_secs(120);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Act {
    Install,
    Upgrade,
    Rollback,
    Uninstall,
}

/// Each action, and more writes than it has, those that tell of slow progress included.
const ACTS: [(Act, usize); 4] = [
    (Act::Install, 15),
    (Act::Upgrade, 17),
    (Act::Rollback, 26),
    (Act::Uninstall, 16),
];

/// A release of its own, killed after so many writes of an action.
struct Case {
    act: Act,
    after: usize,
    stage: Stage,
    /// Its records when the process was killed.
    left: Vec<String>,
}

/// Whether a write is one of the release: sources and events come when they come.
fn is_counted(path: &str) -> bool {
    !path.contains("/source.toolkit.fluxcd.io/") && !path.ends_with("/events")
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_release_outlives_a_kill_at_any_write() -> Result<()> {
    let cluster = Cluster::start().await?;
    install_definitions(&cluster).await?;
    let gate = Gate::open(&cluster, is_counted).await?;
    let folder = tempfile::tempdir()?;
    // What is held holds its place.
    let flags = ["--concurrent", "100"];
    let manager = Manager::start_through(gate.kubeconfig(), folder.path(), &flags).await?;
    let packed = artifacts::chart("web", "1.0.0", &FILES)?;
    let mut cases = Vec::new();
    for (act, many) in ACTS {
        for after in 0..many {
            let stage = Stage::new(&cluster, "kill").await?;
            stage.packed("web", "1.0.0", packed.clone());
            cases.push(Case {
                act,
                after,
                stage,
                left: Vec::new(),
            });
        }
    }
    for case in &cases {
        case.prepare().await?;
    }
    for case in &cases {
        if case.act != Act::Install {
            case.stage.deployed("web", 1).await?;
        }
    }
    for case in &cases {
        gate.hold(&case.stage.space.namespace, case.after);
        case.begin().await?;
    }
    let mut done: HashMap<Act, usize> = HashMap::new();
    let deadline = Instant::now() + LIMIT;
    for case in &mut cases {
        while !gate.is_held(&case.stage.space.namespace) {
            if case.is_over(false).await? {
                *done.entry(case.act).or_default() += 1;
                break;
            }
            ensure!(
                Instant::now() < deadline,
                "{case} got stuck:\n{}",
                manager.log()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    manager.kill()?;
    let passed = gate.release();
    for case in &mut cases {
        case.left = case.stage.records("web").await?;
    }
    for (act, _) in ACTS {
        let done = done.get(&act).copied().unwrap_or_default();
        ensure!(done > 0, "{act:?} has more writes: {passed:#?}");
    }

    let manager = Manager::start_through(gate.kubeconfig(), folder.path(), &flags).await?;
    let deadline = Instant::now() + LIMIT;
    for case in &cases {
        while !case.is_over(true).await? {
            if Instant::now() > deadline {
                let found = case.stage.space.api::<HelmRelease>().get_opt("web").await?;
                let status = serde_json::to_string_pretty(&found.map(|found| found.status))?;
                let records = case.stage.records("web").await?;
                bail!(
                    "{case} was not taken up; there was {:?}, there is {records:?}, {status}\n{}",
                    case.left,
                    manager.log()
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let namespace = &case.stage.space.namespace;
        let passed = passed.get(namespace);
        case.check()
            .await
            .with_context(|| format!("{case}, after {passed:#?}"))?;
    }
    Ok(())
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            act, after, stage, ..
        } = self;
        write!(
            f,
            "{act:?} killed after {after} writes, {}",
            stage.space.namespace
        )
    }
}

impl Case {
    async fn prepare(&self) -> Result<()> {
        if self.act == Act::Install {
            return Ok(());
        }
        self.stage.release("web", "web", fields()).await
    }

    /// Asks for what is killed.
    async fn begin(&self) -> Result<()> {
        let stage = &self.stage;
        match self.act {
            Act::Install => stage.release("web", "web", fields()).await,
            Act::Upgrade => {
                stage
                    .change("web", json!({ "values": { "text": "two" } }))
                    .await
            }
            Act::Rollback => {
                let values = json!({ "text": "two", "port": 99_999 });
                stage.change("web", json!({ "values": values })).await
            }
            Act::Uninstall => stage.space.delete::<HelmRelease>("web").await,
        }
    }

    /// Tells whether what was asked for has come to its end.
    async fn is_over(&self, after_kill: bool) -> Result<bool> {
        let found = self.stage.space.api::<HelmRelease>().get_opt("web").await?;
        let Some(found) = found else {
            return Ok(self.act == Act::Uninstall);
        };
        let status = &found.status;
        let is_current = found.metadata.generation == Some(status.observed_generation);
        let all = &status.conditions;
        let is_at_rest = is_current && condition(all, "Reconciling").is_none();
        Ok(match self.act {
            Act::Uninstall => false,
            Act::Rollback => {
                let stalled = condition(all, "Stalled");
                is_at_rest && stalled.is_some_and(|one| one.reason == "RetriesExceeded")
            }
            // An upgrade that nobody has seen yet leaves the release ready as it was.
            Act::Upgrade if !after_kill && status.history.len() < 2 => false,
            _ => is_at_rest && is_ready(all),
        })
    }

    /// Whether what was left has to be done once more, as another version.
    fn is_repeated(&self) -> bool {
        self.left.iter().any(|record| record.contains(" pending-"))
    }

    async fn check(&self) -> Result<()> {
        let records = self.stage.records("web").await?;
        let deployed = records.iter().filter(|one| one.ends_with(" deployed"));
        let count = deployed.count();
        ensure!(
            !records
                .iter()
                .any(|one| one.contains("pending") || one.contains("uninstalling")),
            "{records:?}"
        );
        let list = ListParams::default().labels("helm.toolkit.fluxcd.io/name=web");
        let maps = self.stage.space.api::<ConfigMap>().list(&list).await?;
        let maps: Vec<String> = maps
            .into_iter()
            .filter_map(|map| map.metadata.name)
            .collect();
        let services = self.stage.space.api::<Service>().list(&list).await?;
        if self.act == Act::Uninstall {
            ensure!(records.is_empty(), "{records:?}");
            ensure!(
                maps.is_empty() && services.items.is_empty(),
                "{maps:?} are left"
            );
            return Ok(());
        }
        ensure!(
            count == 1 && records.last().unwrap().ends_with(" deployed"),
            "{records:?}"
        );
        let found = self.stage.space.api::<HelmRelease>().get("web").await?;
        let status = &found.status;
        let text = if self.act == Act::Upgrade {
            "two"
        } else {
            "one"
        };
        ensure!(maps == ["both", &format!("only-{text}")], "{maps:?}");
        let both = self.stage.space.value("both", "text").await?;
        ensure!(both.as_deref() == Some(text), "{both:?}");
        let version = status.history[0].version;
        ensure!(
            records.len() as i64 == version,
            "{records:?} with v{version}"
        );
        ensure!(status.install_failures == 0, "the kill was counted");
        // Every version that is needed, none more.
        let (needed, failures) = match self.act {
            Act::Install => (1, 0),
            Act::Upgrade => (2, 0),
            _ => (3, 1),
        };
        let repeated = i64::from(self.is_repeated());
        ensure!(
            version == needed + repeated,
            "v{version}; {:?} were left, {records:?} are there",
            self.left
        );
        ensure!(
            status.upgrade_failures == failures,
            "the kill was counted: {status:?}"
        );
        if self.act == Act::Rollback {
            let reason = &ready(&status.conditions).unwrap().reason;
            ensure!(reason == "RollbackSucceeded", "{reason}");
        }
        Ok(())
    }
}

fn fields() -> serde_json::Value {
    let remediation = json!({ "retries": 0, "remediateLastFailure": true });
    json!({ "upgrade": { "remediation": remediation } })
}
