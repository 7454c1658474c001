//! From a specification to what the plugin is granted, and to what it may do. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use bulkhead_api::plugin::{PluginLimits, PluginPermissions, PluginRequests, PluginSpec};
use bulkhead_api::{GoDuration, Quantity, SpecError};
use bulkhead_wasm::manifest::GrantError;
use bulkhead_wasm::{Grants, Limits, Manifest, Plugin, PluginKind, Requests};

use crate::catalogue::{Installed, Permissions, Scope};

const MIB: u64 = 1024 * 1024;

/// Most memory that a call can be granted.
pub(super) const MEMORY_MAX_BYTES: u64 = 4096 * MIB;
/// Longest time that a call can be granted.
pub(super) const DEADLINE_MAX: Duration = Duration::from_secs(600);
/// Largest answer that a call can be granted.
pub(super) const OUTPUT_MAX_BYTES: u64 = 256 * MIB;

/// Why a grant or a limit cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantsError {
    /// A limit is no amount, or no duration.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// A grant cannot be meant.
    #[error("`spec.grants` cannot be used")]
    Grant(#[from] GrantError),
    /// A limit is above what can be granted.
    #[error("`{field}` is {value}, and at most {most} can be granted")]
    TooMuch {
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
        /// The most.
        most: String,
    },
    /// The limit on fuel leaves none.
    #[error("`spec.limits.fuel` is {0}, and a call needs at least 1")]
    Fuel(i64),
}

/// What an object grants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Granted {
    grants: Grants,
    inputs: Option<BTreeSet<String>>,
    private_networks: bool,
}

impl Granted {
    /// Tells whether there is a limit on fuel, which has to be counted then.
    pub(super) fn meters(&self) -> bool {
        self.grants.fuel.is_some()
    }
}

/// Reads grants and limits. `private_networks` tells whether the kind may grant those.
///
/// # Errors
/// [`GrantsError`] names the field.
pub(super) fn granted(spec: &PluginSpec, private_networks: bool) -> Result<Granted, GrantsError> {
    let PluginLimits {
        memory,
        deadline,
        output,
        fuel,
    } = &spec.limits;
    let fuel = fuel.map(|fuel| match u64::try_from(fuel) {
        Ok(fuel) if fuel > 0 => Ok(fuel),
        _ => Err(GrantsError::Fuel(fuel)),
    });
    let grants = Grants {
        files: spec.grants.files.clone().unwrap_or_default(),
        http: spec.grants.http.clone(),
        secrets: spec.grants.secrets.clone(),
        lookup: spec.grants.lookup,
        memory: bytes("spec.limits.memory", memory.as_ref(), MEMORY_MAX_BYTES)?,
        deadline: deadline.as_ref().map(time).transpose()?,
        output: bytes("spec.limits.output", output.as_ref(), OUTPUT_MAX_BYTES)?,
        fuel: fuel.transpose()?,
    };
    grants.check()?;
    Ok(Granted {
        grants,
        inputs: spec.grants.inputs.clone().map(BTreeSet::from_iter),
        private_networks: private_networks && spec.grants.private_networks,
    })
}

fn bytes(
    field: &'static str,
    value: Option<&Quantity>,
    most: u64,
) -> Result<Option<u64>, GrantsError> {
    let Some(quantity) = value else {
        return Ok(None);
    };
    let bytes = quantity
        .bytes()
        .map_err(|source| SpecError::Quantity { field, source })?;
    if bytes > most {
        return Err(GrantsError::TooMuch {
            field,
            value: quantity.to_string(),
            most: Quantity::from(most).to_string(),
        });
    }
    Ok(Some(bytes))
}

fn time(value: &GoDuration) -> Result<Duration, GrantsError> {
    let field = "spec.limits.deadline";
    let time = value
        .get()
        .map_err(|source| SpecError::Duration { field, source })?;
    if time > DEADLINE_MAX {
        return Err(GrantsError::TooMuch {
            field,
            value: value.to_string(),
            most: GoDuration::from(DEADLINE_MAX).to_string(),
        });
    }
    Ok(time)
}

