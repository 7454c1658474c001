//! The host: one engine, and the way from bytes to a plugin. What compiles waits for its turn here;
//! what comes of it is [`ready`](crate::ready)'s.

use std::num::NonZero;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bulkhead_api::Digest;
use cap_std::fs::Dir;
use wasmtime::Engine;

use crate::cache::Cache;
use crate::compile::{CompileError, CompileLimits, Compiler};
use crate::engine::{engine, runner};
use crate::error::{HostError, LoadError};
use crate::inspect::needs_newer_host;
use crate::manifest::Manifest;
use crate::names::PluginId;
use crate::plugin::{Inner, Plugin};
use crate::ready::Shared;
use crate::runtime::Guests;
use crate::turns::{CompileQuota, Lane, Spent, Turns};

/// How a host is made.
#[derive(Debug)]
pub struct HostConfig {
    /// Folder of the compiled cache, this user's alone; `None` compiles at every start.
    pub cache: Option<Dir>,
    /// Where components are compiled.
    pub compiler: Compiler,
    /// What compiling may take.
    pub compile_limits: CompileLimits,
    /// What one tenant may have compiled.
    pub compile_quota: CompileQuota,
    /// Guests that run at a time; `None` is one a processor.
    pub parallel: Option<NonZero<usize>>,
    /// Gives back between the phases of a call what of the program's file is in memory only because
    /// it was used once: for a process of one call. See [`release_program_pages`].
    pub frugal: bool,
    /// Counts fuel in all guests, which run up to three times slower: for benchmarks. For single
    /// plugins there is [`Host::metered`].
    pub meter: bool,
}

impl Default for HostConfig {
    fn default() -> Self {
        Self {
            cache: None,
            compiler: Compiler::InProcess,
            compile_limits: CompileLimits::default(),
            compile_quota: CompileQuota::default(),
            parallel: None,
            frugal: false,
            meter: false,
        }
    }
}

/// Loads plugins and runs them. Cheap to clone; one a process.
#[derive(Clone)]
pub struct Host {
    shared: Arc<Shared>,
}

/// How a component is loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadOptions<'a> {
    /// Who pays for the time that compiling takes: see [`CompileQuota`]. Nobody by default.
    pub tenant: Option<&'a str>,
    /// Counts the fuel of its calls: see [`Host::metered`].
    pub meter: bool,
}

/// A component that is part of this binary.
#[derive(Clone, Copy, Debug)]
pub struct Embedded {
    /// The component.
    pub wasm: &'static [u8],
    /// Its digest, computed when the binary was built: that takes longer than all else at a start.
    pub digest: Digest,
    /// Code compiled from it ahead (see [`attached_code`](crate::attached_code)); empty where there
    /// is none.
    pub compiled: &'static [u8],
}

