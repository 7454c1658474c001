//! Strategic-merge patches, and patches that may be of either kind.

use crate::error::{Outcome, fail, go_list, go_quote};
use crate::jsonpatch::{self, Operation};
use crate::kustomization::{Patch, PatchOptions};
use crate::load::Loader;
use crate::read;
use crate::resmap::{ResMap, patch_one};
use crate::resource::{self, Resource, mark};
use crate::selector::{Matcher, Selector};
use crate::world::World;

use super::patch_json;

/// `patchesStrategicMerge`: each patch goes to the object that it names.
#[derive(Debug)]
pub(crate) struct SmPatches {
    patches: Vec<Resource>,
}

impl SmPatches {
    /// Reads patches, given inline or by path, and inline `more`.
    ///
    /// # Errors
    /// One cannot be read, or there is none.
    pub(crate) fn read(
        world: &mut World<'_>,
        loader: &Loader<'_>,
        paths: &[String],
        more: &str,
    ) -> Outcome<Self> {
        if paths.is_empty() && more.is_empty() {
            return Err(fail!(
                PatchFailed,
                "empty file path and empty patch content"
            ));
        }
        let mut patches = Vec::new();
        for path in paths {
            let read = match read::objects(world, path.as_bytes()) {
                Ok(inline) => inline,
                Err(_) => {
                    let bytes = loader.load(path)?;
                    read::objects(world, &bytes)
                        .map_err(|error| read::in_file(error, path, &loader.display(path)))?
                }
            };
            patches.extend(read);
        }
        if !more.is_empty() {
            patches.extend(read::objects(world, more.as_bytes())?);
        }
        if patches.is_empty() {
            let files = go_list(paths);
            return Err(fail!(
                PatchFailed,
                "patch appears to be empty; files={files}, Patch={more}"
            ));
        }
        Ok(Self { patches })
    }

    pub(super) fn apply(&self, world: &mut World<'_>, map: &mut ResMap) -> Outcome<()> {
        for patch in &self.patches {
            let id = patch.ids(&world.tree, &world.schemas).first().clone();
            let target = map.find_target(world, &id)?;
            map.patch(world, &[target], patch)?;
        }
        Ok(())
    }
}

/// An entry of `patches`: strategic-merge patches or a JSON patch, perhaps with a target.
#[derive(Debug)]
pub(crate) struct Patches {
    content: Content,
    target: Option<Selector>,
    source: String,
}

#[derive(Debug)]
enum Content {
    StrategicMerge(Vec<Resource>),
    Json(Vec<Operation>),
}

impl Patches {
    /// Reads an entry; `shown` is the entry as YAML, for messages.
    ///
    /// # Errors
    /// It names no patch or two, or the text is neither kind of patch.
    pub(crate) fn read(
        world: &mut World<'_>,
        loader: &Loader<'_>,
        entry: &Patch,
        shown: &str,
    ) -> Outcome<Self> {
        let inline = entry.patch.trim();
        let (text, source) = match (inline.is_empty(), entry.path.is_empty()) {
            (true, true) => {
                return Err(fail!(
                    PatchFailed,
                    "must specify one of patch and path in\n{shown}"
                ));
            }
            (false, false) => {
                return Err(fail!(
                    PatchFailed,
                    "patch and path can't be set at the same time\n{shown}"
                ));
            }
            (false, true) => (
                inline.as_bytes().to_vec(),
                format!("[patch: {}]", go_quote(inline)),
            ),
            (true, false) => {
                let path = &entry.path;
                let read = loader.load(path);
                let bytes = read.map_err(|error| {
                    error.wrap(format!("failed to get the patch file from path({path})"))
                })?;
                (bytes, format!("[path: {}]", go_quote(path)))
            }
        };
        let place = (!entry.path.is_empty()).then(|| loader.display(&entry.path));
        let content =
            read_content(world, &text, entry.options, &source).map_err(|error| match &place {
                Some(file) => error.in_file(file),
                None => error,
            })?;
        Ok(Self {
            content,
            target: entry.target.clone(),
            source,
        })
    }

    pub(super) fn apply(&self, world: &mut World<'_>, map: &mut ResMap) -> Outcome<()> {
        match &self.content {
            Content::StrategicMerge(patches) if patches.is_empty() => Ok(()),
            Content::StrategicMerge(patches) => self.apply_merge(world, map, patches),
            Content::Json(operations) => {
                let Some(target) = &self.target else {
                    return Err(fail!(
                        PatchFailed,
                        "must specify a target for JSON patch {}",
                        self.source
                    ));
                };
                patch_json::apply(world, map, target, operations, true)
            }
        }
    }

    fn apply_merge(
        &self,
        world: &mut World<'_>,
        map: &mut ResMap,
        patches: &[Resource],
    ) -> Outcome<()> {
        if let Some(target) = &self.target {
            if patches.len() > 1 {
                return Err(fail!(
                    PatchFailed,
                    "Multiple Strategic-Merge Patches in one `patches` entry is not allowed to set `patches.target` \
                     field: {}",
                    self.source
                ));
            }
            let targets = select(world, map, target)
                .map_err(|error| error.wrap("unable to find patch target in `resources`"))?;
            return map.patch(world, &targets, &patches[0]);
        }
        for patch in patches {
            let id = patch.ids(&world.tree, &world.schemas).first().clone();
            let target = map.find_target(world, &id).map_err(|error| {
                error.wrap(format!(
                    "no resource matches strategic merge patch {}",
                    go_quote(&id.to_string())
                ))
            })?;
            if let Some(node) = patch.node {
                patch_one(world, &mut map.list[target], node)?;
            }
        }
        Ok(())
    }
}

fn read_content(
    world: &mut World<'_>,
    text: &[u8],
    options: PatchOptions,
    source: &str,
) -> Outcome<Content> {
    let merge_error = match read::objects(world, text) {
        Ok(patches) => {
            for patch in patches.iter().filter_map(|patch| patch.node) {
                for (allowed, key) in [
                    (options.allow_name_change, mark::NAME_CHANGE),
                    (options.allow_kind_change, mark::KIND_CHANGE),
                ] {
                    if allowed {
                        resource::enable(&mut world.tree, patch, key)?;
                    }
                }
            }
            return Ok(Content::StrategicMerge(patches));
        }
        Err(error) => error,
    };
    let operations = std::str::from_utf8(text)
        .ok()
        .and_then(|text| jsonpatch::read_any(text).ok());
    let content = operations.map(|operations| match operations {
        Some(operations) => Content::Json(operations),
        None => Content::StrategicMerge(Vec::new()),
    });
    content.ok_or_else(|| {
        let mut error = fail!(
            PatchFailed,
            "unable to parse SM or JSON patch from {source}"
        );
        error.line = merge_error.line;
        error.column = merge_error.column;
        error.advise(format!(
            "as a strategic merge patch: {}",
            merge_error.message
        ))
    })
}

/// The objects that a selector names.
pub(super) fn select(world: &World<'_>, map: &ResMap, selector: &Selector) -> Outcome<Vec<usize>> {
    let matcher = Matcher::new(selector)?;
    let mut found = Vec::new();
    for (i, resource) in map.list.iter().enumerate() {
        let Some(node) = resource.node else { continue };
        if matcher.fits_object(&resource.ids(&world.tree, &world.schemas))
            && matcher.fits_metadata(&world.tree, node)?
        {
            found.push(i);
        }
    }
    Ok(found)
}
