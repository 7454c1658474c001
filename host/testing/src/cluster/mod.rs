//! A real Kubernetes for tests: etcd and kube-apiserver on loopback, and on request the controller
//! manager, kwok in the place of kubelets, and the audit log.
//!
//! Starts in two seconds. Everything ends with the process that started it, however that ends. A
//! missing program is an error that says which `make` target builds it; nothing is ever skipped.

mod audit;
mod gate;
mod kubeconfig;
mod nodes;
pub(crate) mod process;
mod programs;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, Patch, PatchParams, PostParams};
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep};

pub use audit::{AuditEvent, AuditUser};
pub use gate::Gate;
use process::Process;
use programs::Programs;
pub use programs::helm;

/// How long the API server may take until it is ready.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How often a start is tried: a free port may be taken between its choice and its use.
const START_TRIES: u32 = 3;
/// Bearer token of the administrator, member of `system:masters`.
const ADMIN_TOKEN: &str = "bulkhead-test-admin";

/// What runs besides etcd and kube-apiserver. Nothing, by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Runs kube-controller-manager: Deployments get ReplicaSets and Pods, namespaces end.
    pub controller_manager: bool,
    /// Runs kwok with one fake node, and binds pods to it: Pods become ready.
    pub nodes: bool,
    /// Writes the audit log (level Metadata); read it by [`Cluster::audit`].
    pub audit: bool,
}

/// A running cluster. Dropping it ends its programs and removes its files.
pub struct Cluster {
    dir: PathBuf,
    port: u16,
    root_certificates: Vec<Vec<u8>>,
    namespaces: AtomicU32,
    // In the order in which they end.
    _processes: Vec<Process>,
}

impl Cluster {
    /// Starts etcd and kube-apiserver, and returns when the API server is ready.
    pub async fn start() -> Result<Self> {
        Self::start_with(Options::default()).await
    }

    /// Starts a cluster with what `options` name.
    ///
    /// # Errors
    /// A missing program, or the last lines of the log of the one that failed.
    pub async fn start_with(options: Options) -> Result<Self> {
        let programs = Programs::find()?;
        let mut failure = None;
        for _ in 0..START_TRIES {
            match Self::try_start(&programs, options).await {
                Ok(cluster) => return Ok(cluster),
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.context("no start was tried")?)
    }

    /// Returns the cluster that all tests of this binary share, with the audit log on.
    pub async fn shared() -> Result<&'static Self> {
        static SHARED: OnceCell<Cluster> = OnceCell::const_new();
        let options = Options {
            audit: true,
            ..Options::default()
        };
        SHARED.get_or_try_init(|| Self::start_with(options)).await
    }