/// Where the bytes of a component are.
enum Wasm<'a> {
    Given(&'a [u8]),
    Embedded(&'static [u8]),
}

/// The same, held for as long as it takes.
enum Held {
    Shared(Arc<[u8]>),
    Embedded(&'static [u8]),
}

impl Wasm<'_> {
    fn held(self) -> Held {
        match self {
            Self::Given(bytes) => Held::Shared(bytes.into()),
            Self::Embedded(bytes) => Held::Embedded(bytes),
        }
    }
}

impl Held {
    /// Copies what is embedded only when it has to be compiled.
    fn shared(self) -> Arc<[u8]> {
        match self {
            Self::Shared(bytes) => bytes,
            Self::Embedded(bytes) => bytes.into(),
        }
    }
}

impl Host {
    /// Starts the engine and the threads that guests run on.
    ///
    /// # Errors
    /// See [`HostError`].
    pub fn new(config: HostConfig) -> Result<Self, HostError> {
        let wrong = |error: wasmtime::Error| HostError::Engine(format!("{error:#}"));
        let engine = engine_beside(&config.compiler, config.meter).map_err(wrong)?;
        let cache = match config.cache {
            Some(dir) => Some(Cache::open(dir, &engine).map_err(HostError::Cache)?),
            None => None,
        };
        let parallel = config
            .parallel
            .or_else(|| std::thread::available_parallelism().ok());
        let parallel = parallel.map_or(1, NonZero::get);
        let (mut guests, threads) = Guests::start(engine, config.meter, parallel)?;
        guests.frugal = config.frugal;
        guests.end_phase();
        Ok(Self {
            shared: Arc::new(Shared {
                guests,
                threads: Arc::new(threads),
                linkers: [const { OnceLock::new() }; 3],
                cache,
                compiler: config.compiler,
                compile_limits: config.compile_limits,
                meter: config.meter,
                turns: Turns::new(config.compile_quota),
                known: Mutex::default(),
                metered: Mutex::default(),
            }),
        })
    }

    /// Returns the host whose guests count fuel, for [`Limits::fuel`](crate::Limits::fuel): made when
    /// it is first asked for, it shares threads, lanes, cache and turns with this one.
    ///
    /// # Errors
    /// See [`HostError`].
    pub fn metered(&self) -> Result<Self, HostError> {
        let shared = &self.shared;
        if shared.meter {
            return Ok(self.clone());
        }
        let mut made = shared
            .metered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = &*made {
            let shared = Arc::clone(shared);
            return Ok(Self { shared });
        }
        let wrong = |error: wasmtime::Error| HostError::Engine(format!("{error:#}"));
        let engine = engine_beside(&shared.compiler, true).map_err(wrong)?;
        let cache = shared.cache.as_ref().map(|cache| cache.of_engine(&engine));
        let threads = Arc::clone(&shared.threads);
        let host = Self {
            shared: Arc::new(Shared {
                guests: shared.guests.of_engine(engine, true, &threads)?,
                threads,
                linkers: [const { OnceLock::new() }; 3],
                cache: cache.transpose().map_err(HostError::Cache)?,
                compiler: shared.compiler.clone(),
                compile_limits: shared.compile_limits.clone(),
                meter: true,
                turns: Arc::clone(&shared.turns),
                known: Mutex::default(),
                metered: Mutex::default(),
            }),
        };
        *made = Some(Arc::clone(&host.shared));
        Ok(host)
    }

    /// Loads a component whose bytes were verified: from memory if it is loaded, else from the
    /// cache, else by compiling it.
    ///
    /// The same bytes are compiled once, whatever they are called and however many ask at a time.
    ///
    /// # Errors
    /// See [`LoadError`]. That a component does not compile is remembered for five minutes.
    pub async fn load(&self, id: PluginId, bytes: &[u8]) -> Result<Plugin, LoadError> {
        self.load_as(id, bytes, LoadOptions::default()).await
    }

    /// The same, with options.
    ///
    /// # Errors
    /// As [`load`](Self::load), and [`LoadError::QuotaSpent`].
    pub async fn load_as(
        &self,
        id: PluginId,
        bytes: &[u8],
        options: LoadOptions<'_>,
    ) -> Result<Plugin, LoadError> {
        let host = match options.meter {
            false => self.clone(),
            true => self.metered().map_err(|error| LoadError::Engine {
                plugin: id.clone(),
                message: bulkhead_api::chain(&error),
            })?,
        };
        host.load_for(options.tenant, id, bytes).await
    }

    async fn load_for(
        &self,
        tenant: Option<&str>,
        id: PluginId,
        bytes: &[u8],
    ) -> Result<Plugin, LoadError> {
        let component = Wasm::Given(bytes);
        precheck(&id, bytes, &self.shared.compile_limits)?;
        // A manifest that is not valid keeps nothing from running: `inspect` tells.
        if let Ok(Some(manifest)) = Manifest::read(bytes)
            && needs_newer_host(&manifest.min_host)
        {
            let wanted = manifest.min_host;
            return Err(LoadError::NewerHost { plugin: id, wanted });
        }
        self.load_with((tenant, id), Digest::of(bytes), component, &[])
            .await
    }

    /// Loads a component that is part of this binary, with the code compiled from it ahead, if
    /// there is any and it fits this machine and version; else as [`load`](Self::load) does.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub async fn load_embedded(
        &self,
        id: PluginId,
        embedded: Embedded,
    ) -> Result<Plugin, LoadError> {
        let Embedded {
            wasm,
            digest,
            compiled,
        } = embedded;
        precheck(&id, wasm, &self.shared.compile_limits)?;
        let loaded = self.load_with((None, id), digest, Wasm::Embedded(wasm), compiled);
        let inner = Inner {
            embedded: Some(wasm),
            ..Inner::clone(&loaded.await?.inner)
        };
        let inner = Ok(Arc::new(inner));
        self.shared.remember(digest, &inner);
        self.shared.guests.end_phase();
        inner.map(|inner| Plugin { inner })
    }

    /// Compiles a component for this host in this process: for attaching what comes out.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn precompile(&self, id: &PluginId, bytes: &[u8]) -> Result<Vec<u8>, LoadError> {
        let Shared {
            compile_limits,
            meter,
            ..
        } = &*self.shared;
        precheck(id, bytes, compile_limits)?;
        let engine = engine(*meter)
            .map_err(|error| failed(id, CompileError::Stopped(format!("{error:#}"))))?;
        Compiler::InProcess
            .compile(&engine, *meter, bytes.into(), compile_limits)
            .map_err(|error| failed(id, error))
    }

    async fn load_with(
        &self,
        (tenant, id): (Option<&str>, PluginId),
        digest: Digest,
        wasm: Wasm<'_>,
        compiled: &'static [u8],
    ) -> Result<Plugin, LoadError> {
        let shared = &self.shared;
        if let Some(known) = shared.known(&id, digest) {
            return known;
        }
        let (this, name) = (Arc::clone(shared), id.clone());
        let work = move || this.ready(&name, digest, compiled);
        let ready = shared.guests.block(false, work).await;
        let loaded = match ready.map_err(|_| shut_down(&id))? {
            Some(loaded) => loaded,
            None => {
                let wasm = wasm.held().shared();
                self.compile((tenant, &id), digest, wasm).await?
            }
        };
        shared.remember(digest, &loaded);
        loaded.map(|inner| Plugin { inner })
    }

    /// Compiles in turn: what is compiled already, or part of this program, never waits for it.
    /// Each component gets a short try, and a long one among those that need it, so that a queue of
    /// bombs delays others by a few seconds each.
    async fn compile(
        &self,
        (tenant, id): (Option<&str>, &PluginId),
        digest: Digest,
        wasm: Arc<[u8]>,
    ) -> Result<Result<Arc<Inner>, LoadError>, LoadError> {
        let shared = &self.shared;
        let limits = &shared.compile_limits;
        let tries = [
            (Lane::Short, limits.short(wasm.len())),
            (Lane::Long, Some(limits.clone())),
        ];
        let mut last = None;
        for (lane, limits) in tries {
            let Some(limits) = limits else { continue };
            let turn = shared.turns.take(lane, tenant).await;
            let turn = turn.map_err(|spent| quota_spent(id, spent))?;
            if let Some(known) = shared.known(id, digest) {
                return Ok(known.map(|plugin| plugin.inner));
            }
            let (this, name, wasm) = (Arc::clone(shared), id.clone(), Arc::clone(&wasm));
            let work = move || {
                let _turn = turn; // held by the work itself: whoever asked may be gone before
                this.compile(&name, digest, wasm, &limits)
            };
            let compiled = shared.guests.block(true, work).await;
            match compiled.map_err(|_| shut_down(id))? {
                Err(error @ CompileError::OutOfTime) => last = Some(error),
                Err(error) => return Ok(Err(failed(id, error))),
                Ok(loaded) => return Ok(loaded),
            }
        }
        Ok(Err(failed(id, last.unwrap_or(CompileError::OutOfTime))))
    }
}

