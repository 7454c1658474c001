//! From a component to native code, in a child process under resource limits.
//!
//! wasmtime calls it no vulnerability when a hostile component makes its compiler take for ever, so
//! the compiler runs where it can be killed: this binary again, as a worker that reads a component
//! and writes what it compiled. That is the one program that is ever run.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};
use wasmtime::Engine;

/// Where components are compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compiler {
    /// In this process: for trusted components, and for tests.
    InProcess,
    /// In a child that calls [`compile_worker`].
    Child {
        /// The program: this one.
        program: PathBuf,
        /// What makes it a worker: `compile-plugin`.
        args: Vec<String>,
    },
}

/// What compiling one component may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileLimits {
    /// Size of the component; holds in this process too. Default 64 MiB.
    pub component_bytes: u64,
    /// Processor time of the child. Default 60 s.
    pub cpu: Duration,
    /// Time until the child is killed: a net under `cpu`, for a busy machine gives a child little of
    /// its processors. Default 600 s.
    pub wall: Duration,
    /// Memory of the child. Default 2 GiB.
    pub memory_bytes: u64,
    /// Size of the compiled code. Default 512 MiB.
    pub artifact_bytes: u64,
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self {
            component_bytes: 64 << 20,
            cpu: Duration::from_secs(60),
            wall: Duration::from_secs(600),
            memory_bytes: 2 << 30,
            artifact_bytes: 512 << 20,
        }
    }
}

impl CompileLimits {
    /// Returns the limits of a first try for a component of `bytes`: 2 s and 1 s a MiB, several
    /// times what compilers' output takes; `None` where that is no less than the whole.
    pub(crate) fn short(&self, bytes: usize) -> Option<Self> {
        let cpu = Duration::from_secs(2 + (bytes >> 20) as u64);
        (cpu < self.cpu).then(|| Self {
            cpu,
            ..self.clone()
        })
    }
}

/// Why there is no native code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CompileError {
    /// The component is not valid.
    Invalid(String),
    /// The compiler was stopped, or could not be started.
    Stopped(String),
    /// The compiler used up its processor time: more of it might do.
    OutOfTime,
}

const COMPILED: u8 = 1;
const INVALID: u8 = 0;

impl Compiler {
    /// Compiles `bytes`; blocks.
    pub(crate) fn compile(
        &self,
        engine: &Engine,
        meter: bool,
        bytes: Arc<[u8]>,
        limits: &CompileLimits,
    ) -> Result<Vec<u8>, CompileError> {
        match self {
            Self::InProcess => precompile(engine, &bytes).map_err(CompileError::Invalid),
            Self::Child { program, args } => {
                let child = spawn(program, args).map_err(|error| {
                    CompileError::Stopped(format!("could not be started: {error}"))
                })?;
                converse(child, header(meter, limits), bytes, limits)
            }
        }
    }
}

fn precompile(engine: &Engine, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let message = |error: wasmtime::Error| {
        let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
        crate::host::log::clean(&causes.join(": "))
    };
    engine.precompile_component(bytes).map_err(message)
}

#[allow(
    clippy::disallowed_methods,
    reason = "the compile worker: this binary again, nothing else"
)]
fn spawn(program: &PathBuf, args: &[String]) -> std::io::Result<Child> {
    Command::new(program)
        .args(args)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
}

/// Sends the component, waits for the answer, and ends the child in any case.
fn converse(
    mut child: Child,
    header: Vec<u8>,
    bytes: Arc<[u8]>,
    limits: &CompileLimits,
) -> Result<Vec<u8>, CompileError> {
    let answer = exchange(&mut child, header, bytes, limits);
    let _ = child.kill(); // it may have ended: then there is nothing to kill
    let status = child.wait();
    match answer {
        Ok(Some(mut answer)) => match answer.first().copied() {
            Some(COMPILED) if status.as_ref().is_ok_and(ExitStatus::success) => {
                answer.remove(0);
                Ok(answer)
            }
            Some(INVALID) => {
                let message = String::from_utf8_lossy(&answer[1..]);
                Err(CompileError::Invalid(crate::host::log::clean(&message)))
            }
            _ => Err(match status {
                Ok(status) => ended(status),
                Err(error) => CompileError::Stopped(error.to_string()),
            }),
        },
        Ok(None) => Err(CompileError::Stopped(format!(
            "ran for more than {:?}",
            limits.wall
        ))),
        Err(error) => Err(CompileError::Stopped(format!(
            "could not be talked to: {error}"
        ))),
    }
}

