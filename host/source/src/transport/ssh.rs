//! Git over SSH, in this process: russh runs `git-upload-pack` on the host and hands over its pipe.

use std::borrow::Cow;
use std::io::{self, Read, Write};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use gix::protocol::transport::Protocol;
use gix::protocol::transport::client::git::ConnectMode;
use gix::protocol::transport::client::git::blocking_io::Connection;
use russh::client::{self, AuthResult};
use russh::keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};

use super::Meter;
use super::known_hosts::{KnownKeys, Verdict};
use crate::{Credentials, FetchError, GitRequest, Secret};

/// The pipe to `git-upload-pack`.
pub(crate) type Pipe = Connection<Reading, Writing>;

/// Who logs in when the URL names nobody.
const DEFAULT_USER: &str = "git";

/// Connects, checks the host's key, logs in, and starts `git-upload-pack`.
pub(crate) fn connect(
    request: &GitRequest,
    (host, port, path): (&str, u16, &str),
    meter: Rc<Meter>,
) -> Result<Pipe, FetchError> {
    let problem = |problem: &str| FetchError::Credentials {
        location: request.location.clone(),
        problem: problem.to_owned(),
    };
    let Credentials::Ssh {
        identity,
        known_hosts,
        password,
    } = &request.credentials
    else {
        return Err(problem(
            "ssh needs a secret with `identity` and `known_hosts`",
        ));
    };
    if known_hosts.trim().is_empty() {
        return Err(problem("the secret has no `known_hosts`"));
    }
    let key = read_key(identity, password.as_ref()).map_err(|text| problem(&text))?;
    let login = Login {
        user: request.location.user().unwrap_or(DEFAULT_USER),
        key: Arc::new(key),
        known: KnownKeys::read(known_hosts, host, port),
    };
    let (session, channel) = match meter.wait(open(request, host, port, path, login)) {
        Ok(result) => result?,
        Err(_) => return Err(meter.take_failure().unwrap_or_else(|| meter.timeout())),
    };
    let (read, write) = channel.split();
    let reading = Reading {
        channel: read,
        meter: meter.clone(),
        chunk: Bytes::new(),
        has_answered: false,
        said: Vec::new(),
        _session: Rc::new(session),
    };
    let writing = Writing {
        channel: write,
        meter,
    };
    let no_host: Option<(String, Option<u16>)> = None;
    Ok(Connection::new(
        reading,
        writing,
        Protocol::V2,
        path,
        no_host,
        ConnectMode::Process,
        false,
    ))
}

struct Login<'a> {
    user: &'a str,
    key: Arc<PrivateKey>,
    known: KnownKeys,
}

fn read_key(identity: &Secret, password: Option<&Secret>) -> Result<PrivateKey, String> {
    let password = password.map(Secret::expose).filter(|text| !text.is_empty());
    let key =
        russh::keys::decode_secret_key(identity.expose(), password).map_err(
            |error| match error {
                russh::keys::Error::KeyIsEncrypted => {
                    "`identity` is encrypted, and the secret has no `password`".to_owned()
                }
                _ if password.is_some() => {
                    "`identity` cannot be read; is `password` its passphrase?".to_owned()
                }
                _ => "`identity` is not a private key".to_owned(),
            },
        )?;
    if key.is_encrypted() {
        return Err("`identity` is encrypted, and the secret has no `password`".to_owned());
    }
    Ok(key)
}