fn quota_spent(id: &PluginId, spent: Spent) -> LoadError {
    LoadError::QuotaSpent {
        plugin: id.clone(),
        tenant: spent.tenant,
        time: spent.time,
        again: spent.again,
    }
}

fn shut_down(id: &PluginId) -> LoadError {
    LoadError::ShutDown { plugin: id.clone() }
}

/// Makes the engine that guests run on: it compiles only where no child does.
fn engine_beside(compiler: &Compiler, meter: bool) -> wasmtime::Result<Engine> {
    match compiler {
        Compiler::InProcess => engine(meter),
        Compiler::Child { .. } => runner(meter),
    }
}

/// Refuses what is too large, or no component, before anything is compiled.
fn precheck(id: &PluginId, bytes: &[u8], limits: &CompileLimits) -> Result<(), LoadError> {
    const COMPONENT: [u8; 8] = *b"\0asm\x0d\0\x01\0";
    const CORE: [u8; 8] = *b"\0asm\x01\0\0\0";
    let plugin = id.clone();
    let size_bytes = bytes.len() as u64;
    let limit_bytes = limits.component_bytes;
    if size_bytes > limit_bytes {
        return Err(LoadError::TooLarge {
            plugin,
            size_bytes,
            limit_bytes,
        });
    }
    match bytes.first_chunk() {
        Some(&COMPONENT) => Ok(()),
        Some(&CORE) => Err(LoadError::CoreModule { plugin }),
        _ => Err(LoadError::NotAComponent { plugin }),
    }
}

fn failed(id: &PluginId, error: CompileError) -> LoadError {
    let plugin = id.clone();
    match error {
        CompileError::Invalid(message) => LoadError::Compile { plugin, message },
        CompileError::Stopped(message) => LoadError::CompilerStopped { plugin, message },
        CompileError::OutOfTime => LoadError::CompilerStopped {
            plugin,
            message: "used up its processor time".to_owned(),
        },
    }
}
