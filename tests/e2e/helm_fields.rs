//! HelmRelease: fields that change how an action goes, on a real API server.

use anyhow::Result;
use bulkhead_api::helmrelease::HelmRelease;
use serde_json::json;

use crate::helm_release::{deployed, records, release, stage};

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn an_upgrade_keeps_values_and_settles() -> Result<()> {
    let (space, _shelf) = stage("preserve").await?;
    let fields = json!({
        "values": { "text": "kept", "more": { "a": 1, "b": 2 } },
        "upgrade": { "preserveValues": true },
    });
    release(&space, fields).await?;
    deployed(&space, 1).await?;
    // The values are gone from the object, and stay with the release.
    let patch = json!({ "spec": { "values": { "text": null, "more": { "a": 3, "b": null } },
        "chart": { "spec": { "version": "1.1.0" } } } });
    space.patch::<HelmRelease>("web", patch).await?;
    let is_second = |found: &HelmRelease| {
        let entry = found.status.history.first();
        entry.is_some_and(|entry| entry.chart_version == "1.1.0")
            && found.metadata.generation == Some(found.status.observed_generation)
    };
    let found = space.wait("web", "at 1.1.0", is_second).await?;
    let version = found.status.history[0].version;
    let map = space.wait_value("web", "text", "kept").await?;
    assert_eq!(map.data.unwrap()["chart"], "1.1.0");
    // The stored values are not those of the object: nothing is made for that.
    space.request::<HelmRelease>("web", "now").await?;
    let is_handled =
        |found: &HelmRelease| found.status.last_handled_reconcile_at.as_deref() == Some("now");
    space.wait("web", "handled", is_handled).await?;
    deployed(&space, version).await?;
    assert_eq!(records(&space).await?.len() as i64, version);
    // Without it, only what the object says counts.
    let patch = json!({ "spec": { "upgrade": { "preserveValues": false } } });
    space.patch::<HelmRelease>("web", patch).await?;
    deployed(&space, version + 1).await?;
    space.wait_value("web", "text", "one").await?;
    Ok(())
}
