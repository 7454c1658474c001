//! From code to a plugin that runs: what is loaded is remembered, what is embedded, cached or compiled is
//! audited and linked.

use std::collections::HashMap;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use bulkhead_api::Digest;
use wasmtime::component::{Component, InstancePre, Linker};

use crate::audit::{self, Shape};
use crate::bindings::{notifier, renderer, transformer};
use crate::cache::Cache;
use crate::compile::{CompileError, CompileLimits, Compiler};
use crate::error::LoadError;
use crate::host::{self, State};
use crate::names::{PluginId, PluginKind};
use crate::plugin::{Inner, Linked, Plugin};
use crate::runtime::{Guests, Threads};
use crate::turns::Turns;

/// How long it is remembered that a component does not compile.
const FAILURES_KEPT: Duration = Duration::from_secs(300);

/// Failures that are remembered at most.
const FAILURES: usize = 1000;

/// What a host is made of.
pub(crate) struct Shared {
    pub(crate) guests: Guests,
    pub(crate) threads: Arc<Threads>,
    pub(crate) linkers: [OnceLock<Linker<State>>; 3],
    pub(crate) cache: Option<Cache>,
    pub(crate) compiler: Compiler,
    pub(crate) compile_limits: CompileLimits,
    pub(crate) meter: bool,
    pub(crate) turns: Arc<Turns>,
    pub(crate) known: Mutex<Known>,
    /// The same with fuel counted, once somebody asked for it.
    pub(crate) metered: Mutex<Option<Arc<Shared>>>,
}

/// The plugins that are loaded, and what did not load.
#[derive(Default)]
pub(crate) struct Known {
    loaded: HashMap<Digest, Weak<Inner>>,
    failed: HashMap<Digest, (Instant, LoadError)>,
}

