//! The definitions against the types, in both directions, and against a reviewed snapshot.

#![allow(clippy::unwrap_used, reason = "a test may")]

use serde::Deserialize;
use serde::de::{Deserializer, Visitor, value::Error};
use serde_json::{Map, Value, json};

use super::all;
use crate::{
    delivery as d, helmrelease as h, kustomize as k, meta as m, notification as n, plugin as p,
    source as s,
};

/// Names of the fields that a type reads: a deserializer that looks at nothing else.
struct FieldNames<'a>(&'a mut Vec<String>);

impl<'de> Deserializer<'de> for FieldNames<'_> {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        self.0
            .extend(fields.iter().map(|field| (*field).to_owned()));
        Err(serde::de::Error::custom("seen"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(serde::de::Error::custom("not a struct"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

fn fields<T: for<'de> Deserialize<'de>>() -> Vec<String> {
    let mut names = Vec::new();
    assert!(T::deserialize(FieldNames(&mut names)).is_err());
    names.sort();
    names
}

/// Schema of the stored version of a kind.
fn schema(kind: &str) -> Value {
    let definition = all()
        .into_iter()
        .find(|crd| crd["spec"]["names"]["kind"] == kind)
        .unwrap();
    let versions = definition["spec"]["versions"].as_array().unwrap();
    let stored = versions
        .iter()
        .find(|version| version["storage"] == true)
        .unwrap();
    stored["schema"]["openAPIV3Schema"].clone()
}

/// Schema at a path: names of properties, `*` for the items of a list.
fn at(kind: &str, path: &str) -> Value {
    path.split('.')
        .fold(schema(kind), |schema, part| match part {
            "*" => schema["items"].clone(),
            name => schema["properties"][name].clone(),
        })
}

fn properties(schema: &Value) -> Vec<String> {
    let mut names: Vec<_> = schema["properties"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    names.sort();
    names
}

#[test]
fn every_type_has_the_fields_of_its_schema() {
    let ks = "Kustomization";
    let git = "GitRepository";
    let dlv = "Delivery";
    let plg = "Plugin";
    let oci = "OCIRepository";
    let ea = "ExternalArtifact";
    let repo = "HelmRepository";
    let chart = "HelmChart";
    let hr = "HelmRelease";
    for (kind, path, names) in [
        (git, "spec", fields::<s::GitRepositorySpec>()),
        (git, "spec.ref", fields::<s::GitRepositoryRef>()),
        (git, "spec.verify", fields::<s::GitRepositoryVerification>()),
        (git, "spec.include.*", fields::<s::GitRepositoryInclude>()),
        (git, "spec.secretRef", fields::<m::LocalObjectReference>()),
        (git, "status", fields::<s::GitRepositoryStatus>()),
        (git, "status.artifact", fields::<m::Artifact>()),
        (git, "status.conditions.*", fields::<m::Condition>()),
        (oci, "spec", fields::<s::OciRepositorySpec>()),
        (oci, "spec.ref", fields::<s::OciRepositoryRef>()),
        (oci, "spec.layerSelector", fields::<s::OciLayerSelector>()),
        (oci, "spec.verify", fields::<s::OciVerification>()),
        (
            oci,
            "spec.verify.matchOIDCIdentity.*",
            fields::<s::OciIdentity>(),
        ),
        (oci, "status", fields::<s::OciRepositoryStatus>()),
        (
            oci,
            "status.observedLayerSelector",
            fields::<s::OciLayerSelector>(),
        ),
        (ea, "spec", fields::<s::ExternalArtifactSpec>()),
        (
            ea,
            "spec.sourceRef",
            fields::<m::NamespacedObjectKindReference>(),
        ),
        (ea, "status", fields::<s::ExternalArtifactStatus>()),
        (repo, "spec", fields::<s::HelmRepositorySpec>()),
        (repo, "spec.accessFrom", fields::<s::AccessFrom>()),
        (
            repo,
            "spec.accessFrom.namespaceSelectors.*",
            fields::<s::NamespaceSelector>(),
        ),
        (repo, "status", fields::<s::HelmRepositoryStatus>()),
        (chart, "spec", fields::<s::HelmChartSpec>()),
        (chart, "spec.sourceRef", fields::<s::ChartSourceReference>()),
        (chart, "spec.verify", fields::<s::ChartVerification>()),
        (chart, "status", fields::<s::HelmChartStatus>()),
        (ks, "spec", fields::<k::KustomizationSpec>()),
        (ks, "spec.commonMetadata", fields::<k::CommonMetadata>()),
        (ks, "spec.dependsOn.*", fields::<m::DependencyReference>()),
        (ks, "spec.decryption", fields::<k::Decryption>()),
        (ks, "spec.kubeConfig", fields::<m::KubeConfigReference>()),
        (
            ks,
            "spec.kubeConfig.secretRef",
            fields::<m::SecretKeyReference>(),
        ),
        (ks, "spec.postBuild", fields::<k::PostBuild>()),
        (
            ks,
            "spec.postBuild.substituteFrom.*",
            fields::<k::SubstituteReference>(),
        ),
        (
            ks,
            "spec.healthChecks.*",
            fields::<m::NamespacedObjectKindReference>(),
        ),
        (
            ks,
            "spec.healthCheckExprs.*",
            fields::<k::CustomHealthCheck>(),
        ),
        (ks, "spec.ignore.*", fields::<k::IgnoreRule>()),
        (ks, "spec.ignore.*.target", fields::<k::Selector>()),
        (ks, "spec.patches.*", fields::<k::Patch>()),
        (ks, "spec.images.*", fields::<k::Image>()),
        (ks, "spec.sourceRef", fields::<k::SourceReference>()),
        (ks, "status", fields::<k::KustomizationStatus>()),
        (ks, "status.inventory", fields::<m::Inventory>()),
        (
            ks,
            "status.inventory.entries.*",
            fields::<m::InventoryEntry>(),
        ),
        (ks, "status.history.*", fields::<m::Snapshot>()),
        (plg, "spec", fields::<p::PluginSpec>()),
        (plg, "spec.verify", fields::<p::PluginVerification>()),
        (plg, "spec.verify.keyless.*", fields::<p::KeylessIdentity>()),
        (plg, "spec.grants", fields::<p::PluginGrants>()),
        (plg, "spec.limits", fields::<p::PluginLimits>()),
        (plg, "status", fields::<p::PluginStatus>()),
        (plg, "status.requests", fields::<p::PluginRequests>()),
        (plg, "status.permissions", fields::<p::PluginPermissions>()),
        (dlv, "spec", fields::<d::DeliverySpec>()),
        (dlv, "spec.plugin", fields::<d::PluginReference>()),
        (dlv, "spec.inputs.*", fields::<d::Input>()),
        (dlv, "spec.inputs.*.from", fields::<d::InputSource>()),
        (dlv, "spec.transformers.*", fields::<d::Transformer>()),
        (dlv, "spec.dependsOn.*", fields::<d::Dependency>()),
        (dlv, "status", fields::<d::DeliveryStatus>()),
        (dlv, "status.render", fields::<d::Render>()),
        (hr, "spec", fields::<h::HelmReleaseSpec>()),
        (hr, "spec.chart", fields::<h::ChartTemplate>()),
        (
            hr,
            "spec.chart.metadata",
            fields::<h::ChartTemplateMetadata>(),
        ),
        (hr, "spec.chart.spec", fields::<h::ChartTemplateSpec>()),
        (
            hr,
            "spec.chart.spec.sourceRef",
            fields::<h::ChartTemplateSourceReference>(),
        ),
        (
            hr,
            "spec.chart.spec.verify",
            fields::<h::ChartTemplateVerification>(),
        ),
        (hr, "spec.chartRef", fields::<h::ChartReference>()),
        (hr, "spec.driftDetection", fields::<h::DriftDetection>()),
        (hr, "spec.install", fields::<h::Install>()),
        (hr, "spec.install.strategy", fields::<h::ActionStrategy>()),
        (
            hr,
            "spec.install.remediation",
            fields::<h::InstallRemediation>(),
        ),
        (hr, "spec.upgrade", fields::<h::Upgrade>()),
        (
            hr,
            "spec.upgrade.remediation",
            fields::<h::UpgradeRemediation>(),
        ),
        (hr, "spec.test", fields::<h::Test>()),
        (hr, "spec.test.filters.*", fields::<h::TestFilter>()),
        (hr, "spec.rollback", fields::<h::Rollback>()),
        (hr, "spec.uninstall", fields::<h::Uninstall>()),
        (hr, "spec.valuesFrom.*", fields::<h::ValuesReference>()),
        (hr, "spec.postRenderers.*", fields::<h::PostRenderer>()),
        (
            hr,
            "spec.postRenderers.*.kustomize",
            fields::<h::KustomizePostRenderer>(),
        ),
        (hr, "spec.commonMetadata", fields::<h::ReleaseMetadata>()),
        (hr, "spec.waitStrategy", fields::<h::WaitStrategy>()),
        (hr, "status", fields::<h::HelmReleaseStatus>()),
        (hr, "status.history.*", fields::<h::ReleaseSnapshot>()),
        ("Alert", "spec", fields::<n::AlertSpec>()),
        ("Alert", "spec.eventSources.*", fields::<n::EventSource>()),
        ("Provider", "spec", fields::<n::ProviderSpec>()),
    ] {
        assert_eq!(names, properties(&at(kind, path)), "{kind} {path}");
    }
}

/// Makes a value with every field of a schema.
fn sample(schema: &Value) -> Value {
    if let Some(texts) = schema["enum"].as_array() {
        return texts[0].clone();
    }
    match schema["type"].as_str().unwrap_or("any") {
        "any" => json!({ "key": "value" }),
        "boolean" => json!(true),
        "integer" => json!(7),
        "array" => json!([sample(&schema["items"])]),
        "object" if schema["properties"].is_object() => {
            let properties = schema["properties"].as_object().unwrap();
            let fields = properties
                .iter()
                .map(|(name, schema)| (name.clone(), sample(schema)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        "object" if schema["additionalProperties"].is_object() => {
            json!({ "key": sample(&schema["additionalProperties"]) })
        }
        "object" => json!({ "key": "value" }),
        _ if schema["format"] == "date-time" => json!("2026-08-01T10:00:00Z"),
        _ if schema["pattern"]
            .as_str()
            .is_some_and(|p| p.contains("ms|s|m")) =>
        {
            json!("1m0s")
        }
        _ => json!("text"),
    }
}

fn round_trip<T: for<'de> Deserialize<'de> + serde::Serialize>(kind: &str, part: &str) {
    let sample = sample(&at(kind, part));
    let typed: T = serde_json::from_value(sample.clone()).unwrap();
    assert_eq!(
        serde_json::to_value(typed).unwrap(),
        sample,
        "{kind} {part}"
    );
}

#[test]
fn objects_with_every_field_come_back_whole() {
    round_trip::<s::GitRepositorySpec>("GitRepository", "spec");
    round_trip::<s::GitRepositoryStatus>("GitRepository", "status");
    round_trip::<s::OciRepositorySpec>("OCIRepository", "spec");
    round_trip::<s::OciRepositoryStatus>("OCIRepository", "status");
    round_trip::<s::ExternalArtifactSpec>("ExternalArtifact", "spec");
    round_trip::<s::ExternalArtifactStatus>("ExternalArtifact", "status");
    round_trip::<s::HelmRepositorySpec>("HelmRepository", "spec");
    round_trip::<s::HelmRepositoryStatus>("HelmRepository", "status");
    round_trip::<s::HelmChartSpec>("HelmChart", "spec");
    round_trip::<s::HelmChartStatus>("HelmChart", "status");
    round_trip::<k::KustomizationSpec>("Kustomization", "spec");
    round_trip::<k::KustomizationStatus>("Kustomization", "status");
    round_trip::<d::DeliverySpec>("Delivery", "spec");
    round_trip::<d::DeliveryStatus>("Delivery", "status");
    round_trip::<p::PluginSpec>("Plugin", "spec");
    round_trip::<p::PluginStatus>("ClusterPlugin", "status");
    round_trip::<h::HelmReleaseSpec>("HelmRelease", "spec");
    round_trip::<h::HelmReleaseStatus>("HelmRelease", "status");
    round_trip::<n::AlertSpec>("Alert", "spec");
    round_trip::<n::ProviderSpec>("Provider", "spec");
}

#[test]
fn older_versions_have_a_subset_of_the_fields_and_values() {
    fn assert_subset(path: &str, old: &Value, new: &Value) {
        let empty = Map::new();
        for (name, old) in old["properties"].as_object().unwrap_or(&empty) {
            let new = &new["properties"][name];
            assert!(new.is_object(), "{path}.{name} is gone");
            assert_eq!(old["type"], new["type"], "{path}.{name}");
            for text in old["enum"].as_array().into_iter().flatten() {
                assert!(
                    new["enum"].as_array().unwrap().contains(text),
                    "{path}.{name}: {text}"
                );
            }
            assert_subset(&format!("{path}.{name}"), old, new);
            assert_subset(&format!("{path}.{name}.*"), &old["items"], &new["items"]);
        }
    }
    let kinds = all();
    for definition in kinds
        .iter()
        .filter(|crd| crd["spec"]["versions"].as_array().unwrap().len() > 1)
    {
        let kind = definition["spec"]["names"]["kind"].as_str().unwrap();
        let versions = definition["spec"]["versions"].as_array().unwrap();
        assert_eq!(
            versions
                .iter()
                .filter(|version| version["storage"] == true)
                .count(),
            1
        );
        for old in versions
            .iter()
            .filter(|version| version["storage"] == false)
        {
            let spec = |version: &Value| {
                version["schema"]["openAPIV3Schema"]["properties"]["spec"].clone()
            };
            assert_subset(kind, &spec(old), &json!(at(kind, "spec")));
        }
    }
}

#[test]
fn definitions_are_as_reviewed() {
    for definition in all() {
        let name = definition["metadata"]["name"].as_str().unwrap().to_owned();
        insta::assert_yaml_snapshot!(name, definition);
    }
}