/// What a plugin may do, and what it may not though it asks for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Allowed {
    pub(super) permissions: Permissions,
    pub(super) limits: Limits,
    /// For people: ``host `api.example.com` ``.
    pub(super) withheld: Vec<String>,
    /// For the status.
    pub(super) shown: PluginPermissions,
}

/// Returns what a plugin may do: what its manifest asks for and `granted` grants. One without a
/// manifest asks for nothing but to read its source.
pub(super) fn allowed(manifest: Option<&Manifest>, kind: PluginKind, granted: &Granted) -> Allowed {
    let none = Requests::default();
    let requests = manifest.map_or(&none, |manifest| &manifest.requests);
    let effective = requests.within(&granted.grants);
    let is_granted = |name: &String| {
        let names = granted.inputs.as_ref();
        names.is_none_or(|names| names.contains(name))
    };
    let (inputs, kept): (BTreeSet<String>, BTreeSet<String>) = effective
        .inputs
        .iter()
        .cloned()
        .partition(|name| is_granted(name));
    let mut withheld = effective.withheld(kind);
    withheld.extend(kept.iter().map(|name| format!("input `{name}`")));
    let limits = effective.limits(kind);
    let is_notifier = kind == PluginKind::Notifier;
    let private_networks = granted.private_networks && is_notifier;
    let shown = PluginPermissions {
        files: files(requests, &granted.grants),
        inputs: inputs.iter().cloned().collect(),
        http: effective.http.clone(),
        secrets: effective.secrets.clone(),
        lookup: effective.lookup,
        private_networks,
        memory: Some(Quantity::from(limits.memory_bytes)),
        deadline: Some(GoDuration::from(limits.deadline)),
    };
    Allowed {
        permissions: Permissions {
            files: effective.files.clone(),
            inputs: Some(inputs),
            http: effective.http.clone(),
            secrets: Some(effective.secrets.iter().cloned().collect()),
            lookup: effective.lookup,
            private_networks,
        },
        limits,
        withheld,
        shown,
    }
}

/// Returns what a specification installs, of a component that is at hand: for those who have no
/// cluster.
///
/// # Errors
/// [`GrantsError`] names the field.
pub fn installed(
    scope: Scope,
    name: &str,
    spec: &PluginSpec,
    (plugin, manifest): (Plugin, Option<Manifest>),
) -> Result<Installed, GrantsError> {
    let granted = granted(spec, scope == Scope::Cluster)?;
    let allowed = allowed(manifest.as_ref(), plugin.kind(), &granted);
    Ok(Installed {
        name: name.to_owned(),
        scope,
        plugin,
        manifest,
        image: Some(spec.image.clone()),
        permissions: allowed.permissions,
        limits: allowed.limits,
    })
}

/// The patterns of files for people: both lists, where both are there.
fn files(requests: &Requests, grants: &Grants) -> Vec<String> {
    match (requests.files.as_slice(), grants.files.as_slice()) {
        ([], one) | (one, []) => one.to_vec(),
        (asked, granted) => {
            let join = |list: &[String]| list.join("` or `");
            vec![format!("`{}` and `{}`", join(asked), join(granted))]
        }
    }
}

/// Writes requests for the status.
pub(super) fn to_status(requests: &Requests) -> PluginRequests {
    let Requests {
        files,
        inputs,
        http,
        secrets,
        lookup,
        memory,
        deadline,
    } = requests.clone();
    PluginRequests {
        files,
        inputs,
        http,
        secrets,
        lookup,
        memory: memory.map(Quantity::from),
        deadline: deadline.map(GoDuration::from),
    }
}

