//! Lines for the host's log, and a panic hook that puts a panic's message there before the trap.
//! Natively nothing is written.

pub use crate::bindings::renderer::bulkhead::base::log::Level;

/// Writes one line with its fields. The host bounds the number and length of lines.
pub fn write(level: Level, message: &str, fields: &[(&str, &str)]) {
    #[cfg(target_arch = "wasm32")]
    {
        let fields: Vec<(String, String)> = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        crate::bindings::renderer::bulkhead::base::log::log(level, message, &fields);
    }
    #[cfg(not(target_arch = "wasm32"))]
    let _ = (level, message, fields);
}

/// Writes a line for the author of the plugin.
pub fn debug(message: &str) {
    write(Level::Debug, message, &[]);
}

/// Writes a line for the user, when everything is well.
pub fn info(message: &str) {
    write(Level::Info, message, &[]);
}

/// Writes a line for the user, when something is likely wrong.
pub fn warn(message: &str) {
    write(Level::Warn, message, &[]);
}

/// Writes a line for the user, when something is wrong.
pub fn error(message: &str) {
    write(Level::Error, message, &[]);
}

/// Makes a panic write its message and place to the log before it traps. The export macros call it.
pub fn report_panics() {
    #[cfg(target_arch = "wasm32")]
    std::panic::set_hook(Box::new(|panic| error(&panic.to_string())));
}
