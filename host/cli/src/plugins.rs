//! The default plugins, embedded in the binary, and the host that runs them.

use std::num::NonZero;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bulkhead_api::Digest;
use bulkhead_wasm::{Compiler, Embedded, Host, HostConfig, Plugin, PluginId};

use crate::output::{CliError, Progress};

/// A guest that is part of this binary.
pub(crate) struct BuiltIn {
    /// Name of its folder under `plugins/`.
    name: &'static str,
    /// The component; empty when the build lacked it.
    wasm: &'static [u8],
    /// Its SHA-256.
    digest: [u8; 32],
    /// Its compiled form; empty when the build lacked it.
    compiled: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/plugins.rs"));

/// Version of the default plugins: they are released with the binary.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Starts the host. Components that are compiled are kept in `cache`.
pub(crate) fn host(cache: Option<&Path>) -> Result<Host, CliError> {
    start(cache, None)
}

/// Starts the host for one call: threads that would have nothing to do are not started.
pub(crate) fn host_of_one(cache: Option<&Path>) -> Result<Host, CliError> {
    start(cache, Some(NonZero::<usize>::MIN))
}

fn start(cache: Option<&Path>, parallel: Option<NonZero<usize>>) -> Result<Host, CliError> {
    let cache = match cache {
        Some(folder) => Some(private_folder(&folder.join("compiled"))?),
        None => None,
    };
    let program = std::env::current_exe().context("failed to find the path of this program")?;
    let compiler = Compiler::Child {
        program,
        args: vec!["compile-plugin".into()],
    };
    let host = Host::new(HostConfig {
        cache,
        compiler,
        parallel,
        ..HostConfig::default()
    })?;
    Ok(host)
}

/// Loads a default plugin.
pub(crate) async fn built_in(host: &Host, name: &str) -> Result<Plugin, CliError> {
    let found = BUILT_IN
        .iter()
        .find(|plugin| plugin.name == name && !plugin.wasm.is_empty());
    let Some(plugin) = found else {
        return Err(CliError::from(anyhow::anyhow!(
            "this build of bulkhead has no plugin `{name}`"
        ))
        .hint("run `make plugins`, then build again"));
    };
    let progress = Progress::start(&format!("loading plugin {name}"));
    let id = PluginId::new(name.trim_start_matches("notify-"), VERSION);
    let embedded = Embedded {
        wasm: plugin.wasm,
        digest: Digest::from_bytes(plugin.digest),
        compiled: plugin.compiled,
    };
    let loaded = host.load_embedded(id, embedded).await;
    drop(progress);
    loaded.map_err(|error| {
        let hint = error.advice().hint;
        CliError {
            hint,
            ..CliError::from(error)
        }
    })
}

/// Names of the default notifiers, as `Provider.spec.type` has them, with their folders.
pub(crate) fn notifiers() -> impl Iterator<Item = (&'static str, &'static str)> {
    BUILT_IN
        .iter()
        .filter(|plugin| !plugin.wasm.is_empty())
        .filter_map(|plugin| Some((plugin.name.strip_prefix("notify-")?, plugin.name)))
}

/// Writes the compiled form of each component beside it.
pub(crate) fn precompile(files: &[PathBuf]) -> Result<(), CliError> {
    let host = Host::new(HostConfig::default())?;
    for file in files {
        let bytes =
            std::fs::read(file).with_context(|| format!("failed to read {}", file.display()))?;
        let name = file
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let compiled = host.precompile(&PluginId::new(name, VERSION), &bytes)?;
        let to = file.with_extension("cwasm");
        // The build looks at times: what did not change is not written again.
        if std::fs::read(&to).ok().as_deref() != Some(&compiled) {
            std::fs::write(&to, compiled)
                .with_context(|| format!("failed to write {}", to.display()))?;
        }
    }
    Ok(())
}

/// Returns the folder for what is kept between runs: the one named, or the user's own.
pub(crate) fn cache_folder(named: Option<PathBuf>) -> Option<PathBuf> {
    let of = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    named
        .or_else(|| Some(of("XDG_CACHE_HOME")?.join("bulkhead")))
        .or_else(|| Some(of("HOME")?.join(".cache/bulkhead")))
}

/// Opens a folder that is this user's alone, and makes it where it is not there.
pub(crate) fn private_folder(path: &Path) -> anyhow::Result<cap_std::fs::Dir> {
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
    let failed = || format!("failed to open {}", path.display());
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(failed)?;
    let permissions = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(path, permissions).with_context(failed)?;
    cap_std::fs::Dir::open_ambient_dir(path, cap_std::ambient_authority()).with_context(failed)
}
