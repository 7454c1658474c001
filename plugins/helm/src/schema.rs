//! values.schema.json.

use bulkhead_template::Map;

use crate::chart::Chart;

/// Checks values against the schemas of a chart and its subcharts.
pub(crate) fn check(_: &Chart, _: &Map) -> Result<(), String> {
    Ok(())
}
