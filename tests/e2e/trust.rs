//! Keyless signatures and pull secrets of Plugins: a registry with a login, and an authority, a log
//! and a signer made by `openssl`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bulkhead_api::Digest;
use bulkhead_api::meta::LocalObjectReference;
use bulkhead_api::plugin::{KeylessIdentity, Plugin, PluginSpec, PluginVerification};
use bulkhead_source::oci::manifest::{Descriptor, Manifest};
use bulkhead_source::oci::{
    Keychain, Login, PluginArtifact, Reference, Registry, RegistryConfig, Resolved,
};
use bulkhead_testing::git::{HttpServer, Repository};
use bulkhead_testing::registry::{Access, Fault, PASSWORD, RegistryOptions, RegistryServer, USER};
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};

use crate::any_renderer::{applied, delivery};
use crate::guests;
use crate::manager::world;
use crate::space::{Space, condition, config_map, is_ready, ready};

const ISSUER: &str = "https://accounts.example.com";
const SUBJECT: &str = "https://ci.example.com/team/plugin@main";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// The keys of an authority, a log and a signer, in a folder.
struct Sigstore {
    folder: tempfile::TempDir,
}

impl Sigstore {
    fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        for name in ["authority", "log", "signer"] {
            let key = format!("{name}.key");
            openssl(
                folder.path(),
                &[
                    "ecparam",
                    "-name",
                    "prime256v1",
                    "-genkey",
                    "-noout",
                    "-out",
                    &key,
                ],
            )?;
        }
        openssl(
            folder.path(),
            &[
                "req",
                "-x509",
                "-new",
                "-key",
                "authority.key",
                "-subj",
                "/CN=authority",
                "-days",
                "2",
                "-out",
                "authority.pem",
                "-addext",
                "keyUsage=critical,keyCertSign",
            ],
        )?;
        Ok(Self { folder })
    }

    fn openssl(&self, arguments: &[&str]) -> Result<Vec<u8>> {
        openssl(self.folder.path(), arguments)
    }

    /// The key of the log, as others know it.
    fn log(&self) -> Result<Vec<u8>> {
        self.openssl(&["pkey", "-in", "log.key", "-pubout", "-outform", "DER"])
    }

    /// Whom to believe: `trusted_root.json`.
    fn root(&self) -> Result<String> {
        let authority = self.openssl(&["x509", "-in", "authority.pem", "-outform", "DER"])?;
        let log = self.log()?;
        let since = json!({ "start": "2020-01-01T00:00:00Z" });
        let root = json!({
            "certificateAuthorities": [{
                "certChain": { "certificates": [{ "rawBytes": STANDARD.encode(authority) }] },
                "validFor": since,
            }],
            "tlogs": [{
                "publicKey": { "rawBytes": STANDARD.encode(&log), "validFor": since },
                "logId": { "keyId": STANDARD.encode(Digest::of(&log).as_bytes()) },
            }],
        });
        Ok(root.to_string())
    }

    fn sign(&self, key: &str, message: &[u8]) -> Result<Vec<u8>> {
        std::fs::write(self.folder.path().join("message"), message)?;
        self.openssl(&["dgst", "-sha256", "-sign", key, "message"])
    }

    /// The certificate of the signer, in PEM and in DER.
    fn certificate(&self) -> Result<(Vec<u8>, Vec<u8>)> {
        let extensions = format!(
            "[leaf]\nextendedKeyUsage = codeSigning\nsubjectAltName = critical,URI:{SUBJECT}\n\
             1.3.6.1.4.1.57264.1.8 = ASN1:UTF8String:{ISSUER}\n"
        );
        std::fs::write(self.folder.path().join("leaf.cnf"), extensions)?;
        self.openssl(&[
            "req",
            "-new",
            "-key",
            "signer.key",
            "-subj",
            "/O=x",
            "-out",
            "leaf.csr",
        ])?;
        self.openssl(&[
            "x509",
            "-req",
            "-in",
            "leaf.csr",
            "-CA",
            "authority.pem",
            "-CAkey",
            "authority.key",
            "-days",
            "1",
            "-extfile",
            "leaf.cnf",
            "-extensions",
            "leaf",
            "-out",
            "leaf.pem",
        ])?;
        let pem = std::fs::read(self.folder.path().join("leaf.pem"))?;
        let der = self.openssl(&["x509", "-in", "leaf.pem", "-outform", "DER"])?;
        Ok((pem, der))
    }

    /// Signs a manifest as cosign 3 does without a key.
    fn bundle(&self, manifest: Digest) -> Result<String> {
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{ "digest": { "sha256": manifest.to_hex() } }],
            "predicateType": "https://sigstore.dev/cosign/sign/v1",
            "predicate": {},
        })
        .to_string();
        let kind = "application/vnd.in-toto+json";
        let message = format!(
            "DSSEv1 {} {kind} {} {statement}",
            kind.len(),
            statement.len()
        );
        let signature = self.sign("signer.key", message.as_bytes())?;
        let (pem, der) = self.certificate()?;
        let body = json!({
            "apiVersion": "0.0.1",
            "kind": "hashedrekord",
            "spec": {
                "data": { "hash": { "algorithm": "sha256", "value": Digest::of(&message).to_hex() } },
                "signature": {
                    "content": STANDARD.encode(&signature),
                    "publicKey": { "content": STANDARD.encode(pem) },
                },
            },
        })
        .to_string();
        let log = Digest::of(self.log()?);
        let seconds = jiff::Timestamp::now().as_second();
        // What a log promises is over canonical JSON.
        let promised = format!(
            r#"{{"body":"{}","integratedTime":{seconds},"logID":"{}","logIndex":41}}"#,
            STANDARD.encode(&body),
            log.to_hex(),
        );
        let promise = self.sign("log.key", promised.as_bytes())?;
        let bundle = json!({
            "mediaType": BUNDLE,
            "verificationMaterial": {
                "certificate": { "rawBytes": STANDARD.encode(der) },
                "tlogEntries": [{
                    "logIndex": "41",
                    "logId": { "keyId": STANDARD.encode(log.as_bytes()) },
                    "integratedTime": seconds.to_string(),
                    "canonicalizedBody": STANDARD.encode(&body),
                    "inclusionPromise": { "signedEntryTimestamp": STANDARD.encode(promise) },
                }],
            },
            "dsseEnvelope": {
                "payload": STANDARD.encode(statement),
                "payloadType": kind,
                "signatures": [{ "sig": STANDARD.encode(signature) }],
            },
        });
        Ok(bundle.to_string())
    }
}

