//! What a manager is told when it starts. Flags and environment are read in `host/cli` alone.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bulkhead_api::names::label;
use bulkhead_wasm::{Host, Limits, Plugin};

use crate::delivery::remote::Allowed;
use crate::leader::Election;

/// What a manager is told when it starts.
#[derive(Clone)]
pub struct RunConfig {
    /// How to reach the API server, and as whom.
    pub kube: kube::Config,
    /// Names this process in Events and in the Lease: the pod's name.
    pub instance: String,
    /// The one namespace whose objects are reconciled; all namespaces when absent.
    pub namespace: Option<String>,
    /// Selects the objects that are reconciled, by label; all when empty. Flux's shard key goes
    /// here: `sharding.fluxcd.io/key=shard1`.
    pub labels: String,
    /// Selects the ConfigMaps and Secrets of which a change starts what refers to them; none are
    /// watched when empty.
    pub watched: String,
    /// Namespace that the engine itself runs in: it is never pruned.
    pub own_namespace: String,
    /// Folder for fetched repositories and archives. It may be empty at the start; what is in it is
    /// verified before use.
    pub storage: PathBuf,
    /// Where archives are served.
    pub artifacts: SocketAddr,
    /// Host, and port if it is not 80, that `status.artifact.url` names. The bound address when
    /// absent.
    pub artifacts_advertised: Option<String>,
    /// Where `/healthz` and `/readyz` are served; nowhere when absent.
    pub probes: Option<SocketAddr>,
    /// Where `/metrics` is served; nowhere when absent.
    pub metrics: Option<SocketAddr>,
    /// The Lease to hold before anything is written; without one, this is the only process.
    pub election: Option<Election>,
    /// Objects of one kind that are reconciled at once.
    pub concurrency: usize,
    /// Refuses references into other namespaces.
    pub no_cross_namespace_refs: bool,
    /// Account that Kustomizations without `serviceAccountName` act as; the engine's own when absent.
    pub default_service_account: Option<String>,
    /// Account whose token reaches the clusters of ConfigMaps that name none; this process's when
    /// absent.
    pub default_kubeconfig_service_account: Option<String>,
    /// Lets kubeconfigs in Secrets leave the server unverified.
    pub insecure_kubeconfig_tls: bool,
    /// Pause before a dependency or a source is looked at again when no event came.
    pub requeue_dependency: Duration,
    /// Part of an interval that it is moved by at random: 0.05 for 5 %.
    pub interval_jitter: f64,
    /// How often all objects are applied though nobody seems to have changed them: finds what a
    /// watch of metadata cannot see.
    pub sweep: Duration,
    /// Refuses variables that have no value and no default.
    pub strict_substitutions: bool,
    /// Compiles and runs plugins.
    pub host: Host,
    /// The renderer of Kustomizations.
    pub kustomize: Plugin,
    /// The renderer of charts; without one, HelmReleases are refused.
    pub helm: Option<Plugin>,
    /// What one render may use.
    pub render_limits: Limits,
    /// The notifiers by provider type.
    pub notifiers: Vec<(String, Plugin)>,
    /// Lets notifiers send to private networks and to this machine, and without TLS.
    pub allow_private_networks: bool,
    /// What kustomizations may name by URL.
    pub remote_bases: Allowed,
}

impl RunConfig {
    /// Default of `concurrency`: enough to hide the API server's latency, few connections.
    pub const CONCURRENCY: usize = 8;
    /// Default of `requeue_dependency`.
    pub const REQUEUE_DEPENDENCY: Duration = Duration::from_secs(30);
    /// Default of `interval_jitter`.
    pub const INTERVAL_JITTER: f64 = 0.05;
    /// Default of `sweep`.
    pub const SWEEP: Duration = Duration::from_secs(3600);
    /// Name of the Lease.
    pub const LEASE: &'static str = "bulkhead-leader-election";

    /// Takes what has no default; the servers listen on Flux's ports of all addresses.
    pub fn new(
        kube: kube::Config,
        instance: &str,
        own_namespace: &str,
        storage: PathBuf,
        host: Host,
        kustomize: Plugin,
    ) -> Self {
        let port = |port| SocketAddr::from(([0, 0, 0, 0], port));
        Self {
            kube,
            instance: instance.to_owned(),
            namespace: None,
            labels: String::new(),
            watched: format!("{}={}", label::WATCH, label::WATCH_ENABLED),
            own_namespace: own_namespace.to_owned(),
            storage,
            artifacts: port(9090),
            artifacts_advertised: None,
            probes: Some(port(9440)),
            metrics: Some(port(8080)),
            election: Some(Election {
                namespace: own_namespace.to_owned(),
                name: Self::LEASE.to_owned(),
                identity: instance.to_owned(),
            }),
            concurrency: Self::CONCURRENCY,
            no_cross_namespace_refs: false,
            default_service_account: None,
            default_kubeconfig_service_account: None,
            insecure_kubeconfig_tls: false,
            requeue_dependency: Self::REQUEUE_DEPENDENCY,
            interval_jitter: Self::INTERVAL_JITTER,
            sweep: Self::SWEEP,
            strict_substitutions: true,
            host,
            kustomize,
            helm: None,
            render_limits: Limits::renderer(),
            notifiers: Vec::new(),
            allow_private_networks: false,
            remote_bases: Allowed::default(),
        }
    }
}
