//! Git over SSH: OpenSSH's own server on a loopback port, with keys made for the test.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;

use super::Repository;

/// Settings of [`SshServer::start_with`].
pub struct SshOptions {
    /// Type of the client's key, as `ssh-keygen -t` names it: `ed25519`, `ecdsa`, `rsa`.
    pub key_type: &'static str,
    /// Passphrase of the client's key; empty for none.
    pub passphrase: &'static str,
    /// Type of the host's key.
    pub host_key_type: &'static str,
    /// Runs only the first version of Git's protocol, as a host does that takes no variable.
    pub first_protocol: bool,
}

impl Default for SshOptions {
    fn default() -> Self {
        Self {
            key_type: "ed25519",
            passphrase: "",
            host_key_type: "ed25519",
            first_protocol: false,
        }
    }
}

/// A server that lets one key in, ended when dropped.
pub struct SshServer {
    /// The client's private key, in PEM.
    pub identity: String,
    /// The line for `known_hosts`.
    pub known_hosts: String,
    /// The host's key as its fingerprint, `SHA256:...`.
    pub fingerprint: String,
    url: String,
    port: u16,
    process: Child,
    _home: TempDir,
}

impl SshServer {
    /// Serves `repository` to a new ed25519 key.
    ///
    /// # Errors
    /// `sshd` or `ssh-keygen` is missing, or the server did not start within 10 seconds.
    pub fn start(repository: &Repository) -> Result<Self> {
        Self::start_with(repository, &SshOptions::default())
    }

    /// Serves `repository` as `options` say.
    ///
    /// # Errors
    /// As [`SshServer::start`].
    pub fn start_with(repository: &Repository, options: &SshOptions) -> Result<Self> {
        let home = tempfile::tempdir()?;
        let folder = home.path();
        make_key(folder, "host", options.host_key_type, "")?;
        make_key(folder, "client", options.key_type, options.passphrase)?;
        std::fs::copy(folder.join("client.pub"), folder.join("authorized_keys"))?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        std::fs::write(folder.join("config"), config(folder, port, options))?;
        let process = start(folder)?;
        let host_key = std::fs::read_to_string(folder.join("host.pub"))?;
        let mut server = Self {
            identity: std::fs::read_to_string(folder.join("client"))?,
            known_hosts: format!("[127.0.0.1]:{port} {}\n", host_key.trim()),
            fingerprint: fingerprint(folder)?,
            url: format!(
                "ssh://{}@127.0.0.1:{port}{}",
                user()?,
                repository.path().display()
            ),
            port,
            process,
            _home: home,
        };
        server.wait()?;
        Ok(server)
    }

    /// Returns the URL of the repository.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    fn wait(&mut self) -> Result<()> {
        let start = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if let Some(status) = self.process.try_wait()? {
                bail!("`sshd` ended with {status}");
            }
            ensure!(
                start.elapsed() < Duration::from_secs(10),
                "`sshd` did not start"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for SshServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn config(folder: &Path, port: u16, options: &SshOptions) -> String {
    let folder = folder.display();
    let taken = if options.first_protocol {
        "NOTHING"
    } else {
        "GIT_PROTOCOL"
    };
    format!(
        "ListenAddress 127.0.0.1\nPort {port}\nHostKey {folder}/host\nPidFile none\n\
         AuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nUsePAM no\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n\
         AcceptEnv {taken}\n"
    )
}

fn start(folder: &Path) -> Result<Child> {
    if is_root()? {
        // Where sshd, started by root, parks its unprivileged half.
        std::fs::create_dir_all("/run/sshd").context("failed to make /run/sshd")?;
    }
    Command::new("/usr/sbin/sshd")
        .args(["-D", "-e", "-f"])
        .arg(folder.join("config"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("failed to start /usr/sbin/sshd: install openssh-server")
}

fn make_key(folder: &Path, name: &str, key_type: &str, passphrase: &str) -> Result<()> {
    let comment = name;
    run(
        folder,
        "ssh-keygen",
        &[
            "-q", "-t", key_type, "-N", passphrase, "-C", comment, "-f", name,
        ],
    )
    .map(|_| ())
}

fn fingerprint(folder: &Path) -> Result<String> {
    let line = run(folder, "ssh-keygen", &["-l", "-f", "host.pub"])?;
    Ok(line.split(' ').nth(1).unwrap_or_default().to_owned())
}

fn user() -> Result<String> {
    run(Path::new("/"), "id", &["-un"])
}

fn is_root() -> Result<bool> {
    Ok(run(Path::new("/"), "id", &["-u"])? == "0")
}

fn run(folder: &Path, program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .with_context(|| format!("failed to start `{program}`"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "`{program} {}` failed: {said}",
        arguments.join(" ")
    );
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
