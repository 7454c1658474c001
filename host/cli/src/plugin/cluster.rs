//! Plugins of a cluster: the objects that `install` writes or prints, and those that are there.

use anyhow::{Context as _, anyhow};
use bulkhead_wasm::{Grants, Manifest};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Map, Value, json};

use super::{grants, print};
use crate::args::{
    ClusterArguments, InstallPluginArguments, ListArguments, OutputFormat, PolicyArguments,
    RemoveArguments,
};
use crate::cluster::config;
use crate::output::{self, CliError};

/// Who owns the fields that this command writes.
const MANAGER: &str = "bulkhead-cli";

const GROUP: &str = "bulkhead.dev";
const VERSION: &str = "v1alpha1";

/// Tells whether a cluster is meant, rather than this user's own plugins.
pub(super) fn is_meant(arguments: &ClusterArguments) -> bool {
    arguments.kubeconfig.is_some() || arguments.context.is_some() || arguments.namespace.is_some()
}

/// Prints the objects that `install` would write.
pub(super) fn export(
    arguments: &InstallPluginArguments,
    name: &str,
    known: Option<(&Manifest, &Grants)>,
) -> Result<(), CliError> {
    let granted = match known {
        Some((_, granted)) => granted.clone(),
        None => grants::parse(&arguments.grant)?,
    };
    for (index, object) in objects(arguments, name, &granted)?.iter().enumerate() {
        match arguments.output {
            OutputFormat::Json => output::data(&format!("{object}\n"))?,
            OutputFormat::Text => {
                let marker = if index > 0 { "---\n" } else { "" };
                output::data(&format!("{marker}{}", bulkhead_apply::yaml::write(object)))?;
            }
        }
    }
    Ok(())
}

/// Writes the objects to the cluster.
pub(super) async fn install(
    arguments: &InstallPluginArguments,
    name: &str,
    manifest: &Manifest,
    granted: &Grants,
) -> Result<(), CliError> {
    let client = client(&arguments.cluster).await?;
    for object in objects(arguments, name, granted)? {
        let written: DynamicObject = serde_json::from_value(object)?;
        let types = written.types.clone().unwrap_or_default();
        let api = api(
            &client,
            &types.api_version,
            &types.kind,
            written.metadata.namespace.as_deref(),
        );
        let params = PatchParams::apply(MANAGER);
        let subject = format!(
            "{}/{}",
            types.kind,
            written.metadata.name.clone().unwrap_or_default()
        );
        api.patch(
            written.metadata.name.as_deref().unwrap_or_default(),
            &params,
            &Patch::Apply(&written),
        )
        .await
        .with_context(|| format!("failed to write {subject}"))
        .map_err(|error| CliError::from(error).hint(HINT))?;
    }
    let kind = kind(&arguments.cluster);
    print::answer(
        arguments.output,
        &json!({"name": name, "result": "written", "kind": kind, "version": manifest.version}),
        || {
            format!(
                "written {kind}/{name}; `bulkhead plugin list` with the same flags shows its state\n"
            )
        },
    )
}

const HINT: &str = "does the cluster have Bulkhead's custom resources? `bulkhead install --export | kubectl apply --server-side -f -`";

/// Lists the plugins of a cluster.
pub(super) async fn list(arguments: &ListArguments) -> Result<(), CliError> {
    let client = client(&arguments.cluster).await?;
    let mut found = Vec::new();
    for kind in ["ClusterPlugin", "Plugin"] {
        let namespace = arguments
            .cluster
            .namespace
            .as_deref()
            .filter(|_| kind == "Plugin");
        let api = api(&client, &version(), kind, namespace);
        let listed = api.list(&ListParams::default()).await;
        let listed = listed
            .with_context(|| format!("failed to list {kind}s"))
            .map_err(|error| CliError::from(error).hint(HINT))?;
        found.extend(listed.items.into_iter().map(|object| row(kind, &object)));
    }
    print::answer(arguments.output, &Value::Array(found.clone()), || {
        let fields = [
            "namespace",
            "name",
            "kind",
            "version",
            "image",
            "signer",
            "ready",
            "message",
        ];
        let mut rows = vec![fields.map(str::to_uppercase).to_vec()];
        rows.extend(found.iter().map(|row| {
            fields
                .map(|field| row[field].as_str().unwrap_or_default().to_owned())
                .to_vec()
        }));
        print::table(&rows)
    })
}

