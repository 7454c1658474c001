//! Prints objects as YAML documents that YAML 1.1 and 1.2 readers take alike.

use serde_json::Value;

use super::InstallError;

/// Writes `objects` as documents, each after a line `---`.
///
/// # Guarantees
/// Texts that some reader would take for something else (`yes`, `0o7`, `1e3`, `2026-01-01`) are
/// quoted; no text is folded over lines; the order of keys is kept.
///
/// # Errors
/// [`InstallError::Yaml`], which no JSON value is known to cause.
pub(crate) fn to_yaml(objects: &[Value]) -> Result<String, InstallError> {
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    let mut text = String::new();
    for object in objects {
        text.push_str("---\n");
        serde_saphyr::to_fmt_writer_with_options(&mut text, object, options.clone())
            .map_err(InstallError::Yaml)?;
    }
    Ok(text)
}