async fn open(
    request: &GitRequest,
    host: &str,
    port: u16,
    path: &str,
    login: Login<'_>,
) -> Result<(client::Handle<Host>, Channel<client::Msg>), FetchError> {
    let broken = |error: russh::Error| FetchError::Unreachable {
        location: request.location.clone(),
        source: Box::new(error),
    };
    let mut config = client::Config {
        nodelay: true,
        ..Default::default()
    };
    let algorithms = login.known.algorithms();
    if !algorithms.is_empty() {
        config.preferred.key = Cow::Owned(algorithms);
    }
    let problem = Arc::new(Mutex::new(None));
    let checks = Host {
        name: format!("{host}:{port}"),
        known: login.known,
        problem: problem.clone(),
    };
    let mut session = match client::connect(Arc::new(config), (host, port), checks).await {
        Ok(session) => session,
        Err(error) => {
            let known = problem
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            return Err(known.unwrap_or_else(|| broken(error)));
        }
    };
    let hash = match login.key.algorithm() {
        russh::keys::Algorithm::Rsa { .. } => session
            .best_supported_rsa_hash()
            .await
            .map_err(broken)?
            .flatten()
            .or(Some(HashAlg::Sha512)),
        _ => None,
    };
    let key = PrivateKeyWithHashAlg::new(login.key, hash);
    let result = session
        .authenticate_publickey(login.user, key)
        .await
        .map_err(broken)?;
    if !matches!(result, AuthResult::Success) {
        let answer = format!("the key is not accepted for user `{}`", login.user);
        return Err(FetchError::Refused {
            location: request.location.clone(),
            answer,
        });
    }
    let channel = session.channel_open_session().await.map_err(broken)?;
    // A host that does not take the variable speaks the first version of the protocol.
    channel
        .set_env(false, "GIT_PROTOCOL", "version=2")
        .await
        .map_err(broken)?;
    // The path has no quote: `Location` refuses it.
    channel
        .exec(false, format!("git-upload-pack '{path}'"))
        .await
        .map_err(broken)?;
    Ok((session, channel))
}

/// Checks the host's key.
struct Host {
    name: String,
    known: KnownKeys,
    problem: Arc<Mutex<Option<FetchError>>>,
}

impl client::Handler for Host {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        shown: &PublicKeyOrCertificate,
    ) -> Result<bool, russh::Error> {
        let PublicKeyOrCertificate::PublicKey { key, .. } = shown else {
            return Ok(false);
        };
        let offered = key.fingerprint(HashAlg::Sha256).to_string();
        let host = self.name.clone();
        let problem = match self.known.judge(key) {
            Verdict::Trusted => return Ok(true),
            Verdict::Unknown => FetchError::HostUnknown { host, offered },
            Verdict::Mismatch => FetchError::HostKeyMismatch {
                host,
                offered,
                expected: self.known.fingerprints(),
            },
        };
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = Some(problem);
        Ok(false)
    }
}

/// The output of `git-upload-pack`.
pub(crate) struct Reading {
    channel: ChannelReadHalf,
    meter: Rc<Meter>,
    chunk: Bytes,
    has_answered: bool,
    /// What the host wrote beside the output, for the user.
    said: Vec<u8>,
    _session: Rc<client::Handle<Host>>,
}

impl Reading {
    /// Says why nothing came.
    fn silence(&self) -> FetchError {
        let said = String::from_utf8_lossy(&self.said);
        let location = self.meter.location.clone();
        let is_missing = [
            "not found",
            "does not exist",
            "does not appear to be a git repository",
        ]
        .iter()
        .any(|text| said.to_lowercase().contains(text));
        match (is_missing, said.trim()) {
            (true, _) => FetchError::NotFound(location),
            (false, "") => FetchError::protocol(
                &location,
                "the host closed the connection without an answer",
            ),
            (false, said) => FetchError::protocol(&location, format!("the host said: {said}")),
        }
    }
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        const MOST_SAID: usize = 1000;
        while self.chunk.is_empty() {
            match self.meter.wait(self.channel.wait())? {
                Some(ChannelMsg::Data { data }) => {
                    self.meter.count(data.len())?;
                    self.has_answered = true;
                    self.chunk = data;
                }
                Some(ChannelMsg::ExtendedData { data, .. }) => {
                    let room = MOST_SAID.saturating_sub(self.said.len());
                    self.said.extend_from_slice(&data[..data.len().min(room)]);
                }
                None if self.has_answered => return Ok(0),
                None => return Err(self.meter.fail(self.silence())),
                Some(_) => {}
            }
        }
        let length = buffer.len().min(self.chunk.len());
        buffer[..length].copy_from_slice(&self.chunk.split_to(length));
        Ok(length)
    }
}

/// The input of `git-upload-pack`.
pub(crate) struct Writing {
    channel: ChannelWriteHalf<client::Msg>,
    meter: Rc<Meter>,
}

impl Write for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.meter
            .wait(self.channel.data(bytes))?
            .map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
