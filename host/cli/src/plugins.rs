//! The default plugins, embedded in the binary, and the host that runs them.

use std::num::NonZero;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bulkhead_api::Digest;
use bulkhead_wasm::{
    Compiler, Embedded, Host, HostConfig, Plugin, PluginId, attach, attached_code,
};

use crate::output::{CliError, Progress};

/// A guest that is part of this binary.
pub(crate) struct BuiltIn {
    /// Name of its folder under `plugins/`.
    name: &'static str,
    /// The component; empty when the build lacked it.
    wasm: &'static [u8],
    /// Its SHA-256.
    digest: [u8; 32],
}

include!(concat!(env!("OUT_DIR"), "/plugins.rs"));

/// Version of the default plugins: they are released with the binary.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Starts the host. Components that are compiled are kept in `cache`.
pub(crate) fn host(cache: Option<&Path>) -> Result<Host, CliError> {
    start(cache, false)
}

/// Loads a default plugin for one call, on a host that starts no thread that would have nothing to
/// do, and keeps little in memory. It lasts until the process ends.
pub(crate) async fn one_call(cache: Option<&Path>, name: &str) -> Result<Plugin, CliError> {
    let host = start(cache, true)?;
    let plugin = built_in(&host, name).await;
    // Nobody waits for threads to end, and memory to be unmapped: the end of the process does both.
    std::mem::forget(host);
    plugin
}

fn start(cache: Option<&Path>, one_call: bool) -> Result<Host, CliError> {
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
        parallel: one_call.then_some(NonZero::<usize>::MIN),
        frugal: one_call,
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
    let digest = Digest::from_bytes(plugin.digest);
    let embedded = Embedded {
        wasm: plugin.wasm,
        digest,
        compiled: attached_code(digest),
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

/// Compiles the components of this program, and writes what comes out behind it: into its own file,
/// or into a copy at `to`.
pub(crate) fn precompile(to: Option<&Path>) -> Result<(), CliError> {
    let program = std::env::current_exe().context("failed to find the path of this program")?;
    let to = to.unwrap_or(&program);
    let bytes =
        std::fs::read(&program).with_context(|| format!("failed to read {}", program.display()))?;
    let host = Host::new(HostConfig::default())?;
    let mut codes = Vec::new();
    for plugin in BUILT_IN.iter().filter(|plugin| !plugin.wasm.is_empty()) {
        let code = host.precompile(&PluginId::new(plugin.name, VERSION), plugin.wasm)?;
        codes.push((Digest::from_bytes(plugin.digest), code));
    }
    // A new file, put in the place of the old at once: this program runs from the old one.
    let written = to.with_extension("attaching");
    let write = || {
        let mut file = std::fs::File::create(&written)?;
        attach(&bytes, &codes, &mut file)?;
        file.set_permissions(std::fs::metadata(&program)?.permissions())?;
        std::fs::rename(&written, to)
    };
    write().with_context(|| format!("failed to write {}", to.display()))?;
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
