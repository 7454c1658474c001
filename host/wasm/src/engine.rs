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

/// Makes the engine. `meter` counts fuel.
pub(crate) fn engine(meter: bool) -> wasmtime::Result<Engine> {
    Engine::new(&config(meter)?)
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
        .cranelift_nan_canonicalization(true)
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

/// Makes pages executable: those that wasmtime mapped, and those of this program itself, whose
/// embedded code runs where it lies.
struct Pages;

impl CustomCodeMemory for Pages {
    fn required_alignment(&self) -> usize {
        rustix::param::page_size()
    }

    fn publish_executable(&self, start: *const u8, len: usize) -> wasmtime::Result<()> {
        protect(start, len, MprotectFlags::READ | MprotectFlags::EXEC)
    }

    fn unpublish_executable(&self, start: *const u8, len: usize) -> wasmtime::Result<()> {
        protect(start, len, MprotectFlags::READ)
    }
}

fn protect(start: *const u8, len: usize, flags: MprotectFlags) -> wasmtime::Result<()> {
    #[allow(
        unsafe_code,
        reason = "compiled code has to become executable, and never writable at the same time"
    )]
    // SAFETY: wasmtime passes whole pages that hold compiled code and nothing else, mapped by it or
    // embedded in this program; nothing writes to either.
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
