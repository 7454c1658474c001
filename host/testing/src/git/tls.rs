//! A certificate authority of a test, and the server certificate for 127.0.0.1 that it signed.

use std::process::Command;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// An authority made by the `openssl` program, valid for one day.
pub struct Authority {
    /// Its certificate: what a client must trust, in PEM.
    pub certificate: Vec<u8>,
    /// A client's certificate that it signed, in PEM.
    pub client_certificate: Vec<u8>,
    /// The client's key, in PEM.
    pub client_key: Vec<u8>,
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
        run(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout client.key -out client.csr -subj /CN=client",
        )?;
        run(
            "x509 -req -in client.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 1 -extfile ext -out client.crt",
        )?;
        let read = |name: &str| std::fs::read(home.path().join(name));
        Ok(Self {
            certificate: read("ca.crt")?,
            client_certificate: read("client.crt")?,
            client_key: read("client.key")?,
            server_certificate: read("tls.crt")?,
            server_key: read("tls.key")?,
        })
    }

    /// Builds the settings of a TLS server with the signed certificate.
    ///
    /// # Errors
    /// The certificate or the key cannot be read.
    pub fn server_config(&self) -> Result<rustls::ServerConfig> {
        self.config(None)
    }

    /// Builds the same for a server that lets only clients with a signed certificate in.
    ///
    /// # Errors
    /// The certificate or the key cannot be read.
    pub fn server_config_with_clients(&self) -> Result<rustls::ServerConfig> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&self.certificate)?)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        self.config(Some(verifier.build()?))
    }

    fn config(&self, clients: Option<Arc<dyn ClientCertVerifier>>) -> Result<rustls::ServerConfig> {
        let chain = CertificateDer::pem_slice_iter(&self.server_certificate)
            .collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(&self.server_key)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?;
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(verifier) => builder.with_client_cert_verifier(verifier),
        };
        Ok(builder.with_single_cert(chain, key)?)
    }
}
