//! What is said about a chart that is there, in the words of Flux. Pure.

use bulkhead_api::reason;

use crate::sources::{Good, Newer, Signature};

/// A chart, and how it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Summary<'a> {
    pub(super) name: &'a str,
    pub(super) version: &'a str,
    pub(super) is_packaged: bool,
    pub(super) values_files: &'a [String],
}

impl Summary<'_> {
    fn text(&self, action: &str) -> String {
        let values = match self.values_files {
            [] => String::new(),
            files => format!(" and merged values files [{}]", files.join(" ")),
        };
        let (name, version) = (self.name, self.version);
        format!("{action} '{name}' chart with version '{version}'{values}")
    }

    /// Says that it is in the storage.
    pub(super) fn good(&self, signature: Signature) -> Good {
        let (reason, action) = match self.is_packaged {
            true => (reason::CHART_PACKAGE_SUCCEEDED, "packaged"),
            false => (reason::CHART_PULL_SUCCEEDED, "pulled"),
        };
        let message = self.text(action);
        Good {
            reason,
            event: (reason, message.clone()),
            message,
            recovered: reason,
            signature,
        }
    }

    /// Says that there is one that is not in the storage.
    pub(super) fn newer(&self) -> Newer {
        Newer {
            reason: reason::NEW_CHART,
            message: self.text("new"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_are_those_of_flux() {
        let files = ["a.yaml".to_owned(), "b.yaml".to_owned()];
        let mut summary = Summary {
            name: "podinfo",
            version: "6.0.3+1",
            is_packaged: true,
            values_files: &files,
        };
        let good = summary.good(Signature::NotAsked);
        assert_eq!(
            good.message,
            "packaged 'podinfo' chart with version '6.0.3+1' and merged values files [a.yaml b.yaml]"
        );
        assert_eq!(good.reason, "ChartPackageSucceeded");
        summary.values_files = &[];
        assert_eq!(
            summary.newer().message,
            "new 'podinfo' chart with version '6.0.3+1'"
        );
        summary.is_packaged = false;
        assert_eq!(
            summary.good(Signature::NotAsked).reason,
            "ChartPullSucceeded"
        );
    }
}
