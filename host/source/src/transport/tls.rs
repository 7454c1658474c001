//! TLS settings: the built-in authorities, those of the secret, and a client certificate.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::{ClientCertificate, FetchError, GitRequest};

/// Builds the settings for `request`.
pub(crate) fn config(request: &GitRequest) -> Result<ClientConfig, FetchError> {
    let own = request.client_certificate.as_ref();
    settings(request.authority.as_deref(), own).map_err(|problem| FetchError::Credentials {
        location: request.location.clone(),
        problem,
    })
}

/// Builds the settings: `authority` is trusted beside the built-in ones, `own` is shown to servers.
///
/// # Errors
/// What is wrong with which file of the secret.
pub(crate) fn settings(
    authority: Option<&[u8]>,
    own: Option<&ClientCertificate>,
) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    if let Some(authority) = authority {
        let before = roots.len();
        for certificate in CertificateDer::pem_slice_iter(authority) {
            let certificate = certificate.map_err(|_| "`ca.crt` is not PEM")?;
            roots
                .add(certificate)
                .map_err(|_| "`ca.crt` holds a certificate that cannot be read")?;
        }
        if roots.len() == before {
            return Err("`ca.crt` holds no certificate".to_owned());
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots);
    let Some(own) = own else {
        return Ok(builder.with_no_client_auth());
    };
    let chain = CertificateDer::pem_slice_iter(&own.chain)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| "`tls.crt` is not PEM")?;
    let key = PrivateKeyDer::from_pem_slice(own.key.expose().as_bytes())
        .map_err(|_| "`tls.key` is not PEM")?;
    builder
        .with_client_auth_cert(chain, key)
        .map_err(|_| "`tls.crt` and `tls.key` do not fit together".to_owned())
}
