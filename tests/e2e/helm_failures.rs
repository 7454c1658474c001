//! What goes wrong with releases, what becomes of it, and how it is told: a table of causes beside the
//! reasons, types and messages of upstream's events, and its conditions.

use anyhow::{Context as _, Result, ensure};
use bulkhead_api::helmrelease::HelmRelease;
use bulkhead_api::meta::Condition;
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::{Value, json};

use crate::helm_stage::Stage;
use crate::manager::world;
use crate::space::condition;

/// Ports that are too large are refused: of the release, its test, and its hooks.
const FILES: [(&str, &str); 2] = [
    (
        "values.yaml",
        "text: one\nport: 80\ntest: 80\nrollback: 80\ndelete: 80\n",
    ),
    ("templates/all.yaml", OBJECTS),
];
const OBJECTS: &str = r#"apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  text: {{ .Values.text | quote }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
spec:
  ports:
  - port: {{ .Values.port }}
{{- range $event, $port := dict "test" .Values.test "pre-rollback" .Values.rollback "pre-delete" .Values.delete }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ $.Release.Name }}-{{ $event }}
  annotations:
    helm.sh/hook: {{ $event }}
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  ports:
  - port: {{ $port }}
{{- end }}
"#;

/// What is done to a release once it is installed.
#[derive(Clone, Debug)]
enum Then {
    Nothing,
    Change(Value),
    Delete,
    /// Its ConfigMap is changed by somebody, and a look is asked for.
    Edit,
}