/// Returns the answer, `None` when none came in time.
fn exchange(
    child: &mut Child,
    header: Vec<u8>,
    bytes: Arc<[u8]>,
    limits: &CompileLimits,
) -> std::io::Result<Option<Vec<u8>>> {
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(std::io::Error::other("the child has no pipes"));
    };
    let (sender, receiver) = mpsc::channel();
    let limit = limits.artifact_bytes + 1;
    thread::Builder::new()
        .name("compile-write".into())
        .spawn(move || {
            // A child that ends early does not read all: its answer, or its end, tells why.
            let _ = stdin
                .write_all(&header)
                .and_then(|()| stdin.write_all(&bytes));
        })?;
    thread::Builder::new()
        .name("compile-read".into())
        .spawn(move || {
            let mut answer = Vec::new();
            let read = stdout.take(limit).read_to_end(&mut answer).map(|_| answer);
            let _ = sender.send(read); // nobody waits any more when the time was up
        })?;
    match receiver.recv_timeout(limits.wall) {
        Ok(answer) => {
            // The answer is whole when its pipe is closed; the child ends now, or was at the limit.
            let answer = answer?;
            if answer.len() as u64 == limit {
                return Err(std::io::Error::other("the compiled code is too large"));
            }
            child.wait()?;
            Ok(Some(answer))
        }
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Ok(None),
    }
}

/// Says how a child ended that gave no answer.
fn ended(status: ExitStatus) -> CompileError {
    use std::os::unix::process::ExitStatusExt as _;
    const KILL: i32 = 9;
    const ABORT: i32 = 6;
    const CPU: i32 = 24;
    CompileError::Stopped(match status.signal() {
        Some(CPU | KILL) => return CompileError::OutOfTime,
        Some(ABORT) => "used up its memory, or failed".to_owned(),
        Some(signal) => format!("was ended by signal {signal}"),
        None => format!("ended without an answer ({status})"),
    })
}

fn header(meter: bool, limits: &CompileLimits) -> Vec<u8> {
    let mut header = vec![u8::from(meter)];
    header.extend_from_slice(&limits.cpu.as_secs().max(1).to_le_bytes());
    header.extend_from_slice(&limits.memory_bytes.to_le_bytes());
    header
}

/// Compiles one component: the whole life of a worker process.
///
/// Reads limits and component from `input`, puts itself under the limits, writes what it compiled,
/// or why it did not, to `output`. It reads no file and needs no environment.
///
/// # Errors
/// When the pipes fail, or the limits cannot be set: then nothing is compiled.
pub fn compile_worker(mut input: impl Read, mut output: impl Write) -> std::io::Result<()> {
    let mut header = [0; 17];
    input.read_exact(&mut header)?;
    let [meter, rest @ ..] = header;
    let number = |bytes: &[u8]| bytes.try_into().map(u64::from_le_bytes).unwrap_or_default();
    restrict(number(&rest[..8]), number(&rest[8..]))?;
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes)?;
    let engine = crate::engine::engine(meter != 0).map_err(std::io::Error::other)?;
    let (tag, body) = match precompile(&engine, &bytes) {
        Ok(artifact) => (COMPILED, artifact),
        Err(message) => (INVALID, message.into_bytes()),
    };
    output.write_all(&[tag])?;
    output.write_all(&body)?;
    output.flush()
}

/// Limits this process: it ends with its parent; processor time, memory that it writes to, and no
/// files at all.
fn restrict(cpu_seconds: u64, memory_bytes: u64) -> std::io::Result<()> {
    let limit = |soft, hard| Rlimit {
        current: Some(soft),
        maximum: Some(hard),
    };
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    // Where memory runs short this process goes first. It may not be there to write to.
    let scores = std::fs::OpenOptions::new()
        .write(true)
        .open("/proc/self/oom_score_adj");
    let _ = scores.and_then(|mut file| file.write_all(b"1000"));
    setrlimit(Resource::Cpu, limit(cpu_seconds, cpu_seconds + 1))?;
    setrlimit(Resource::Data, limit(memory_bytes, memory_bytes))?;
    setrlimit(Resource::Fsize, limit(0, 0))?;
    setrlimit(Resource::Core, limit(0, 0))?;
    Ok(())
}
