//! A certificate authority of a test, and the server certificate for 127.0.0.1 that it signed.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// An authority made by the `openssl` program, valid for one day.
pub struct Authority {
    /// Its certificate: what a client must trust, in PEM.
    pub certificate: Vec<u8>,
    server_certificate: Vec<u8>,
    server_key: Vec<u8>,
}

impl Authority {
    /// Makes an authority and a server certificate for `127.0.0.1` and `localhost`.
    ///
    /// # Errors
    /// The program `openssl` is missing or failed.
    pub fn new() -> Result<Self> {
        let home = tempfile::tempdir()?;
        let run = |arguments: &str| -> Result<()> {
            let output = Command::new("openssl")
                .args(arguments.split(' '))
                .current_dir(home.path())
                .output()
                .context("failed to start `openssl`")?;
            let said = String::from_utf8_lossy(&output.stderr);
            ensure!(
                output.status.success(),
                "`openssl {arguments}` failed: {said}"
            );
            Ok(())
        };
        let new_key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1";
        std::fs::write(
            home.path().join("ext"),
            "subjectAltName=IP:127.0.0.1,DNS:localhost\n",
        )?;
        run(&format!(
            "req -x509 {new_key} -keyout ca.key -out ca.crt -subj /CN=test-authority"
        ))?;
        run(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout tls.key -out tls.csr -subj /CN=localhost",
        )?;
        run(
            "x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 1 -extfile ext -out tls.crt",
        )?;
        let read = |name: &str| std::fs::read(home.path().join(name));
        Ok(Self {
            certificate: read("ca.crt")?,
            server_certificate: read("tls.crt")?,
            server_key: read("tls.key")?,
        })
    }

    /// Builds the settings of a TLS server with the signed certificate.
    ///
    /// # Errors
    /// The certificate or the key cannot be read.
    pub fn server_config(&self) -> Result<rustls::ServerConfig> {
        let chain = CertificateDer::pem_slice_iter(&self.server_certificate)
            .collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(&self.server_key)?;
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        Ok(rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?)
    }
}
