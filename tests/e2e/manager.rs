//! A `bulkhead run` of its own process, on the API server that all tests share.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bulkhead_testing::cluster::Cluster;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use tokio::sync::OnceCell;
use tokio::time::Instant;

/// How long a manager may take until it reconciles.
const START_LIMIT: Duration = Duration::from_secs(180);

/// Runs "$@" and kills it when the pipe at its stdin closes: no manager outlives its test. A first
/// argument names a folder to remove then.
const SUPERVISOR: &str = r#"
remove=$1; shift
"$@" </dev/null & child=$!
echo "$child"
exec >/dev/null
read -r _
kill -KILL "$child" 2>/dev/null
wait "$child" 2>/dev/null
[ -z "$remove" ] || rm -rf "$remove"
"#;

/// A running manager; ends when dropped.
pub(crate) struct Manager {
    supervisor: Child,
    id: u32,
    probes: u16,
    /// Where `/metrics` is.
    pub(crate) metrics: u16,
    log: PathBuf,
}

impl Manager {
    /// Starts one on `cluster` with its files in `folder`, and waits until it reconciles.
    pub(crate) async fn start(cluster: &Cluster, folder: &Path) -> Result<Self> {
        Self::start_with(cluster, folder, &[], false).await
    }

    /// Starts one that reaches the API server by another kubeconfig, with more flags.
    pub(crate) async fn start_through(
        kubeconfig: &Path,
        folder: &Path,
        flags: &[&str],
    ) -> Result<Self> {
        Self::start_by(kubeconfig, folder, flags, false).await
    }

    /// Starts one of several, of which one writes.
    pub(crate) async fn start_replica(
        cluster: &Cluster,
        folder: &Path,
        name: &str,
    ) -> Result<Self> {
        let folder = folder.join(name);
        std::fs::create_dir(&folder)?;
        Self::start_with(cluster, &folder, &["--enable-leader-election"], false).await
    }

    /// Starts one that keeps tenants apart: no references into other namespaces, and nobody's objects
    /// are applied with its own rights.
    pub(crate) async fn start_locked(cluster: &Cluster, folder: &Path) -> Result<Self> {
        let flags = [
            "--no-cross-namespace-refs",
            "--default-service-account=default",
        ];
        Self::start_with(cluster, folder, &flags, false).await
    }

    /// Starts one with more flags; with `remove`, the folder goes when it ends.
    async fn start_with(
        cluster: &Cluster,
        folder: &Path,
        flags: &[&str],
        remove: bool,
    ) -> Result<Self> {
        Self::start_by(&cluster.kubeconfig(), folder, flags, remove).await
    }

    async fn start_by(
        kubeconfig: &Path,
        folder: &Path,
        flags: &[&str],
        remove: bool,
    ) -> Result<Self> {
        check_plugins()?;
        let program = crate::command::program();
        let log = folder.join("manager.log");
        let output = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)?;
        share_compiled(&folder.join("data"))?;
        let (probes, metrics) = (free_port()?, free_port()?);
        let mut supervisor = Command::new("/bin/sh")
            .args(["-c", SUPERVISOR, "supervisor"])
            .arg(if remove { folder } else { Path::new("") })
            .arg(program)
            .args([
                "run",
                "--storage-addr",
                "127.0.0.1:0",
                "--allow-private-networks",
            ])
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .arg("--storage-path")
            .arg(folder.join("data"))
            .args(["--health-addr", &format!("127.0.0.1:{probes}")])
            .args(["--metrics-addr", &format!("127.0.0.1:{metrics}")])
            .args(flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(output)
            .spawn()
            .context("failed to start `sh`")?;
        let stdout = supervisor
            .stdout
            .take()
            .context("the supervisor has no output")?;
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line)?;
        let id = line
            .trim()
            .parse()
            .context("the supervisor named no process")?;
        let manager = Self {
            supervisor,
            id,
            probes,
            metrics,
            log,
        };
        manager.wait_until_ready().await?;
        Ok(manager)
    }

    async fn wait_until_ready(&self) -> Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        while !http_get(self.probes, "/readyz").is_ok_and(|answer| answer.contains("200 OK")) {
            if Instant::now() > deadline {
                bail!("the manager did not become ready:\n{}", self.log());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Kills it as a machine that loses power does.
    pub(crate) fn kill(self) -> Result<()> {
        self.signal("-KILL")
    }

    /// Tells it to stop, as a kubelet does, and waits until it has.
    pub(crate) fn stop(self) -> Result<()> {
        self.signal("-TERM")
    }

    fn signal(mut self, signal: &str) -> Result<()> {
        let sent = Command::new("kill")
            .args([signal, &self.id.to_string()])
            .status()?;
        if !sent.success() {
            bail!("failed to signal {}", self.id);
        }
        let deadline = Instant::now() + START_LIMIT;
        while std::fs::read_link(format!("/proc/{}/exe", self.id)).is_ok() {
            if Instant::now() > deadline {
                bail!("{} did not end:\n{}", self.id, self.log());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        drop(self.supervisor.stdin.take());
        self.supervisor.wait()?;
        Ok(())
    }

    /// Returns the folder that it stores in.
    pub(crate) fn storage(&self) -> PathBuf {
        self.log.with_file_name("data")
    }

    /// Tells whether the process that was started still runs.
    pub(crate) fn is_alive(&self) -> bool {
        std::fs::read_link(format!("/proc/{}/exe", self.id)).is_ok()
    }

    /// Returns what it has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        let _ = self.supervisor.wait();
    }
}

/// Fetches a path from a port of this machine; returns the answer with its head.
pub(crate) fn http_get(port: u16, path: &str) -> Result<String> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Lets all managers of this build keep compiled plugins in one folder: the first pays for all.
fn share_compiled(storage: &Path) -> Result<()> {
    let shared = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
    std::fs::create_dir_all(&shared)?;
    std::fs::create_dir_all(storage)?;
    match std::os::unix::fs::symlink(shared, storage.join("compiled")) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error.into()),
        _ => Ok(()),
    }
}

/// Without guests `bulkhead run` would not start.
fn check_plugins() -> Result<()> {
    let component =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/target/components/kustomize.wasm");
    match component.exists() {
        true => Ok(()),
        false => bail!("{} is missing: run `make plugins`", component.display()),
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// The cluster and the manager that most tests share, each in a namespace of its own.
pub(crate) struct World {
    /// The API server, with the audit log on.
    pub(crate) cluster: &'static Cluster,
    /// The manager.
    pub(crate) manager: Manager,
}

/// Returns the shared world, started with the first test.
pub(crate) async fn world() -> Result<&'static World> {
    static WORLD: OnceCell<World> = OnceCell::const_new();
    WORLD
        .get_or_try_init(|| async {
            let cluster = Cluster::shared().await?;
            install_definitions(cluster).await?;
            // Nothing drops what is static: the supervisor removes the folder.
            let folder = tempfile::tempdir()?.keep();
            let manager = Manager::start_with(cluster, &folder, &[], true).await?;
            Ok(World { cluster, manager })
        })
        .await
}

/// Installs the custom resources.
pub(crate) async fn install_definitions(cluster: &Cluster) -> Result<()> {
    let definitions = bulkhead_api::crd::all().into_iter();
    let definitions: Vec<CustomResourceDefinition> = definitions
        .map(serde_json::from_value)
        .collect::<Result<_, _>>()?;
    cluster.install_crds(&definitions).await
}