/// An event: type, reason, and a part of its message, where `NS` is the namespace.
type Told = (&'static str, &'static str, &'static str);
/// A condition: type, status, reason.
type Is = (&'static str, &'static str, &'static str);

struct Case {
    name: &'static str,
    fields: Value,
    then: Then,
    events: &'static [Told],
    conditions: &'static [Is],
}

/// Of a chart that is refused.
fn bad() -> Value {
    json!({ "port": 99_999 })
}

/// Of a release whose last failure is remediated.
fn remediated() -> Value {
    json!({ "remediation": { "retries": 0, "remediateLastFailure": true } })
}

fn ends_well() -> Vec<Case> {
    vec![
        Case {
            name: "installed",
            fields: json!({}),
            then: Then::Nothing,
            events: &[(
                "Normal",
                "InstallSucceeded",
                "Helm install succeeded for release NS/installed.v1 with chart web@1.0.0",
            )],
            conditions: &[
                ("Ready", "True", "InstallSucceeded"),
                ("Released", "True", "InstallSucceeded"),
            ],
        },
        Case {
            name: "upgraded",
            fields: json!({}),
            then: Then::Change(json!({ "values": { "text": "two" } })),
            events: &[(
                "Normal",
                "UpgradeSucceeded",
                "Helm upgrade succeeded for release NS/upgraded.v2 with chart web@1.0.0",
            )],
            conditions: &[
                ("Ready", "True", "UpgradeSucceeded"),
                ("Released", "True", "UpgradeSucceeded"),
            ],
        },
        Case {
            name: "tested",
            fields: json!({ "test": { "enable": true } }),
            then: Then::Nothing,
            events: &[(
                "Normal",
                "TestSucceeded",
                "Helm test succeeded for release NS/tested.v1 with chart web@1.0.0: 1 test hook \
                 completed successfully",
            )],
            conditions: &[
                ("TestSuccess", "True", "TestSucceeded"),
                ("Ready", "True", "TestSucceeded"),
            ],
        },
        Case {
            name: "corrected",
            fields: json!({ "driftDetection": { "mode": "enabled" } }),
            then: Then::Edit,
            events: &[
                (
                    "Warning",
                    "DriftDetected",
                    "Cluster state of release NS/corrected.v1 has drifted from the desired \
                     state:\nConfigMap/NS/corrected changed (0 additions, 1 changes, 0 removals)",
                ),
                (
                    "Normal",
                    "DriftCorrected",
                    "Cluster state of release NS/corrected.v1 has been corrected:\n\
                     ConfigMap/NS/corrected configured",
                ),
            ],
            conditions: &[("Ready", "True", "InstallSucceeded")],
        },
        Case {
            name: "warned",
            fields: json!({ "driftDetection": { "mode": "warn" } }),
            then: Then::Edit,
            events: &[("Warning", "DriftDetected", "NS/warned.v1 has drifted from")],
            conditions: &[
                ("Drifted", "True", "DriftDetected"),
                ("Ready", "True", "InstallSucceeded"),
            ],
        },
        Case {
            name: "deleted",
            fields: json!({}),
            then: Then::Delete,
            events: &[(
                "Normal",
                "UninstallSucceeded",
                "Helm uninstall succeeded for release NS/deleted.v1 with chart web@1.0.0",
            )],
            conditions: &[],
        },
    ]
}

fn fails() -> Vec<Case> {
    vec![
        Case {
            name: "install-fails",
            fields: json!({ "values": bad() }),
            then: Then::Nothing,
            events: &[(
                "Warning",
                "InstallFailed",
                "Helm install failed for release NS/install-fails with chart web@1.0.0: ",
            )],
            conditions: &[
                ("Ready", "False", "InstallFailed"),
                ("Released", "False", "InstallFailed"),
                ("Stalled", "True", "RetriesExceeded"),
            ],
        },
        Case {
            name: "upgrade-fails",
            fields: json!({}),
            then: Then::Change(json!({ "values": bad() })),
            events: &[(
                "Warning",
                "UpgradeFailed",
                "Helm upgrade failed for release NS/upgrade-fails with chart web@1.0.0: ",
            )],
            conditions: &[
                ("Ready", "False", "UpgradeFailed"),
                ("Released", "False", "UpgradeFailed"),
                ("Stalled", "True", "RetriesExceeded"),
            ],
        },
        Case {
            name: "upgrade-retried",
            fields: json!({
                "upgrade": { "strategy": { "name": "RetryOnFailure", "retryInterval": "1h" } },
            }),
            then: Then::Change(json!({ "values": bad() })),
            events: &[(
                "Warning",
                "UpgradeFailed",
                "release NS/upgrade-retried with",
            )],
            conditions: &[
                ("Ready", "False", "UpgradeFailed"),
                ("Reconciling", "True", "ProgressingWithRetry"),
            ],
        },
        Case {
            name: "test-fails",
            fields: json!({ "test": { "enable": true }, "values": { "test": 99_999 } }),
            then: Then::Nothing,
            events: &[(
                "Warning",
                "TestFailed",
                "Helm test failed for release NS/test-fails.v1 with chart web@1.0.0: ",
            )],
            conditions: &[
                ("Ready", "False", "TestFailed"),
                ("Released", "True", "InstallSucceeded"),
                ("TestSuccess", "False", "TestFailed"),
                ("Stalled", "True", "RetriesExceeded"),
            ],
        },
        Case {
            name: "test-ignored",
            fields: json!({
                "test": { "enable": true, "ignoreFailures": true },
                "values": { "test": 99_999 },
            }),
            then: Then::Nothing,
            events: &[("Warning", "TestFailed", "release NS/test-ignored.v1 with")],
            conditions: &[
                ("Ready", "True", "InstallSucceeded"),
                ("TestSuccess", "False", "TestFailed"),
            ],
        },
        Case {
            name: "test-filtered",
            fields: json!({
                "test": {
                    "enable": true,
                    "filters": [{ "name": "test-filtered-test", "exclude": true }],
                },
                "values": { "test": 99_999 },
            }),
            then: Then::Nothing,
            events: &[(
                "Normal",
                "TestSucceeded",
                "Helm test succeeded for release NS/test-filtered.v1 with chart web@1.0.0: 1 \
                 test hook completed successfully",
            )],
            conditions: &[("Ready", "True", "TestSucceeded")],
        },
        Case {
            name: "delete-fails",
            fields: json!({ "values": { "delete": 99_999 } }),
            then: Then::Delete,
            events: &[(
                "Warning",
                "UninstallFailed",
                "Helm uninstall failed for release NS/delete-fails.v1 with chart web@1.0.0: ",
            )],
            conditions: &[("Released", "False", "UninstallFailed")],
        },
    ]
}

fn is_remediated() -> Vec<Case> {
    vec![
        Case {
            name: "rolled-back",
            fields: json!({ "upgrade": remediated() }),
            then: Then::Change(json!({ "values": bad() })),
            events: &[
                ("Warning", "UpgradeFailed", "release NS/rolled-back with"),
                (
                    "Normal",
                    "RollbackSucceeded",
                    "Helm rollback to previous release NS/rolled-back.v1 with chart web@1.0.0 \
                     succeeded",
                ),
            ],
            conditions: &[
                ("Ready", "False", "RollbackSucceeded"),
                ("Released", "False", "UpgradeFailed"),
                ("Remediated", "True", "RollbackSucceeded"),
                ("Stalled", "True", "RetriesExceeded"),
            ],
        },
        Case {
            name: "rollback-fails",
            fields: json!({ "upgrade": remediated(), "values": { "rollback": 99_999 } }),
            then: Then::Change(json!({ "values": bad() })),
            events: &[(
                "Warning",
                "RollbackFailed",
                "Helm rollback to previous release NS/rollback-fails.v1 with chart web@1.0.0 \
                 failed: ",
            )],
            conditions: &[
                ("Ready", "False", "RollbackFailed"),
                ("Remediated", "False", "RollbackFailed"),
                ("Stalled", "True", "RetriesExceeded"),
            ],
        },
        Case {
            name: "no-target",
            fields: json!({
                "values": bad(),
                "upgrade": { "remediation": { "retries": 1 } },
            }),
            then: Then::Change(json!({ "values": { "text": "two" } })),
            events: &[
                ("Warning", "InstallFailed", "release NS/no-target with"),
                ("Warning", "UpgradeFailed", "release NS/no-target with"),
            ],
            conditions: &[
                ("Ready", "False", "UpgradeFailed"),
                ("Stalled", "True", "MissingRollbackTarget"),
            ],
        },
        Case {
            name: "uninstalled",
            fields: json!({ "values": bad(), "install": remediated() }),
            then: Then::Nothing,
            events: &[
                ("Warning", "InstallFailed", "release NS/uninstalled with"),
                (
                    "Normal",
                    "UninstallSucceeded",
                    "Helm uninstall remediation for release NS/uninstalled.v1 with chart \
                     web@1.0.0 succeeded",
                ),
            ],
            conditions: &[
                ("Ready", "False", "InstallFailed"),
                ("Remediated", "True", "UninstallSucceeded"),
                ("Stalled", "True", "RetriesExceeded"),
            ],
        },
        Case {
            name: "uninstall-fails",
            fields: json!({
                "values": { "port": 99_999, "delete": 99_999 },
                "install": remediated(),
            }),
            then: Then::Nothing,
            events: &[(
                "Warning",
                "UninstallFailed",
                "Helm uninstall remediation for release NS/uninstall-fails.v1 with chart \
                 web@1.0.0 failed: ",
            )],
            conditions: &[
                ("Ready", "False", "InstallFailed"),
                ("Remediated", "False", "UninstallFailed"),
                ("Stalled", "True", "RetriesExceeded"),
            ],
        },
    ]
}

fn is_waited_for() -> Vec<Case> {
    let reference = json!({ "kind": "HelmChart", "name": "none" });
    vec![
        Case {
            name: "no-values",
            fields: json!({ "valuesFrom": [{ "kind": "Secret", "name": "none" }] }),
            then: Then::Nothing,
            events: &[(
                "Warning",
                "ValuesError",
                "could not resolve Secret chart values reference 'NS/none' with key 'values.yaml'",
            )],
            conditions: &[
                ("Ready", "False", "ValuesError"),
                ("Reconciling", "True", "Progressing"),
            ],
        },
        Case {
            name: "waits",
            fields: json!({ "dependsOn": [{ "name": "install-fails" }] }),
            then: Then::Nothing,
            events: &[(
                "Normal",
                "DependencyNotReady",
                "dependency 'NS/install-fails' is not ready",
            )],
            conditions: &[("Ready", "False", "DependencyNotReady")],
        },
        Case {
            name: "no-source",
            fields: json!({ "chart": null, "chartRef": reference }),
            then: Then::Nothing,
            events: &[],
            conditions: &[("Ready", "False", "ArtifactFailed")],
        },
        Case {
            name: "no-chart",
            fields: json!({ "chart": { "spec": { "chart": "none" } } }),
            then: Then::Nothing,
            events: &[],
            conditions: &[("Ready", "False", "SourceNotReady")],
        },
    ]
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn each_cause_is_told_in_the_words_of_flux() -> Result<()> {
    let stage = Stage::new(world().await?.cluster, "told").await?;
    stage.chart("web", "1.0.0", &FILES)?;
    let mut cases = ends_well();
    cases.extend(fails());
    cases.extend(is_remediated());
    cases.extend(is_waited_for());
    for case in &cases {
        stage.release(case.name, "web", case.fields.clone()).await?;
    }
    for case in &cases {
        case.proceed(&stage).await?;
    }
    for case in &cases {
        case.check(&stage).await.with_context(|| case.name)?;
    }
    // What cannot be removed stays, with its object, until it can be.
    stage
        .change(
            "delete-fails",
            json!({ "uninstall": { "disableHooks": true } }),
        )
        .await?;
    stage.space.wait_gone::<HelmRelease>("delete-fails").await?;
    stage.space.wait_gone::<ConfigMap>("delete-fails").await?;
    Ok(())
}

impl Case {
    async fn proceed(&self, stage: &Stage) -> Result<()> {
        let name = self.name;
        if matches!(self.then, Then::Nothing) {
            return Ok(());
        }
        let is_made = |found: &HelmRelease| {
            let released = condition(&found.status.conditions, "Released");
            released.is_some()
                && found.metadata.generation == Some(found.status.observed_generation)
        };
        stage.space.wait(name, "installed", is_made).await?;
        match &self.then {
            Then::Nothing => Ok(()),
            Then::Change(spec) => stage.change(name, spec.clone()).await,
            Then::Delete => stage.space.delete::<HelmRelease>(name).await,
            Then::Edit => {
                let changed = json!({ "data": { "text": "somebody's" } });
                stage.space.patch::<ConfigMap>(name, changed).await?;
                stage.space.request::<HelmRelease>(name, "look").await
            }
        }
    }

    async fn check(&self, stage: &Stage) -> Result<()> {
        let namespace = &stage.space.namespace;
        if !self.conditions.is_empty() {
            let is = |all: &[Condition], (type_, status, reason): &Is| {
                condition(all, type_)
                    .is_some_and(|one| one.status == *status && one.reason == *reason)
            };
            let has_all = |found: &HelmRelease| {
                let all = &found.status.conditions;
                self.conditions.iter().all(|wanted| is(all, wanted))
            };
            let what = format!("{:?}", self.conditions);
            stage.space.wait(self.name, &what, has_all).await?;
        }
        for (type_, reason, part) in self.events {
            let part = part.replace("NS", namespace);
            let event = stage.space.event(self.name, reason, &part).await?;
            ensure!(event.type_.as_deref() == Some(type_), "{event:?}");
            let source = event.source.and_then(|source| source.component);
            ensure!(source.as_deref() == Some("helm-controller"), "{source:?}");
        }
        Ok(())
    }
}