fn openssl(folder: &Path, arguments: &[&str]) -> Result<Vec<u8>> {
    let command = Command::new("openssl")
        .args(arguments)
        .current_dir(folder)
        .output();
    let output = command.context("failed to start `openssl`")?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "openssl {arguments:?}: {told}");
    Ok(output.stdout)
}

/// A registry, and a client that may write to it.
struct Depot {
    server: RegistryServer,
    registry: Registry,
}

impl Depot {
    async fn open(access: Access) -> Result<Self> {
        let options = RegistryOptions {
            access,
            ..RegistryOptions::default()
        };
        let server = RegistryServer::start_with(options).await?;
        let credentials = match access {
            Access::Anyone => Keychain::default(),
            _ => Keychain::default().with(server.host(), Login::basic(USER, PASSWORD)),
        };
        let registry = Registry::new(RegistryConfig {
            plain_http_hosts: [server.host().to_owned()].into(),
            credentials,
            ..RegistryConfig::default()
        })?;
        Ok(Self { server, registry })
    }

    fn image(&self) -> String {
        format!("{}/team/files:v1", self.server.host())
    }

    async fn push(&self, component: Vec<u8>) -> Result<Resolved> {
        let reference = Reference::parse(&self.image())?;
        let artifact = PluginArtifact {
            wasm: component.into(),
            ..PluginArtifact::default()
        };
        self.registry.push_plugin(&reference, &artifact).await?;
        Ok(self.registry.resolve(&reference).await?)
    }