    async fn try_start(programs: &Programs, options: Options) -> Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("bulkhead-cluster-")
            .tempdir()?
            .keep();
        let [etcd_port, peer_port, port] = free_ports()?;
        let mut processes = Vec::new();
        // The first process that is started removes the folder when all is over.
        let etcd = programs.etcd(&dir, etcd_port, peer_port);
        processes.push(Process::start(etcd, &dir, Some(&dir))?);
        let api_server = programs.api_server(&dir, etcd_port, port, options)?;
        processes.push(Process::start(api_server, &dir, None)?);
        wait_until_listening(port, &processes).await?;
        let root_certificates = kubeconfig::write(&dir, port)?;
        let mut cluster = Self {
            dir,
            port,
            root_certificates,
            namespaces: AtomicU32::new(0),
            _processes: processes,
        };
        cluster.wait_until_ready().await?;
        if options.controller_manager {
            let manager = programs.controller_manager(&cluster.dir, &free_ports::<1>()?);
            cluster
                ._processes
                .push(Process::start(manager, &cluster.dir, None)?);
        }
        if options.nodes {
            let kwok = programs.kwok(&cluster.dir);
            cluster
                ._processes
                .push(Process::start(kwok, &cluster.dir, None)?);
            nodes::serve(cluster.config()?)?;
        }
        Ok(cluster)
    }

    async fn wait_until_ready(&self) -> Result<()> {
        let client = self.client()?;
        let deadline = Instant::now() + START_LIMIT;
        loop {
            let ready = http::Request::get("/readyz").body(Vec::new())?;
            let default = Api::<Namespace>::all(client.clone());
            match client.request_text(ready).await {
                // Objects go into `default` before anything else.
                Ok(_) if default.get("default").await.is_ok() => return Ok(()),
                _ if Instant::now() < deadline => {}
                Ok(_) => bail!("the API server has no namespace `default`"),
                Err(error) => return Err(error).context("the API server did not become ready"),
            }
            self.check_processes()?;
            sleep(Duration::from_millis(50)).await;
        }
    }

    fn check_processes(&self) -> Result<()> {
        self._processes.iter().try_for_each(Process::check)
    }

    /// Returns the path of a kubeconfig of the administrator.
    pub fn kubeconfig(&self) -> PathBuf {
        self.dir.join("kubeconfig")
    }

    /// Returns the folder with the logs of the programs.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the URL of the API server.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// Returns the settings of a client with all rights.
    pub fn config(&self) -> Result<kube::Config> {
        let mut config = kube::Config::new(self.url().parse()?);
        config.root_cert = Some(self.root_certificates.clone());
        config.auth_info = serde_json::from_value(serde_json::json!({ "token": ADMIN_TOKEN }))?;
        Ok(config)
    }

    /// Returns a client with all rights. It belongs to the runtime of the caller: make one a test.
    pub fn client(&self) -> Result<kube::Client> {
        Ok(kube::Client::try_from(self.config()?)?)
    }

    /// Creates a namespace of its own for a test: `<prefix>-<number>`.
    pub async fn namespace(&self, prefix: &str) -> Result<String> {
        let number = self.namespaces.fetch_add(1, Ordering::Relaxed);
        let name = format!("{prefix}-{number}");
        let mut namespace = Namespace::default();
        namespace.metadata.name = Some(name.clone());
        let api = Api::<Namespace>::all(self.client()?);
        api.create(&PostParams::default(), &namespace).await?;
        Ok(name)
    }

    /// Applies custom resource definitions and waits until each is established.
    pub async fn install_crds(&self, crds: &[CustomResourceDefinition]) -> Result<()> {
        let api = Api::<CustomResourceDefinition>::all(self.client()?);
        let apply = PatchParams::apply("bulkhead-testing").force();
        for crd in crds {
            let name = crd
                .metadata
                .name
                .as_deref()
                .context("a CRD without a name")?;
            api.patch(name, &apply, &Patch::Apply(crd)).await?;
        }
        let deadline = Instant::now() + START_LIMIT;
        for crd in crds {
            let name = crd
                .metadata
                .name
                .as_deref()
                .context("a CRD without a name")?;
            while !is_established(&api.get(name).await?) {
                if Instant::now() > deadline {
                    bail!("CRD {name} was not established in {START_LIMIT:?}");
                }
                sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(())
    }

    /// Reads the audit log so far, the oldest request first. Empty unless `Options::audit`.
    pub fn audit(&self) -> Result<Vec<AuditEvent>> {
        audit::read(&self.dir)
    }
}

fn is_established(crd: &CustomResourceDefinition) -> bool {
    let conditions = crd
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Established" && condition.status == "True")
}

/// Picks ports that are free now.
fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let listeners: Vec<TcpListener> = (0..N)
        .map(|_| TcpListener::bind(("127.0.0.1", 0)))
        .collect::<Result<_, _>>()?;
    let mut ports = [0; N];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}

async fn wait_until_listening(port: u16, processes: &[Process]) -> Result<()> {
    let deadline = Instant::now() + START_LIMIT;
    while tokio::net::TcpStream::connect(("127.0.0.1", port))
        .await
        .is_err()
    {
        processes.iter().try_for_each(Process::check)?;
        if Instant::now() > deadline {
            bail!("the API server did not listen in {START_LIMIT:?}");
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::Deployment;

    use super::*;

    #[tokio::test]
    #[ignore = "needs kube-apiserver"]
    async fn a_deployment_becomes_available() -> Result<()> {
        let options = Options {
            controller_manager: true,
            nodes: true,
            audit: true,
        };
        let cluster = Cluster::start_with(options).await?;
        let namespace = cluster.namespace("web").await?;
        let api = Api::<Deployment>::namespaced(cluster.client()?, &namespace);
        let deployment = serde_json::from_value(serde_json::json!({
            "metadata": { "name": "web" },
            "spec": {
                "replicas": 2,
                "selector": { "matchLabels": { "app": "web" } },
                "template": {
                    "metadata": { "labels": { "app": "web" } },
                    "spec": { "containers": [{ "name": "web", "image": "web:1" }] },
                },
            },
        }))?;
        api.create(&PostParams::default(), &deployment).await?;
        let deadline = Instant::now() + START_LIMIT;
        loop {
            let status = api.get("web").await?.status.unwrap_or_default();
            if status.available_replicas == Some(2) {
                break;
            }
            if Instant::now() > deadline {
                bail!("the deployment was not available in {START_LIMIT:?}: {status:?}");
            }
            sleep(Duration::from_millis(100)).await;
        }
        let created = cluster.audit()?.into_iter().any(|event| {
            event.verb == "create" && event.object_ref.unwrap_or_default().resource == "deployments"
        });
        assert!(created);
        let dir = cluster.dir().to_owned();
        drop(cluster);
        let deadline = Instant::now() + START_LIMIT;
        while dir.exists() {
            if Instant::now() > deadline {
                bail!("{} is still there", dir.display());
            }
            sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }
}
