//! The one engine of a process: what WebAssembly may do, and the clock that interrupts it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::mm::{MprotectFlags, mprotect};
use wasmtime::{Config, CustomCodeMemory, Engine, WasmBacktraceDetails};

/// How often running guests are interrupted, to let others run and to see their deadline.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// Stack of a guest's own functions: beyond, it traps.
const WASM_STACK_BYTES: usize = 1024 * 1024;

/// Stack of a guest and the host functions it calls.
const ASYNC_STACK_BYTES: usize = 3 * 1024 * 1024;

/// Settings of the compiler that wasmtime does not look at when it loads code: part of the names of
/// cached code. Raised when one of them changes in [`config`].
pub(crate) const COMPILER_SETTINGS: u32 = 1;

/// Makes an engine that compiles. `meter` counts fuel.
pub(crate) fn engine(meter: bool) -> wasmtime::Result<Engine> {
    let mut config = config(meter)?;
    config.cranelift_nan_canonicalization(true);
    Engine::new(&config)
}

/// Makes an engine that runs what [`engine`] compiled. Without a compiler of its own it is there
/// sooner, and smaller.
pub(crate) fn runner(meter: bool) -> wasmtime::Result<Engine> {
    let mut config = config(meter)?;
    config.enable_compiler(false);
    Engine::new(&config)
}

/// Same in, same out, on every machine: no feature whose result may differ, no code that depends on
/// the processor at hand.
fn config(meter: bool) -> wasmtime::Result<Config> {
    let mut config = Config::new();
    if cfg!(all(target_os = "linux", target_env = "gnu")) {
        // Naming the target turns off what only this processor has.
        config.target(&format!("{}-unknown-linux-gnu", std::env::consts::ARCH))?;
    }
    config
        .wasm_component_model(true)
        .concurrency_support(false)
        .relaxed_simd_deterministic(true)
        .wasm_memory64(false)
        .shared_memory(false)
        .epoch_interruption(true)
        .consume_fuel(meter)
        .max_wasm_stack(WASM_STACK_BYTES)
        .async_stack_size(ASYNC_STACK_BYTES)
        // Only a debugger would read it; registering it costs at every load.
        .native_unwind_info(cfg!(windows))
        .with_custom_code_memory(Some(Arc::new(Pages)))
        // Names come from the name section. Debug information is the guest's, and its parser is
        // not bounded in time.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable);
    Ok(config)
}

/// Makes pages executable: those that wasmtime mapped, and those of this program's own file, whose
/// attached code runs where it lies.
struct Pages;

impl CustomCodeMemory for Pages {
    fn required_alignment(&self) -> usize {
        rustix::param::page_size()
    }

    fn publish_executable(&self, start: *const u8, len: usize) -> wasmtime::Result<()> {
        protect(start, len, MprotectFlags::READ | MprotectFlags::EXEC)
    }

    fn unpublish_executable(&self, start: *const u8, len: usize) -> wasmtime::Result<()> {
        // Another component may be running from the same place, or about to.
        if crate::attached::holds(start) {
            return Ok(());
        }
        protect(start, len, MprotectFlags::READ)
    }
}

fn protect(start: *const u8, len: usize, flags: MprotectFlags) -> wasmtime::Result<()> {
    #[allow(
        unsafe_code,
        reason = "compiled code has to become executable, and never writable at the same time"
    )]
    // SAFETY: wasmtime passes whole pages that hold compiled code and nothing else, mapped by it or
    // from this program's own file; nothing writes to either.
    let changed = unsafe { mprotect(start.cast_mut().cast(), len, flags) };
    changed.map_err(|error| wasmtime::Error::msg(format!("failed to protect code: {error}")))
}

/// Raises the engine's epoch every [`TICK`] while a guest runs, from a thread of its own, since a
/// guest may occupy every other. Sleeps while none runs; ends with the last handle.
#[derive(Clone)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
}

struct Shared {
    running: Mutex<Running>,
    changed: Condvar,
}

#[derive(Default)]
struct Running {
    guests: usize,
    ended: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticker {
    /// Starts the thread.
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            running: Mutex::default(),
            changed: Condvar::new(),
        });
        let engine = engine.weak();
        let thread = Arc::clone(&shared);
        thread::Builder::new()
            .name("guest-ticker".into())
            .spawn(move || {
                loop {
                    let idle = |running: &mut Running| running.guests == 0 && !running.ended;
                    let running = thread.changed.wait_while(thread.lock(), idle);
                    if running.unwrap_or_else(PoisonError::into_inner).ended {
                        return;
                    }
                    thread::sleep(TICK);
                    let Some(engine) = engine.upgrade() else {
                        return;
                    };
                    engine.increment_epoch();
                }
            })?;
        Ok(Self { shared })
    }

    /// Ticks until the result is dropped.
    pub(crate) fn run(&self) -> Ticking {
        self.shared.lock().guests += 1;
        self.shared.changed.notify_one();
        Ticking {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Ends the thread, after the last guest.
    pub(crate) fn end(&self) {
        self.shared.lock().ended = true;
        self.shared.changed.notify_one();
    }
}

/// A guest is running.
pub(crate) struct Ticking {
    shared: Arc<Shared>,
}

impl Drop for Ticking {
    fn drop(&mut self) {
        self.shared.lock().guests -= 1;
    }
}
