//! The `docker-registry` program of Debian: the distribution project's registry.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tokio::net::{TcpListener, TcpStream};

use super::{Access, token};
use crate::cluster::process::{Process, Program};

/// `user:password` as `htpasswd -B` writes it.
const HTPASSWD: &str = "user:$2y$04$1efv62vLUFQmLRsp1w3bGO8ISVqzuAGuig9jmZBLGZ86nXoqfrPee\n";
const DEADLINE: Duration = Duration::from_secs(30);

/// A running registry; ends when dropped.
pub(super) struct Running {
    pub(super) address: String,
    _process: Process,
    _home: tempfile::TempDir,
}

/// Starts the program on a free port and waits until it answers.
pub(super) async fn start(access: Access, tokens: Option<&token::Service>) -> Result<Running> {
    let home = tempfile::tempdir()?;
    let address = TcpListener::bind("127.0.0.1:0")
        .await?
        .local_addr()?
        .to_string();
    let path = |name: &str| home.path().join(name).display().to_string();
    let auth = match (access, tokens) {
        (Access::Basic, _) => {
            std::fs::write(path("htpasswd"), HTPASSWD)?;
            format!(
                "auth: {{htpasswd: {{realm: test, path: {}}}}}\n",
                path("htpasswd")
            )
        }
        (Access::Token, Some(tokens)) => {
            std::fs::write(path("tokens.crt"), &tokens.certificate)?;
            format!(
                "auth: {{token: {{realm: '{}', service: {}, issuer: {}, rootcertbundle: {}}}}}\n",
                tokens.realm,
                token::SERVICE,
                token::ISSUER,
                path("tokens.crt"),
            )
        }
        _ => String::new(),
    };
    let config = format!(
        "version: 0.1\n\
         log: {{level: warn, accesslog: {{disabled: true}}}}\n\
         storage: {{filesystem: {{rootdirectory: {}}}, delete: {{enabled: true}}}}\n\
         http: {{addr: '{address}', secret: test, relativeurls: true}}\n{auth}",
        path("data"),
    );
    std::fs::write(path("config.yml"), config)?;
    let program = Program {
        name: "docker-registry",
        path: "docker-registry".into(),
        arguments: vec!["serve".into(), path("config.yml").into()],
    };
    let process = Process::start(program, home.path(), None)
        .context("the program `docker-registry` is needed; `make setup` installs it")?;
    let started = Instant::now();
    while TcpStream::connect(&address).await.is_err() {
        process.check()?;
        if started.elapsed() > DEADLINE {
            bail!("docker-registry did not answer on {address}");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(Running {
        address,
        _process: process,
        _home: home,
    })
}
