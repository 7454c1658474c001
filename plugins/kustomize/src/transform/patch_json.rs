//! `patchesJson6902`, and JSON patches under `patches`.

use crate::error::{Context, Outcome, fail};
use crate::jsonpatch::{self, Operation};
use crate::kustomization::Patch;
use crate::load::Loader;
use crate::node::{Id, Tree};
use crate::resmap::{ResMap, name_object};
use crate::resource::{self, mark};
use crate::selector::Selector;
use crate::world::World;
use crate::yaml;

/// An entry of `patchesJson6902`.
#[derive(Debug)]
pub(crate) struct JsonPatch {
    target: Selector,
    operations: Vec<Operation>,
}

impl JsonPatch {
    /// Reads an entry.
    ///
    /// # Errors
    /// It has no target, no patch or two, or the text is no patch.
    pub(crate) fn read(loader: &Loader<'_>, entry: &Patch) -> Outcome<Self> {
        let Some(target) = entry
            .target
            .clone()
            .filter(|target| !target.name.is_empty())
        else {
            return Err(fail!(PatchFailed, "must specify the target name"));
        };
        let text = match (entry.path.is_empty(), entry.patch.is_empty()) {
            (true, true) => return Err(fail!(PatchFailed, "empty file path and empty jsonOp")),
            (false, false) => {
                return Err(fail!(
                    PatchFailed,
                    "must specify a file path or jsonOp, not both"
                ));
            }
            (true, false) => entry.patch.clone(),
            (false, true) => {
                let text = String::from_utf8_lossy(&loader.load(&entry.path)?).into_owned();
                if text.is_empty() {
                    return Err(fail!(
                        PatchFailed,
                        "patch file '{}' empty seems to be empty",
                        entry.path
                    ));
                }
                text
            }
        };
        let operations = jsonpatch::read(&text).context(|| format!("decoding {text}"))?;
        if operations.is_empty() {
            let file = &entry.path;
            return Err(fail!(
                PatchFailed,
                "patch appears to be empty; file={file}, JsonOp={text}"
            ));
        }
        Ok(Self { target, operations })
    }

    pub(super) fn apply(&self, world: &mut World<'_>, map: &mut ResMap) -> Outcome<()> {
        apply(world, map, &self.target, &self.operations, false)
    }
}

/// Applies a JSON patch to all objects that `target` selects. `remembers` says whether the objects
/// may change their identity.
pub(super) fn apply(
    world: &mut World<'_>,
    map: &mut ResMap,
    target: &Selector,
    operations: &[Operation],
    remembers: bool,
) -> Outcome<()> {
    for at in super::patch::select(world, map, target)? {
        let Some(object) = map.list[at].node else {
            continue;
        };
        let id = map.list[at].ids(&world.tree, &world.schemas).now.clone();
        if remembers {
            resource::store_id(&mut world.tree, object, &id)?;
        }
        map.list[at].touch();
        apply_one(&mut world.tree, object, operations).map_err(|error| name_object(error, &id))?;
    }
    Ok(())
}

fn apply_one(tree: &mut Tree, object: Id, operations: &[Operation]) -> Outcome<()> {
    let mut internal = resource::metadata_map(tree, object, "annotations");
    internal.retain(|key, _| mark::is_internal(key));
    let mut value = yaml::to_value(tree, object)?;
    jsonpatch::apply(&mut value, operations)?;
    if !value.is_object() {
        return Err(fail!(
            PatchFailed,
            "json: cannot unmarshal array into Go value of type map[string]interface {{}}"
        ));
    }
    let new = yaml::add_value(tree, &value)?;
    tree.assign(object, new);
    let mut annotations = resource::metadata_map(tree, object, "annotations");
    annotations.extend(internal);
    resource::set_metadata_map(tree, object, "annotations", &annotations)
}
