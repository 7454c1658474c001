//! The token service: gives signed tokens as the program expects them.
//!
//! # Source
//! distribution project, "Token Authentication Specification" and "Token Authentication
//! Implementation".

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;

use super::{IDENTITY, PASSWORD, Seen, USER};

pub(super) const SERVICE: &str = "test-registry";
pub(super) const ISSUER: &str = "test-tokens";

/// A key that the program trusts.
pub(super) struct Service {
    pub(super) realm: String,
    /// In PEM.
    pub(super) certificate: Vec<u8>,
    key: EcdsaKeyPair,
}

impl Service {
    pub(super) fn new(realm: &str) -> Result<Self> {
        let home = tempfile::tempdir()?;
        let output = Command::new("openssl")
            .args(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1"
                    .split(' '),
            )
            .args("-keyout key.pem -out cert.pem -subj /CN=test-tokens".split(' '))
            .current_dir(home.path())
            .output()
            .context("failed to start `openssl`")?;
        ensure!(
            output.status.success(),
            "`openssl` failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let key = std::fs::read(home.path().join("key.pem"))?;
        let key = PrivateKeyDer::from_pem_slice(&key)?;
        let key = EcdsaKeyPair::from_pkcs8(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            key.secret_der(),
            &SystemRandom::new(),
        )
        .map_err(|_| anyhow::anyhow!("the token key cannot be used"))?;
        Ok(Self {
            realm: realm.to_owned(),
            certificate: std::fs::read(home.path().join("cert.pem"))?,
            key,
        })
    }

    /// Answers a request: status and JSON.
    pub(super) fn answer(&self, request: &Seen) -> Result<(u16, Vec<u8>)> {
        let query = request
            .target
            .split_once('?')
            .map_or("", |(_, query)| query);
        let mut values = parse(query);
        values.extend(parse(&String::from_utf8_lossy(&request.body)));
        let find = |name: &str| {
            values
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.as_str())
        };
        let basic = format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
        let is_user = match &request.authorization {
            Some(given) if *given != basic => return Ok(refusal()),
            Some(_) => true,
            None => match find("refresh_token") {
                Some(IDENTITY) => true,
                Some(_) => return Ok(refusal()),
                None => false,
            },
        };
        let scopes = values.iter().filter(|(key, _)| key == "scope");
        let access: Vec<_> = scopes
            .filter_map(|(_, scope)| allow(scope, is_user))
            .collect();
        let token = self.sign(&access)?;
        let body = json!({ "token": token, "access_token": token, "expires_in": 300 });
        Ok((200, serde_json::to_vec(&body)?))
    }

    fn sign(&self, access: &[serde_json::Value]) -> Result<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let certificate = CertificateDer::from_pem_slice(&self.certificate)?;
        let header = json!({ "typ": "JWT", "alg": "ES256", "x5c": [STANDARD.encode(certificate)] });
        let claims = json!({
            "iss": ISSUER, "sub": USER, "aud": SERVICE, "jti": now.to_string(),
            "iat": now, "nbf": now - 5, "exp": now + 300, "access": access,
        });
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = self
            .key
            .sign(&SystemRandom::new(), signed.as_bytes())
            .map_err(|_| anyhow::anyhow!("failed to sign a token"))?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

fn refusal() -> (u16, Vec<u8>) {
    let body = br#"{"errors":[{"code":"UNAUTHORIZED","message":"wrong name or password"}]}"#;
    (401, body.to_vec())
}

/// Reads `repository:path:pull,push`.
fn allow(scope: &str, is_user: bool) -> Option<serde_json::Value> {
    let rest = scope.strip_prefix("repository:")?;
    let (name, actions) = rest.rsplit_once(':')?;
    let actions: Vec<&str> = actions
        .split(',')
        .filter(|action| is_user || (*action == "pull" && name.starts_with("public/")))
        .collect();
    Some(json!({ "type": "repository", "name": name, "actions": actions }))
}

fn parse(text: &str) -> Vec<(String, String)> {
    let decode = |text: &str| {
        let mut out = Vec::new();
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            out.push(match byte {
                b'+' => b' ',
                b'%' => {
                    let digits = [bytes.next().unwrap_or(b'0'), bytes.next().unwrap_or(b'0')];
                    let digits = String::from_utf8_lossy(&digits).into_owned();
                    u8::from_str_radix(&digits, 16).unwrap_or(b'?')
                }
                byte => byte,
            });
        }
        String::from_utf8_lossy(&out).into_owned()
    };
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(key, value)| (decode(key), decode(value)))
        .collect()
}
