//! Makes archives and pushes them to a registry, as `flux push artifact` and `helm push` do.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use bulkhead_api::Digest;
use serde_json::{Value, json};

/// Manifest of what is pushed.
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Configuration and layer of what `flux push artifact` pushes.
pub(crate) const FLUX: [&str; 2] = [
    "application/vnd.cncf.flux.config.v1+json",
    "application/vnd.cncf.flux.content.v1.tar+gzip",
];
/// Configuration and layer of what `helm push` pushes.
pub(crate) const HELM: [&str; 2] = [
    "application/vnd.cncf.helm.config.v1+json",
    "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
];

/// Packs files into a `.tar.gz`.
pub(crate) fn packed(files: &[(&str, &str)]) -> Result<Vec<u8>> {
    let folder = tempfile::tempdir()?;
    for (name, content) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("")))?;
        std::fs::write(path, content)?;
    }
    let names = files.iter().map(|(name, _)| *name);
    let packed = Command::new("tar")
        .arg("-C")
        .arg(folder.path())
        .args(["-czf", "-"])
        .args(names)
        .output()
        .context("failed to run `tar`")?;
    ensure!(packed.status.success(), "`tar` failed");
    Ok(packed.stdout)
}

/// Returns the entries of a `.tar.gz`.
pub(crate) fn listed(archive: &[u8]) -> Result<Vec<String>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("archive");
    std::fs::write(&file, archive)?;
    let listed = Command::new("tar").arg("-tzf").arg(file).output()?;
    ensure!(listed.status.success(), "`tar` failed");
    let text = String::from_utf8(listed.stdout)?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// Returns the text of one file of a `.tar.gz`.
pub(crate) fn file_of(archive: &[u8], name: &str) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("archive");
    std::fs::write(&file, archive)?;
    let read = Command::new("tar")
        .arg("-xzOf")
        .arg(file)
        .arg(name)
        .output()?;
    ensure!(read.status.success(), "there is no `{name}`");
    Ok(String::from_utf8(read.stdout)?)
}

/// Packs a chart with these files beside `Chart.yaml`, by the real `helm`.
pub(crate) fn chart(name: &str, version: &str, files: &[(&str, &str)]) -> Result<Vec<u8>> {
    let description = format!("apiVersion: v2\nname: {name}\nversion: {version}\n");
    let own = format!("{name}/Chart.yaml");
    let others: Vec<(String, &str)> = files
        .iter()
        .map(|(path, content)| (format!("{name}/{path}"), *content))
        .collect();
    let others = others.iter().map(|(path, content)| (&**path, *content));
    let all: Vec<_> = [(own.as_str(), description.as_str())]
        .into_iter()
        .chain(others)
        .collect();
    let helm = bulkhead_testing::cluster::helm()?;
    let folder = tempfile::tempdir()?;
    for (file, content) in all {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("")))?;
        std::fs::write(path, content)?;
    }
    let packed = Command::new(helm)
        .args(["package", name])
        .current_dir(folder.path())
        .output()
        .context("failed to run `helm`")?;
    ensure!(
        packed.status.success(),
        "{}",
        String::from_utf8_lossy(&packed.stderr)
    );
    let file = format!("{name}-{version}.tgz");
    Ok(std::fs::read(folder.path().join(file))?)
}

/// Pushes one layer to `host/repository:tag`; returns the digest of its manifest. `login` is a name
/// and a password.
pub(crate) async fn push(
    image: &str,
    types: [&str; 2],
    layer: &[u8],
    annotations: Value,
) -> Result<Digest> {
    let (image, layer) = (image.to_owned(), layer.to_vec());
    let types = types.map(str::to_owned);
    let work = move || {
        let layer_type = (types[1].as_str(), json!({}));
        push_now(&image, (&types[0], layer_type), &layer, annotations)
    };
    // The registry is served by the thread that waits.
    tokio::task::spawn_blocking(work).await?
}