    /// Puts a bundle beside a manifest.
    async fn attach(&self, to: &Resolved, bundle: &str) -> Result<()> {
        let mut manifest = Manifest::new(
            Descriptor::of("application/vnd.oci.empty.v1+json", b"{}"),
            vec![Descriptor::of(BUNDLE, bundle.as_bytes())],
        );
        manifest.artifact_type = Some(BUNDLE.to_owned());
        manifest.subject = Some(Descriptor::of(&to.media_type, &to.manifest));
        let name = to.reference.name();
        self.registry
            .push_blob(name, bundle.to_owned().into())
            .await?;
        self.registry.push_blob(name, b"{}".to_vec().into()).await?;
        self.registry.push_referrer(name, &manifest).await?;
        Ok(())
    }

    fn plugin(&self, space: &Space, name: &str) -> Plugin {
        let mut spec = PluginSpec::new(&self.image());
        spec.insecure = true;
        spec.interval = Some(std::time::Duration::from_secs(1).into());
        Plugin::new(&space.namespace, name, spec)
    }
}

fn reference(name: &str) -> Option<LocalObjectReference> {
    Some(LocalObjectReference { name: name.into() })
}

/// Waits until a step of a Plugin failed for this reason; returns it.
async fn refused(space: &Space, name: &str, type_: &str, reason: &str) -> Result<Plugin> {
    let is_so = |found: &Plugin| {
        condition(&found.status.conditions, type_)
            .is_some_and(|found| found.status == "False" && found.reason == reason)
    };
    space
        .wait(name, &format!("refused with {reason}"), is_so)
        .await
}

async fn runs(space: &Space, name: &str, digest: Digest) -> Result<Plugin> {
    let digest = digest.to_string();
    let is_so = |found: &Plugin| {
        is_ready(&found.status.conditions) && found.status.digest.as_deref() == Some(&digest)
    };
    space.wait(name, "running", is_so).await
}

