//! Where the programs are, and how each is called.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::process::Program;
use super::{ADMIN_TOKEN, Options};

/// The Kubernetes version of tests/cluster/go.mod; a test compares them.
pub(super) const VERSION: &str = "v1.36.3";
/// The Helm version of tests/cluster/helm/go.mod; a test compares them.
const HELM_VERSION: &str = "v4.3.1";

/// Returns the path of the real `helm`, which tests/cluster/build.sh builds.
///
/// # Errors
/// It is not there; the error says what builds it.
pub fn helm() -> Result<PathBuf> {
    Programs {
        folders: Programs::folders(),
    }
    .path(&format!("helm-{HELM_VERSION}"))
}

/// Everything that happens, without bodies.
const AUDIT_POLICY: &str = "apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
";

/// The folders that are searched, in order.
pub(super) struct Programs {
    folders: Vec<PathBuf>,
}

impl Programs {
    /// Looks into `KUBEBUILDER_ASSETS`, then into the cache that tests/cluster/build.sh fills.
    pub(super) fn find() -> Result<Self> {
        let programs = Self {
            folders: Self::folders(),
        };
        programs.path("etcd")?;
        programs.path("kube-apiserver")?;
        Ok(programs)
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "the environment says where test programs are"
    )]
    fn folders() -> Vec<PathBuf> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let cache = match (variable("BULKHEAD_CACHE"), variable("HOME")) {
            (Some(cache), _) => Some(PathBuf::from(cache)),
            (None, Some(home)) => Some(Path::new(&home).join(".cache/bulkhead")),
            (None, None) => None,
        };
        let assets = variable("KUBEBUILDER_ASSETS").map(PathBuf::from);
        let cache = cache.map(|cache| cache.join(format!("cluster-{VERSION}")));
        assets.into_iter().chain(cache).collect()
    }

    fn path(&self, name: &str) -> Result<PathBuf> {
        let found = self
            .folders
            .iter()
            .map(|folder| folder.join(name))
            .find(|path| path.is_file());
        let Some(path) = found else {
            bail!(
                "`{name}` is in none of {:?}: run `make cluster-programs`, or name a \
                 folder that has it in KUBEBUILDER_ASSETS",
                self.folders
            );
        };
        Ok(path)
    }

    fn program(&self, name: &'static str, arguments: Vec<OsString>) -> Program {
        // What is missing fails at the start, which names the path.
        let path = self.path(name).unwrap_or_else(|_| PathBuf::from(name));
        Program {
            name,
            path,
            arguments,
        }
    }

    pub(super) fn etcd(&self, dir: &Path, port: u16, peer_port: u16) -> Program {
        let client = format!("http://127.0.0.1:{port}");
        let peer = format!("http://127.0.0.1:{peer_port}");
        let arguments = vec![
            flag_path("--data-dir", &dir.join("etcd")),
            "--unsafe-no-fsync".into(),
            "--log-level=error".into(),
            format!("--listen-client-urls={client}").into(),
            format!("--advertise-client-urls={client}").into(),
            format!("--listen-peer-urls={peer}").into(),
            format!("--initial-advertise-peer-urls={peer}").into(),
            format!("--initial-cluster=default={peer}").into(),
        ];
        self.program("etcd", arguments)
    }

    #[allow(clippy::disallowed_methods, reason = "the test's own temporary folder")]
    pub(super) fn api_server(
        &self,
        dir: &Path,
        etcd_port: u16,
        port: u16,
        options: Options,
    ) -> Result<Program> {
        let tokens = dir.join("tokens.csv");
        std::fs::write(
            &tokens,
            format!("{ADMIN_TOKEN},admin,admin,\"system:masters\"\n"),
        )
        .context("failed to write the token file")?;
        // The serving key that the API server makes itself also signs service account tokens.
        let key = certificate_dir(dir).join("apiserver.key");
        let mut arguments = vec![
            format!("--etcd-servers=http://127.0.0.1:{etcd_port}").into(),
            format!("--secure-port={port}").into(),
            "--bind-address=127.0.0.1".into(),
            flag_path("--cert-dir", &certificate_dir(dir)),
            flag_path("--service-account-key-file", &key),
            flag_path("--service-account-signing-key-file", &key),
            "--service-account-issuer=https://kubernetes.default.svc".into(),
            flag_path("--token-auth-file", &tokens),
            "--authorization-mode=RBAC".into(),
            "--service-cluster-ip-range=10.0.0.0/16".into(),
            "--allow-privileged".into(),
            "--profiling=false".into(),
        ];
        if !options.controller_manager {
            // Nobody makes the `default` service accounts that pods would need.
            arguments.push("--disable-admission-plugins=ServiceAccount".into());
        }
        if options.audit {
            let policy = dir.join("audit-policy.yaml");
            std::fs::write(&policy, AUDIT_POLICY).context("failed to write the audit policy")?;
            arguments.push(flag_path("--audit-policy-file", &policy));
            arguments.push(flag_path("--audit-log-path", &super::audit::path(dir)));
            arguments.push("--audit-log-mode=blocking".into());
        }
        Ok(self.program("kube-apiserver", arguments))
    }

    pub(super) fn controller_manager(&self, dir: &Path, ports: &[u16; 1]) -> Program {
        let [port] = ports;
        let certificates = certificate_dir(dir);
        let arguments = vec![
            flag_path("--kubeconfig", &dir.join("kubeconfig")),
            flag_path("--cert-dir", &dir.join("manager-certificates")),
            "--bind-address=127.0.0.1".into(),
            format!("--secure-port={port}").into(),
            flag_path(
                "--service-account-private-key-file",
                &certificates.join("apiserver.key"),
            ),
            flag_path("--root-ca-file", &certificates.join("apiserver.crt")),
            "--use-service-account-credentials=false".into(),
            "--leader-elect=false".into(),
            "--concurrent-deployment-syncs=10".into(),
        ];
        self.program("kube-controller-manager", arguments)
    }

    pub(super) fn kwok(&self, dir: &Path) -> Program {
        let arguments = vec![
            flag_path("--kubeconfig", &dir.join("kubeconfig")),
            "--manage-all-nodes=false".into(),
            "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake".into(),
            "--node-lease-duration-seconds=40".into(),
            flag_path("--config", Path::new("/dev/null")),
        ];
        self.program("kwok", arguments)
    }
}

/// Returns the folder with the API server's serving certificate and key.
pub(super) fn certificate_dir(dir: &Path) -> PathBuf {
    dir.join("certificates")
}

fn flag_path(flag: &str, path: &Path) -> OsString {
    let mut argument = OsString::from(flag);
    argument.push("=");
    argument.push(path);
    argument
}

#[cfg(test)]
mod tests {
    use super::{HELM_VERSION, VERSION};

    #[test]
    fn the_versions_are_those_of_the_go_modules() {
        let module = include_str!("../../../../tests/cluster/go.mod");
        let pinned = module
            .lines()
            .find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes "));
        assert_eq!(pinned, Some(VERSION));
        let module = include_str!("../../../../tests/cluster/helm/go.mod");
        let pinned = module
            .lines()
            .find_map(|line| line.trim().strip_prefix("helm.sh/helm/v4 "));
        let pinned = pinned.and_then(|version| version.split_whitespace().next());
        assert_eq!(pinned, Some(HELM_VERSION));
    }
}
