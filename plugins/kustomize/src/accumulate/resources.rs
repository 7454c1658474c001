//! What `resources` and `components` name: a file, a directory, a repository. In: a path. Out: its
//! objects, added to what has been collected.

use std::rc::Rc;

use super::{Accumulator, Target};
use crate::error::{Code, Context, Error, Outcome, fail, go_quote};
use crate::load::{Loader, show};
use crate::read;
use crate::remote;
use crate::resmap::ResMap;
use crate::resource::mark;
use crate::transform::annotate_all;
use crate::world::World;

/// Deepest chain of bases.
const DEPTH: usize = 64;

impl<'a> Target<'a> {
    /// Adds what paths name, to a field's end even where something remote is lacking.
    pub(super) fn resources(
        &self,
        world: &mut World<'_>,
        into: &mut Accumulator,
        paths: &[String],
        loader: &Rc<Loader<'a>>,
        field: &str,
    ) -> Outcome<()> {
        let mut remote = Remotes::default();
        for path in paths {
            let added = self.resource(world, into, path, loader);
            remote.pass(added.map_err(|error| error.in_field(field)))?;
        }
        remote.end()
    }

    /// Adds a file; if it is none, a base.
    fn resource(
        &self,
        world: &mut World<'_>,
        into: &mut Accumulator,
        path: &str,
        loader: &Rc<Loader<'a>>,
    ) -> Outcome<()> {
        let file_error = if loader.is_directory(path) {
            let full = loader.join(path).unwrap_or_default();
            fail!(
                PathMissing,
                "accumulating resources from '{path}': '{}' must resolve to a file",
                show(&full)
            )
        } else {
            match self.file(world, into, path, loader) {
                Ok(()) => return Ok(()),
                Err(error) if error.code == Code::RemoteMissing => return Err(error),
                Err(error) => error,
            }
        };
        if remote::is_file(path) && !may_be_repository(loader, path) {
            return Err(file_error);
        }
        let below = match loader.below(path) {
            Ok(below) => below,
            Err(error) => return Err(report(file_error, error)),
        };
        let context = || format!("accumulation err='{}'", file_error.message);
        self.directory(world, into, below, path, false)
            .context(context)
    }

    fn file(
        &self,
        world: &mut World<'_>,
        into: &mut Accumulator,
        path: &str,
        loader: &Rc<Loader<'a>>,
    ) -> Outcome<()> {
        let full = loader.display(path);
        let read = loader.load_resource(path).and_then(|bytes| {
            let objects =
                read::objects(world, &bytes).and_then(|objects| ResMap::checked(world, objects));
            objects.map_err(|error| read::in_file(error, path, &full))
        });
        let mut map = read.context(|| format!("accumulating resources from '{path}'"))?;
        if let Some(origin) = &self.origin {
            annotate_all(world, &mut map, mark::ORIGIN, &origin.below(path).text())?;
        }
        let merged = into
            .map
            .add_all(world, map)
            .context(|| format!("merging resources from '{path}'"));
        merged.map_err(|error| error.in_file(&full))
    }

    fn directory(
        &self,
        world: &mut World<'_>,
        into: &mut Accumulator,
        loader: Loader<'a>,
        path: &str,
        is_component: bool,
    ) -> Outcome<()> {
        let root = show(&loader.root);
        if self.depth >= DEPTH {
            return Err(fail!(
                LimitExceeded,
                "bases are nested deeper than {DEPTH} at '{root}'"
            ));
        }
        let mut below = Target::read(Rc::new(loader))
            .context(|| format!("couldn't make target for path '{root}'"))?;
        below
            .file
            .build_metadata
            .clone_from(&self.file.build_metadata);
        below.origin = self.origin.as_ref().map(|origin| origin.below(path));
        below.depth = self.depth + 1;
        below.set_schema(world, false)?;
        match (is_component, below.file.is_component()) {
            (true, false) => {
                let kind = &below.file.kind;
                return Err(fail!(
                    KustomizationInvalid,
                    "expected kind 'Component' for path '{root}' but got '{kind}'"
                ));
            }
            (false, true) => {
                return Err(fail!(
                    KustomizationInvalid,
                    "expected kind != 'Component' for path '{root}'"
                )
                .advise("list it under `components`"));
            }
            _ => {}
        }
        let start = if is_component {
            std::mem::take(into)
        } else {
            Accumulator::default()
        };
        let collected = below
            .accumulate(world, start)
            .context(|| format!("recursed accumulation of path '{root}'"))?;
        into.absorb(world, collected)
            .context(|| format!("recursed merging from path '{root}'"))
    }

    /// Adds the components.
    pub(super) fn components(&self, world: &mut World<'_>, into: &mut Accumulator) -> Outcome<()> {
        let mut remote = Remotes::default();
        for path in &self.file.components {
            let loader = self.loader.below(path).map_err(|mut error| {
                error.message = format!("loader.New {}", go_quote(&error.message));
                error.in_field("components")
            });
            let Some(loader) = remote.pass(loader)? else {
                continue;
            };
            let added = self.directory(world, into, loader, path, true);
            remote.pass(added.map_err(|mut error| {
                error.message = format!("accumulateDirectory: {}", go_quote(&error.message));
                error.in_field("components")
            }))?;
        }
        remote.end()
    }
}

/// Whether a URL that gave no manifests may be that of a repository: it gave nothing, or the page
/// that a host of repositories shows to people.
fn may_be_repository(loader: &Loader<'_>, path: &str) -> bool {
    let page = |bytes: Vec<u8>| bytes.trim_ascii_start().starts_with(b"<");
    remote::repository(path).is_some() && loader.load_resource(path).map_or(true, page)
}

/// Goes on past what is remote and lacking, so that the host learns of all of it at once.
#[derive(Default)]
struct Remotes {
    missing: Option<Box<Error>>,
}

impl Remotes {
    /// Lets everything pass but what is lacking.
    fn pass<T>(&mut self, result: Outcome<T>) -> Outcome<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.code == Code::RemoteMissing => {
                self.missing.get_or_insert(error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Fails if something was lacking.
    fn end(self) -> Outcome<()> {
        self.missing.map_or(Ok(()), Err)
    }
}

/// Of the errors for a path that is neither file nor base, the one that says more.
fn report(file_error: Box<Error>, base_error: Box<Error>) -> Box<Error> {
    // A page that a repository's host shows is no manifest: the repository is what was meant.
    if base_error.code == Code::RemoteMissing {
        return base_error;
    }
    if file_error.malformed {
        return file_error;
    }
    let context = format!("accumulation err='{}'", file_error.message);
    // What is wrong with the file is what the user can act on, unless there is no file at all.
    let mut error = base_error.wrap(context);
    let is_about_file = file_error.code != Code::PathMissing;
    if is_about_file {
        error.code = file_error.code;
        error.file = file_error.file;
        error.line = file_error.line;
        error.column = file_error.column;
        error.object = file_error.object;
        error.help = file_error.help;
    }
    error
}