fn row(resource: &str, object: &DynamicObject) -> Value {
    let (spec, status) = (&object.data["spec"], &object.data["status"]);
    let conditions = status["conditions"].as_array().into_iter().flatten();
    let ready = conditions
        .into_iter()
        .find(|condition| condition["type"] == "Ready");
    json!({
        "resource": resource,
        "namespace": object.metadata.namespace.clone().unwrap_or_else(|| "-".to_owned()),
        "name": object.metadata.name,
        "kind": status["kind"],
        "version": status["version"],
        "image": status["image"].as_str().or(spec["image"].as_str()),
        "digest": status["digest"],
        "world": status["world"],
        "signer": status["signer"],
        "grants": spec["grants"],
        "ready": ready.map(|ready| &ready["status"]),
        "message": ready.map(|ready| &ready["message"]),
    })
}

/// Deletes a plugin of a cluster.
pub(super) async fn remove(arguments: &RemoveArguments) -> Result<(), CliError> {
    let client = client(&arguments.cluster).await?;
    let kind = kind(&arguments.cluster);
    let api = api(
        &client,
        &version(),
        kind,
        arguments.cluster.namespace.as_deref(),
    );
    let name = &arguments.name;
    let deleted = api.delete(name, &kube::api::DeleteParams::default()).await;
    deleted.with_context(|| format!("failed to delete {kind}/{name}"))?;
    print::answer(
        arguments.output,
        &json!({"name": name, "kind": kind, "result": "deleted"}),
        || format!("deleted {kind}/{name}\n"),
    )
}

fn kind(arguments: &ClusterArguments) -> &'static str {
    match arguments.namespace {
        Some(_) => "Plugin",
        None => "ClusterPlugin",
    }
}

fn version() -> String {
    format!("{GROUP}/{VERSION}")
}

/// Makes the objects: the plugin, and a Secret with what its signatures are checked against.
fn objects(
    arguments: &InstallPluginArguments,
    name: &str,
    granted: &Grants,
) -> Result<Vec<Value>, CliError> {
    let cluster = &arguments.cluster;
    let mut metadata = json!({ "name": name });
    if let Some(namespace) = &cluster.namespace {
        metadata["namespace"] = json!(namespace);
    }
    let mut spec = json!({ "image": arguments.reference, "interval": arguments.interval });
    if let Some(secret) = &arguments.pull_secret {
        spec["pullSecretRef"] = json!({ "name": secret });
    }
    let host = arguments.reference.split('/').next().unwrap_or_default();
    if arguments
        .registry
        .plain_http
        .iter()
        .any(|plain| plain == host)
    {
        spec["insecure"] = json!(true);
    }
    let mut allowed = grants::to_json(granted);
    let limits: Map<String, Value> = ["memory", "deadline"]
        .into_iter()
        .filter_map(|limit| Some((limit.to_owned(), allowed.as_object_mut()?.remove(limit)?)))
        .collect();
    if allowed.as_object().is_some_and(|map| !map.is_empty()) {
        spec["grants"] = allowed;
    }
    if !limits.is_empty() {
        spec["limits"] = Value::Object(limits);
    }
    let mut objects = Vec::new();
    if let Some((verify, secret)) = verification(&arguments.policy, name)? {
        spec["verify"] = verify;
        let namespace = cluster
            .namespace
            .as_ref()
            .unwrap_or(&cluster.runtime_namespace);
        objects.push(json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": format!("{name}-signers"), "namespace": namespace},
            "type": "Opaque", "stringData": secret,
        }));
    }
    objects.push(json!({
        "apiVersion": version(), "kind": kind(cluster), "metadata": metadata, "spec": spec,
    }));
    Ok(objects)
}

