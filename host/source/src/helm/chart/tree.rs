//! Charts in the tree of a source: a folder, or a packed chart.

use bulkhead_api::{EntryKind, SourceTree, TreeError, TreePath};

use super::archive::Budget;
use super::ignore::{self, Rules};
use super::{Chart, ChartFile, inspect, load};
use crate::helm::{HelmError, Limits, Metadata};

/// A chart in the tree of a source. Everything that it reads lies in the tree; links are the tree's
/// business, and in a Git source there are none.
#[derive(Clone, Copy)]
pub struct ChartSource<'a> {
    tree: &'a dyn SourceTree,
    limits: &'a Limits,
}

impl<'a> ChartSource<'a> {
    /// Looks at a tree.
    pub fn new(tree: &'a dyn SourceTree, limits: &'a Limits) -> Self {
        Self { tree, limits }
    }

    /// Tells whether `path` is a folder, rather than a packed chart.
    ///
    /// # Errors
    /// [`HelmError::Tree`] if nothing is there.
    pub fn is_folder(&self, path: &TreePath) -> Result<bool, HelmError> {
        Ok(self.tree.stat(path)?.kind == EntryKind::Directory)
    }

    /// Reads `Chart.yaml` alone.
    ///
    /// # Errors
    /// [`HelmError`].
    pub fn metadata(&self, path: &TreePath) -> Result<Metadata, HelmError> {
        let place = place(path);
        if !self.is_folder(path)? {
            let packed = self.packed(path)?;
            return inspect(&place, packed.as_slice(), self.limits);
        }
        let mut budget = Budget::new(self.limits);
        let mut files = Vec::new();
        for name in ["Chart.yaml", "requirements.yaml"] {
            let file = join(path, name)?;
            match self.tree.stat(&file) {
                Ok(entry) => {
                    budget.spend(&place, name, entry.size_bytes)?;
                    files.push(ChartFile::new(name.to_owned(), self.tree.read(&file)?));
                }
                Err(TreeError::NotFound(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        load::metadata(&place, &files)
    }

    /// Reads a chart with the subcharts that it has.
    ///
    /// # Errors
    /// [`HelmError`].
    pub fn load(&self, path: &TreePath) -> Result<Chart, HelmError> {
        if !self.is_folder(path)? {
            return Chart::unpack(&place(path), self.packed(path)?.as_slice(), self.limits);
        }
        let place = place(path);
        let mut budget = Budget::new(self.limits);
        let rules = self.rules(&place, path)?;
        let mut files = Vec::new();
        self.walk(&place, path, "", &rules, &mut budget, &mut files)?;
        load::chart(&place, files, &mut budget, 0)
    }

    /// Reads a packed chart.
    pub(in crate::helm) fn packed(&self, path: &TreePath) -> Result<Vec<u8>, HelmError> {
        let size = self.tree.stat(path)?.size_bytes;
        if size > self.limits.chart_bytes {
            let what = format!("`{path}`");
            let allowed = self.limits.chart_bytes;
            return Err(HelmError::limit(what, "chart_bytes", allowed));
        }
        Ok(self.tree.read(path)?)
    }

    fn rules(&self, place: &str, path: &TreePath) -> Result<Rules, HelmError> {
        let text = match self.tree.read(&join(path, ignore::FILE)?) {
            Ok(content) => String::from_utf8_lossy(&content).into_owned(),
            Err(TreeError::NotFound(_) | TreeError::Link(_)) => String::new(),
            Err(error) => return Err(error.into()),
        };
        Rules::parse(&text).map_err(|problem| HelmError::File {
            place: place.to_owned(),
            file: ignore::FILE.to_owned(),
            problem,
        })
    }

    /// Reads the files below `folder`, whose name from the chart's folder is `below`.
    fn walk(
        &self,
        place: &str,
        folder: &TreePath,
        below: &str,
        rules: &Rules,
        budget: &mut Budget,
        files: &mut Vec<ChartFile>,
    ) -> Result<(), HelmError> {
        for entry in self.tree.read_dir(folder)? {
            let Some(own) = entry.path.name() else {
                continue;
            };
            let name = match below {
                "" => own.to_owned(),
                below => format!("{below}/{own}"),
            };
            let is_folder = entry.kind == EntryKind::Directory;
            if rules.ignores(&name, is_folder) {
                continue;
            }
            if is_folder {
                if name.split('/').count() > self.limits.depth {
                    let what = format!("the depth of `{name}` of {place}");
                    return Err(HelmError::limit(what, "depth", self.limits.depth as u64));
                }
                self.walk(place, &entry.path, &name, rules, budget, files)?;
                continue;
            }
            budget.spend(place, &name, entry.size_bytes)?;
            files.push(ChartFile::new(name, self.tree.read(&entry.path)?));
        }
        Ok(())
    }
}

/// Returns what errors call the chart at `path`.
pub(in crate::helm) fn place(path: &TreePath) -> String {
    format!("the chart at `{path}`")
}

/// Steps from `path` to what a user names, but never out of the source, as Flux's `securejoin` does.
pub(in crate::helm) fn clamped(path: &TreePath, below: &str) -> Result<TreePath, HelmError> {
    path.within(below)
        .map_err(|error| HelmError::invalid(&place(path), error.to_string()))
}

/// Steps down from `path`.
pub(in crate::helm) fn join(path: &TreePath, below: &str) -> Result<TreePath, HelmError> {
    path.join(below)
        .map_err(|error| HelmError::invalid(&place(path), error.to_string()))
}