/// Signs what is in `host/repository` under a digest, as `cosign sign --key` does; returns the public
/// key.
pub(crate) async fn sign(repository: &str, digest: &Digest) -> Result<String> {
    let identity = json!({ "docker-reference": repository });
    let payload = json!({
        "critical": {
            "identity": identity,
            "image": { "docker-manifest-digest": digest.to_string() },
            "type": "cosign container image signature",
        },
        "optional": null,
    });
    let payload = payload.to_string().into_bytes();
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("payload"), &payload)?;
    let openssl = |arguments: &[&str]| -> Result<Vec<u8>> {
        let run = Command::new("openssl")
            .args(arguments)
            .current_dir(folder.path())
            .output();
        let run = run.context("failed to run `openssl`")?;
        ensure!(
            run.status.success(),
            "{}",
            String::from_utf8_lossy(&run.stderr)
        );
        Ok(run.stdout)
    };
    openssl(&[
        "ecparam",
        "-name",
        "prime256v1",
        "-genkey",
        "-noout",
        "-out",
        "key",
    ])?;
    let signature = openssl(&["dgst", "-sha256", "-sign", "key", "payload"])?;
    let public = String::from_utf8(openssl(&["ec", "-in", "key", "-pubout"])?)?;
    let signature = base64::engine::general_purpose::STANDARD.encode(signature);
    let image = format!("{repository}:sha256-{}.sig", digest.to_hex());
    let work = move || {
        let layer_type = "application/vnd.dev.cosign.simplesigning.v1+json";
        let annotations = json!({ "dev.cosignproject.cosign/signature": signature });
        let config_type = "application/vnd.oci.image.config.v1+json";
        push_now(
            &image,
            (config_type, (layer_type, annotations)),
            &payload,
            json!({}),
        )
    };
    tokio::task::spawn_blocking(work).await??;
    Ok(public)
}

fn push_now(
    image: &str,
    (config_type, (layer_type, layer_annotations)): (&str, (&str, Value)),
    layer: &[u8],
    annotations: Value,
) -> Result<Digest> {
    let (host, rest) = image.split_once('/').context("no host")?;
    let (repository, tag) = rest.rsplit_once(':').context("no tag")?;
    let config = b"{}";
    blob(host, repository, config)?;
    blob(host, repository, layer)?;
    let mut described_layer = described(layer_type, layer);
    described_layer["annotations"] = layer_annotations;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": described(config_type, config),
        "layers": [described_layer],
        "annotations": annotations,
    });
    let manifest = manifest.to_string().into_bytes();
    let path = format!("/v2/{repository}/manifests/{tag}");
    let (status, _) = send(host, "PUT", &path, MANIFEST, &manifest)?;
    ensure!(status == 201, "the manifest was answered with {status}");
    Ok(Digest::of(&manifest))
}

fn described(media_type: &str, content: &[u8]) -> Value {
    json!({
        "mediaType": media_type,
        "digest": Digest::of(content).to_string(),
        "size": content.len(),
    })
}

fn blob(host: &str, repository: &str, content: &[u8]) -> Result<()> {
    let kind = "application/octet-stream";
    let path = format!("/v2/{repository}/blobs/uploads/");
    let (_, head) = send(host, "POST", &path, kind, b"")?;
    let location = head
        .lines()
        .find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("location").then(|| value.trim())
        })
        .with_context(|| format!("the upload has no place: {head}"))?;
    let path = match location.split_once("://") {
        Some((_, rest)) => format!("/{}", rest.split_once('/').map_or("", |(_, path)| path)),
        None => location.to_owned(),
    };
    let separator = if path.contains('?') { '&' } else { '?' };
    let path = format!("{path}{separator}digest={}", Digest::of(content));
    match send(host, "PUT", &path, kind, content)? {
        (201, _) => Ok(()),
        (status, head) => bail!("the blob was answered with {status}: {head}"),
    }
}

/// Sends one request; returns the status and the head of the answer.
fn send(host: &str, method: &str, path: &str, kind: &str, body: &[u8]) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {kind}\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n"
    )?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let head = String::from_utf8_lossy(&answer).into_owned();
    let status = head.split(' ').nth(1).context("no answer")?.parse()?;
    Ok((status, head))
}

/// Loads what an artifact's URL names.
pub(crate) async fn load(url: &str) -> Result<Vec<u8>> {
    let url = url.to_owned();
    let work = move || -> Result<Vec<u8>> {
        let (_, rest) = url.split_once("://").context("no scheme")?;
        let (host, path) = rest.split_once('/').context("no path")?;
        let mut stream = TcpStream::connect(host)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        write!(
            stream,
            "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        ensure!(answer.starts_with(b"HTTP/1.1 200"), "{url} is not served");
        let head = answer.windows(4).position(|four| four == b"\r\n\r\n");
        Ok(answer.split_off(head.context("no body")? + 4))
    };
    tokio::task::spawn_blocking(work).await?
}