/// What `spec.verify` says, and what the Secret has that it names.
type Verification = (Value, Map<String, Value>);

/// Turns the flags about signatures into `spec.verify` and its Secret; none where none was asked.
fn verification(policy: &PolicyArguments, name: &str) -> Result<Option<Verification>, CliError> {
    let read = |path: &std::path::Path| {
        std::fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))
    };
    let secret = json!({ "name": format!("{name}-signers") });
    if !policy.key.is_empty() {
        let mut keys = Map::new();
        for (index, path) in policy.key.iter().enumerate() {
            keys.insert(format!("key-{index}.pub"), json!(read(path)?));
        }
        return Ok(Some((json!({ "secretRef": secret }), keys)));
    }
    let (Some(issuer), Some(identity)) = (&policy.issuer, &policy.identity) else {
        return Ok(None);
    };
    let Some(root) = &policy.trusted_root else {
        let error = anyhow!("a cluster needs the trusted root to check keyless signatures");
        return Err(CliError::from(error).usage().hint(
            "name it with `--trusted-root`: Sigstore's is https://github.com/sigstore/root-signing, targets/trusted_root.json",
        ));
    };
    let field = if identity.starts_with('^') {
        "subjectRegExp"
    } else {
        "subject"
    };
    let mut trusted = Map::new();
    trusted.insert("trusted_root.json".to_owned(), json!(read(root)?));
    let keyless = json!([{"issuer": issuer, field: identity}]);
    Ok(Some((
        json!({ "keyless": keyless, "trustedRootSecretRef": secret }),
        trusted,
    )))
}

fn api(client: &Client, version: &str, kind: &str, namespace: Option<&str>) -> Api<DynamicObject> {
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

async fn client(arguments: &ClusterArguments) -> Result<Client, CliError> {
    let (path, context) = (
        arguments.kubeconfig.as_deref(),
        arguments.context.as_deref(),
    );
    Ok(Client::try_from(config(path, context).await?)?)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Arguments, Command, PluginCommand};

    fn parsed(flags: &[&str]) -> Box<InstallPluginArguments> {
        let line = ["bulkhead", "plugin", "install", "127.0.0.1:5000/x:1"]
            .iter()
            .chain(flags);
        match Arguments::try_parse_from(line)
            .expect("a command line")
            .command
        {
            Command::Plugin(PluginCommand::Install(arguments)) => arguments,
            other => unreachable!("{other:?}"),
        }
    }

    #[test]
    fn grants_and_limits_go_where_the_spec_has_them() {
        let arguments = parsed(&["--plain-http", "127.0.0.1:5000", "-n", "apps"]);
        let granted = grants::parse(&["memory=512Mi".to_owned(), "http=a.example".to_owned()]);
        let objects = objects(&arguments, "x", &granted.expect("grants")).expect("objects");
        assert_eq!(
            objects,
            [json!({
                "apiVersion": "bulkhead.dev/v1alpha1", "kind": "Plugin",
                "metadata": {"name": "x", "namespace": "apps"},
                "spec": {"image": "127.0.0.1:5000/x:1", "interval": "10m", "insecure": true,
                         "grants": {"http": ["a.example"]}, "limits": {"memory": "536870912"}},
            })]
        );
    }

    #[test]
    fn keys_travel_in_a_secret_where_the_engine_looks_for_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let key = folder.path().join("cosign.pub");
        std::fs::write(&key, "PEM").expect("a file");
        let arguments = parsed(&["--key", &key.display().to_string()]);
        let objects = objects(&arguments, "x", &Grants::default()).expect("objects");
        assert_eq!(
            objects[0]["metadata"],
            json!({"name": "x-signers", "namespace": "flux-system"})
        );
        assert_eq!(objects[0]["stringData"], json!({"key-0.pub": "PEM"}));
        assert_eq!(objects[1]["kind"], "ClusterPlugin");
        assert_eq!(
            objects[1]["spec"]["verify"],
            json!({"secretRef": {"name": "x-signers"}})
        );
    }
}