fn version(version: &str) -> Vec<u8> {
    guests::renderer_of(version, json!({}))
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn an_image_signed_without_a_key_runs_for_its_identity_alone() -> Result<()> {
    let (world, sigstore) = (world().await?, Sigstore::new()?);
    let (space, depot) = (
        Space::new(world.cluster, "keyless").await?,
        Depot::open(Access::Anyone).await?,
    );
    space
        .secret("root", &[("trusted_root.json", &sigstore.root()?)])
        .await?;
    let first = depot.push(version("0.1.0")).await?;
    let mut object = depot.plugin(&space, "files");
    object.spec.verify = Some(PluginVerification {
        keyless: vec![KeylessIdentity {
            issuer: ISSUER.into(),
            subject: Some(SUBJECT.into()),
            subject_reg_exp: None,
        }],
        trusted_root_secret_ref: reference("root"),
        ..PluginVerification::default()
    });
    space.create(&object).await?;
    refused(&space, "files", "Verified", "SignatureMissing").await?;
    let bundle = sigstore.bundle(first.digest)?;
    depot.attach(&first, &bundle).await?;
    space.request::<Plugin>("files", "signed").await?;
    let found = runs(&space, "files", first.digest).await?;
    let signer = found.status.signer.context("a signer")?;
    assert_eq!(signer, format!("{SUBJECT} ({ISSUER})"));

    // Another version with the signature of the first.
    let second = depot.push(version("0.2.0")).await?;
    depot.attach(&second, &bundle).await?;
    let found = refused(&space, "files", "Verified", "SignatureOfOtherDigest").await?;
    assert_eq!(found.status.digest, Some(first.digest.to_string()));
    let message = &ready(&found.status.conditions)
        .context("a condition")?
        .message;
    assert!(message.contains("runs on"), "{message}");

    // A third, while nobody can tell whether it is signed.
    let third = depot.push(version("0.3.0")).await?;
    depot
        .attach(&third, &sigstore.bundle(third.digest)?)
        .await?;
    depot
        .server
        .fail("/referrers/", Fault::Code(503, "UNAVAILABLE".into()), None);
    let signatures = format!("/manifests/sha256-{}", third.digest.to_hex());
    depot
        .server
        .fail(&signatures, Fault::Code(503, "UNAVAILABLE".into()), None);
    space.request::<Plugin>("files", "out of order").await?;
    let found = refused(&space, "files", "Verified", "VerificationUnavailable").await?;
    assert_eq!(found.status.digest, Some(first.digest.to_string()));
    depot.server.heal();
    space.request::<Plugin>("files", "healed").await?;
    runs(&space, "files", third.digest).await?;

    // Who is trusted changes: what runs is known to be somebody else's.
    let other = json!({ "spec": { "verify": { "keyless": [{
        "issuer": ISSUER, "subject": "https://ci.example.com/team/other@main",
    }] } } });
    space.patch::<Plugin>("files", other).await?;
    let found = refused(&space, "files", "Verified", "SignedByOther").await?;
    assert_eq!(found.status.digest, None);
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn what_was_verified_runs_without_the_registry() -> Result<()> {
    let (world, sigstore) = (world().await?, Sigstore::new()?);
    let (space, depot) = (
        Space::new(world.cluster, "offline").await?,
        Depot::open(Access::Anyone).await?,
    );
    space
        .secret("root", &[("trusted_root.json", &sigstore.root()?)])
        .await?;
    let image = depot.push(version("0.1.0")).await?;
    depot
        .attach(&image, &sigstore.bundle(image.digest)?)
        .await?;
    let mut object = depot.plugin(&space, "files");
    object.spec.verify = Some(PluginVerification {
        keyless: vec![KeylessIdentity {
            issuer: ISSUER.into(),
            subject: None,
            subject_reg_exp: Some("https://ci\\.example\\.com/team/.*".into()),
        }],
        trusted_root_secret_ref: reference("root"),
        ..PluginVerification::default()
    });
    space.create(&object).await?;
    runs(&space, "files", image.digest).await?;
    let git = Repository::with_files([("web/app.yaml", config_map("web", "1").as_str())])?;
    let server = HttpServer::start(&git).await?;
    space.repository("app", server.url()).await?;
    space
        .create(&delivery(&space, "web", "files", "web"))
        .await?;
    applied(&space, "web", &git.head()?).await?;
    drop(depot);
    refused(&space, "files", "Fetched", "RegistryUnreachable").await?;
    git.write("web/app.yaml", config_map("web", "2"))?;
    applied(&space, "web", &git.commit("change")?).await?;
    assert_eq!(space.value("web", "key").await?.as_deref(), Some("2"));
    // A limit on fuel needs code of another kind: compiled from what is kept.
    let fuel = json!({ "spec": { "limits": { "fuel": 10_000_000 } } });
    space.patch::<Plugin>("files", fuel).await?;
    git.write("web/app.yaml", config_map("web", "3"))?;
    applied(&space, "web", &git.commit("change again")?).await?;
    let none = json!({ "spec": { "limits": { "fuel": 1 } } });
    space.patch::<Plugin>("files", none).await?;
    let message = crate::any_renderer::fails(&space, "web", "PluginTimedOut").await?;
    assert!(message.contains("used up its 1 units of fuel"), "{message}");
    Ok(())
}

/// A pull secret as `kubectl create secret docker-registry` makes it.
async fn pull_secret(space: &Space, name: &str, host: &str, password: &str) -> Result<()> {
    let auth = STANDARD.encode(format!("{USER}:{password}"));
    let config = json!({ "auths": { host: { "auth": auth } } }).to_string();
    let data = BTreeMap::from([(".dockerconfigjson".to_owned(), config)]);
    let secret: Value = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name },
        "type": "kubernetes.io/dockerconfigjson", "stringData": data,
    });
    let secret: Secret = serde_json::from_value(secret)?;
    space.create(&secret).await.map(drop)
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_private_image_is_for_who_may_pull_it_however_well_it_is_known() -> Result<()> {
    let world = world().await?;
    let (space, other, depot) = (
        Space::new(world.cluster, "private").await?,
        Space::new(world.cluster, "stranger").await?,
        Depot::open(Access::Basic).await?,
    );
    let host = depot.server.host().to_owned();
    let image = depot.push(version("0.1.0")).await?;
    pull_secret(&space, "wrong", &host, "guessed").await?;
    pull_secret(&space, "right", &host, PASSWORD).await?;
    let mut object = depot.plugin(&space, "files");
    space.create(&object).await?;
    let found = refused(&space, "files", "Fetched", "AuthenticationFailed").await?;
    let message = &ready(&found.status.conditions)
        .context("a condition")?
        .message;
    assert!(message.contains("pull secret"), "{message}");
    let by = |name: &str| json!({ "spec": { "pullSecretRef": { "name": name } } });
    space.patch::<Plugin>("files", by("missing")).await?;
    let is_missing = |found: &Plugin| {
        let ready = ready(&found.status.conditions);
        ready.is_some_and(|ready| ready.message.contains("missing"))
    };
    space
        .wait("files", "told that the secret is missing", is_missing)
        .await?;
    space.patch::<Plugin>("files", by("wrong")).await?;
    let is_wrong = |found: &Plugin| {
        let ready = ready(&found.status.conditions);
        ready.is_some_and(|ready| ready.message.contains("check that the login"))
    };
    let found = space
        .wait("files", "told that the login is wrong", is_wrong)
        .await?;
    let shown = serde_json::to_string(&found.status)?;
    assert!(!shown.contains("guessed"), "{shown}");
    space.patch::<Plugin>("files", by("right")).await?;
    runs(&space, "files", image.digest).await?;

    // The same image, kept and compiled by now, for somebody who may not pull it, and who may.
    object.metadata.namespace = Some(other.namespace.clone());
    other.create(&object).await?;
    let found = refused(&other, "files", "Fetched", "AuthenticationFailed").await?;
    assert_eq!(found.status.digest, None);
    pull_secret(&other, "right", &host, PASSWORD).await?;
    depot.server.take_requests();
    other.patch::<Plugin>("files", by("right")).await?;
    runs(&other, "files", image.digest).await?;
    let asked = depot.server.take_requests();
    let authorised = asked
        .iter()
        .filter(|seen| seen.target.contains("/manifests/") && seen.authorization.is_some());
    assert!(authorised.count() > 0, "the registry was asked again");

    // A login that is taken away: what runs runs on, and the object says why there is nothing new.
    space.patch::<Plugin>("files", by("wrong")).await?;
    let found = refused(&space, "files", "Fetched", "AuthenticationFailed").await?;
    assert_eq!(found.status.digest, Some(image.digest.to_string()));
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn what_is_no_plugin_has_a_reason_each_and_what_ran_runs_on() -> Result<()> {
    let world = world().await?;
    let (space, depot) = (
        Space::new(world.cluster, "unfit").await?,
        Depot::open(Access::Anyone).await?,
    );
    let image = depot.push(version("0.1.0")).await?;
    space.create(&depot.plugin(&space, "files")).await?;
    runs(&space, "files", image.digest).await?;
    for (reason, component) in guests::unfit() {
        depot.push(component).await?;
        let found = refused(&space, "files", "Compatible", reason).await?;
        let ran = Some(image.digest.to_string());
        assert_eq!(found.status.digest, ran, "{reason}: what ran runs on");
        let ready = ready(&found.status.conditions).context("a condition")?;
        assert_eq!(ready.reason, reason);
        assert!(ready.message.contains("runs on"), "{}", ready.message);
        depot.push(version("0.1.0")).await?;
        runs(&space, "files", image.digest).await?;
    }
    Ok(())
}
