//! TLS for the client: public authorities, or those of a provider, and a certificate to present.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::error::NotifyError;
use crate::secrets::Certificates;

/// Makes the configuration for a provider with these certificates.
///
/// # Errors
/// [`NotifyError::Certificates`] says which of them cannot be used; no key is shown.
pub(crate) fn config(certificates: &Certificates) -> Result<ClientConfig, NotifyError> {
    let wrong = |what: &str| NotifyError::Certificates(format!("{what} cannot be used"));
    let mut roots = RootCertStore::empty();
    match &certificates.authorities {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(pem) => {
            for certificate in pem_certificates(pem).ok_or_else(|| wrong("`ca.crt`"))? {
                roots.add(certificate).map_err(|_| wrong("`ca.crt`"))?;
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| wrong("the protocol versions"))?
        .with_root_certificates(roots);
    let mut config = match &certificates.client {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = pem_certificates(certificate).ok_or_else(|| wrong("`tls.crt`"))?;
            let key =
                PrivateKeyDer::from_pem_slice(key.expose()).map_err(|_| wrong("`tls.key`"))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|_| wrong("`tls.crt` with `tls.key`"))?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Reads the certificates of a PEM text; `None` when there is none or one is broken.
fn pem_certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    found.ok().filter(|certificates| !certificates.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::SecretValue;

    #[test]
    fn public_authorities_are_the_default_and_broken_pem_is_named() {
        assert!(config(&Certificates::default()).is_ok());
        let told = |certificates| config(&certificates).err().map(|error| error.to_string());
        let authorities = Some(b"nonsense".to_vec());
        let broken = Certificates {
            authorities,
            client: None,
        };
        assert_eq!(
            told(broken).as_deref(),
            Some("failed to get TLS config: `ca.crt` cannot be used")
        );
        let client = Some((b"x".to_vec(), SecretValue::new("canary")));
        let broken = Certificates {
            authorities: None,
            client,
        };
        assert_eq!(
            told(broken).as_deref(),
            Some("failed to get TLS config: `tls.crt` cannot be used")
        );
    }
}