/// Reads requests of the status: what was approved before this process knew.
pub(super) fn from_status(requests: &PluginRequests) -> Requests {
    let PluginRequests {
        files,
        inputs,
        http,
        secrets,
        lookup,
        memory,
        deadline,
    } = requests.clone();
    Requests {
        files,
        inputs,
        http,
        secrets,
        lookup,
        memory: memory.and_then(|memory| memory.bytes().ok()),
        deadline: deadline.and_then(|deadline| deadline.get().ok()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    fn spec() -> PluginSpec {
        PluginSpec::new("registry.example/x:1")
    }

    fn wrong(change: impl Fn(&mut PluginSpec)) -> String {
        let mut spec = spec();
        change(&mut spec);
        bulkhead_api::chain(&granted(&spec, true).unwrap_err())
    }

    #[test]
    fn limits_hold_at_the_most_and_not_one_past() {
        let memory = |text: &str| {
            let mut spec = spec();
            spec.limits.memory = Some(Quantity::new(text));
            granted(&spec, false)
        };
        assert!(memory("4Gi").is_ok());
        let error = memory("4294967297").unwrap_err().to_string();
        assert_eq!(
            error,
            "`spec.limits.memory` is 4294967297, and at most 4Gi can be granted"
        );
        let error = wrong(|spec| spec.limits.deadline = Some(GoDuration::new("10m1s")));
        assert!(error.contains("at most 10m0s"), "{error}");
        let error = wrong(|spec| spec.limits.output = Some(Quantity::new("lots")));
        assert!(
            error.contains("failed to read `spec.limits.output`"),
            "{error}"
        );
        let error = wrong(|spec| spec.limits.fuel = Some(0));
        assert_eq!(
            error,
            "`spec.limits.fuel` is 0, and a call needs at least 1"
        );
    }

    #[test]
    fn a_limit_on_fuel_reaches_the_calls() {
        let mut spec = spec();
        let of = |spec: &PluginSpec| {
            let granted = granted(spec, false).unwrap();
            let allowed = allowed(None, PluginKind::Renderer, &granted);
            (granted.meters(), allowed.limits.fuel)
        };
        assert_eq!(of(&spec), (false, None));
        spec.limits.fuel = Some(7);
        assert_eq!(of(&spec), (true, Some(7)));
    }

    fn manifest() -> Manifest {
        Manifest::parse(
            r#"{"kind":"notifier","name":"x","version":"1.0.0","world":"bulkhead:notifier/notifier@0.1.0",
            "requests":{"http":["a.example","b.example"],"secrets":["token","key"],"memory":"512Mi"}}"#,
        )
        .unwrap()
    }

    #[test]
    fn only_what_is_asked_for_and_granted_is_allowed() {
        let mut spec = spec();
        spec.grants.http = vec!["b.example".into(), "c.example".into()];
        spec.grants.secrets = vec!["token".into()];
        spec.grants.private_networks = true;
        let granted = granted(&spec, true).unwrap();
        let allowed = allowed(Some(&manifest()), PluginKind::Notifier, &granted);
        assert_eq!(allowed.permissions.http, ["b.example"]);
        let secrets = allowed.permissions.secrets.unwrap();
        assert_eq!(secrets.into_iter().collect::<Vec<_>>(), ["token"]);
        assert!(allowed.permissions.private_networks);
        let withheld = allowed.withheld.join(", ");
        for part in ["a.example", "key", "memory 512Mi"] {
            assert!(withheld.contains(part), "{withheld}");
        }
    }

    #[test]
    fn a_tenant_grants_no_private_networks() {
        let mut spec = spec();
        spec.grants.private_networks = true;
        let granted = granted(&spec, false).unwrap();
        let allowed = allowed(Some(&manifest()), PluginKind::Notifier, &granted);
        assert!(!allowed.permissions.private_networks);
    }

    #[test]
    fn without_a_manifest_nothing_is_allowed_but_to_read_the_source() {
        let mut spec = spec();
        spec.grants.lookup = true;
        spec.grants.http = vec!["a.example".into()];
        let granted = granted(&spec, true).unwrap();
        let allowed = allowed(None, PluginKind::Renderer, &granted);
        let none = Permissions {
            inputs: Some(BTreeSet::new()),
            secrets: Some(BTreeSet::new()),
            ..Permissions::default()
        };
        assert_eq!(allowed.permissions, none);
    }

    #[test]
    fn requests_survive_the_status() {
        let requests = manifest().requests;
        assert_eq!(from_status(&to_status(&requests)), requests);
    }
}