/// Native code that this process may run: its own compiler made it, or it is part of the binary.
struct Trusted<'a>(&'a [u8]);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what is known of a component: a plugin, under the name asked for, or why not.
    pub(crate) fn known(&self, id: &PluginId, digest: Digest) -> Option<Result<Plugin, LoadError>> {
        let known = self.lock();
        if let Some(inner) = known.loaded.get(&digest).and_then(Weak::upgrade) {
            if inner.id == *id {
                return Some(Ok(Plugin { inner }));
            }
            let renamed = Inner {
                id: id.clone(),
                ..Inner::clone(&inner)
            };
            return Some(Ok(Plugin {
                inner: Arc::new(renamed),
            }));
        }
        let (at, error) = known.failed.get(&digest)?;
        (at.elapsed() < FAILURES_KEPT).then(|| Err(error.clone()))
    }

    pub(crate) fn remember(&self, digest: Digest, loaded: &Result<Arc<Inner>, LoadError>) {
        let mut known = self.lock();
        match loaded {
            Ok(inner) => {
                known.loaded.retain(|_, inner| inner.strong_count() > 0);
                known.loaded.insert(digest, Arc::downgrade(inner));
            }
            Err(error) => {
                known
                    .failed
                    .retain(|_, (at, _)| at.elapsed() < FAILURES_KEPT);
                if known.failed.len() < FAILURES {
                    known.failed.insert(digest, (Instant::now(), error.clone()));
                }
            }
        }
    }

    /// Returns the plugin of code that there is: embedded or cached; blocks.
    pub(crate) fn ready(
        &self,
        id: &PluginId,
        digest: Digest,
        compiled: &'static [u8],
    ) -> Option<Result<Arc<Inner>, LoadError>> {
        if !compiled.is_empty() {
            match self.run_in_place(&Trusted(compiled)) {
                Ok(component) => return Some(self.finish(id, digest, &component)),
                Err(error) => {
                    tracing::debug!(plugin = %id, %error, "the attached code does not fit");
                }
            }
        }
        let artifact = self.cache.as_ref()?.get(digest)?;
        match self.deserialize(&Trusted(&artifact)) {
            Ok(component) => Some(self.finish(id, digest, &component)),
            Err(error) => {
                tracing::warn!(plugin = %id, %error, "cached code does not fit");
                None
            }
        }
    }

    /// Compiles, and keeps what came out; blocks.
    pub(crate) fn compile(
        &self,
        id: &PluginId,
        digest: Digest,
        wasm: Arc<[u8]>,
        limits: &CompileLimits,
    ) -> Result<Result<Arc<Inner>, LoadError>, CompileError> {
        let engine = &self.guests.engine;
        let artifact = self.compiler.compile(engine, self.meter, wasm, limits)?;
        let component = self.deserialize(&Trusted(&artifact)).map_err(|error| {
            CompileError::Stopped(format!("wrote code that does not load: {error:#}"))
        })?;
        if let Some(cache) = &self.cache {
            cache.put(digest, &artifact);
        }
        Ok(self.finish(id, digest, &component))
    }

    /// Audits and links.
    fn finish(
        &self,
        id: &PluginId,
        digest: Digest,
        component: &Component,
    ) -> Result<Arc<Inner>, LoadError> {
        let Shape { kind, imports } = audit::audit(&self.guests.engine, component, id)?;
        let linked = self
            .link(kind, component)
            .map_err(|error| LoadError::Incompatible {
                plugin: id.clone(),
                message: host::log::clean(&format!("{error:#}")),
            })?;
        Ok(Arc::new(Inner {
            id: id.clone(),
            digest,
            imports,
            embedded: None,
            linked,
            guests: self.guests.clone(),
            share: Arc::new(self.guests.share()),
        }))
    }

    /// Loads code that is part of this program's file: where it starts at a page it is run where it
    /// lies, so that only what runs is ever read from disk.
    fn run_in_place(&self, artifact: &Trusted<'static>) -> wasmtime::Result<Component> {
        if !artifact
            .0
            .as_ptr()
            .addr()
            .is_multiple_of(rustix::param::page_size())
        {
            return self.deserialize(artifact);
        }
        #[allow(
            unsafe_code,
            reason = "runs native code: only what our own compiler made, attached to this program"
        )]
        // SAFETY: as in `deserialize`; the bytes are never written to and never go away.
        unsafe {
            Component::deserialize_raw(&self.guests.engine, NonNull::from(artifact.0))
        }
    }

    fn deserialize(&self, artifact: &Trusted<'_>) -> wasmtime::Result<Component> {
        #[allow(
            unsafe_code,
            reason = "runs native code: only what our own compiler made, authenticated where it was on disk"
        )]
        // SAFETY: `Trusted` is made from the output of `Engine::precompile_component` alone: by
        // this process, by its compile worker, by a cache entry whose HMAC was verified, or by the
        // build of this binary. The bytes are copied before they are mapped.
        unsafe {
            Component::deserialize(&self.guests.engine, artifact.0)
        }
    }

    fn link(&self, kind: PluginKind, component: &Component) -> wasmtime::Result<Linked> {
        let pre = |linker: &Linker<State>| -> wasmtime::Result<InstancePre<State>> {
            linker.instantiate_pre(component)
        };
        let pre = pre(self.linker(kind)?)?;
        Ok(match kind {
            PluginKind::Renderer => Linked::Renderer(renderer::RendererPre::new(pre)?),
            PluginKind::Transformer => Linked::Transformer(transformer::TransformerPre::new(pre)?),
            PluginKind::Notifier => Linked::Notifier(notifier::NotifierPre::new(pre)?),
        })
    }

    /// Returns the linker of a kind, made at first use.
    fn linker(&self, kind: PluginKind) -> wasmtime::Result<&Linker<State>> {
        let slot = &self.linkers[kind as usize];
        if let Some(linker) = slot.get() {
            return Ok(linker);
        }
        let linker = host::linker(&self.guests.engine, kind)?;
        Ok(slot.get_or_init(|| linker))
    }
}
