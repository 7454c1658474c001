//! The `ValueAddTransformer` plugin: puts a value into fields, or a part into paths.

use crate::decode::decode_fields;
use crate::edit::split_path;
use crate::error::{Outcome, fail};
use crate::generate::base_name;
use crate::load::Loader;
use crate::node::{Id, Kind, Tree};
use crate::resmap::ResMap;
use crate::selector::Selector;
use crate::world::World;

use super::namespace::{Setter, SubjectMode};

/// The plugin's settings.
#[derive(Debug, Clone, Default)]
pub(crate) struct ValueAdd {
    value: String,
    targets: Vec<Target>,
    target_file: String,
}

#[derive(Debug, Clone, Default)]
struct Target {
    selector: Option<Selector>,
    field_path: String,
    position: i64,
}

#[derive(Debug, Clone, Default)]
struct Targets {
    targets: Vec<Target>,
}

decode_fields!(ValueAdd { "value" => value, "targets" => targets, "targetFilePath" => target_file });
decode_fields!(Target { "selector" => selector, "fieldPath" => field_path, "filePathPosition" => position });
decode_fields!(Targets { "targets" => targets });

impl ValueAdd {
    /// Completes the settings from files and defaults, and checks them.
    pub(crate) fn complete(mut self, loader: &Loader<'_>) -> Outcome<Self> {
        self.value = self.value.trim().to_owned();
        if self.value.is_empty() {
            self.value = base_name(&crate::load::show(&loader.root)).to_owned();
        }
        if !self.target_file.is_empty() {
            let bytes = loader.load(&self.target_file)?;
            let more: Targets =
                crate::decode::from_yaml(&bytes, "Targets", crate::decode::Mode::Plugin)?;
            self.targets.extend(more.targets);
        }
        if self.targets.is_empty() {
            return Err(fail!(TransformFailed, "must specify at least one target"));
        }
        for target in &self.targets {
            if target.field_path.is_empty() {
                return Err(fail!(TransformFailed, "fieldPath cannot be empty"));
            }
            if target.position < 0 {
                return Err(fail!(
                    TransformFailed,
                    "value of FilePathPosition ({}) cannot be negative",
                    target.position
                ));
            }
        }
        Ok(self)
    }

    pub(super) fn apply(&self, world: &mut World<'_>, map: &mut ResMap) -> Outcome<()> {
        for target in &self.targets {
            let selected = match &target.selector {
                None => (0..map.list.len()).collect(),
                Some(selector) => super::patch::select(world, map, selector)?,
            };
            for at in selected {
                let Some(object) = map.list[at].node else {
                    continue;
                };
                let id = map.list[at].ids(&world.tree, &world.schemas).now.clone();
                map.list[at].touch();
                if target.field_path == "metadata/namespace" {
                    let setter = Setter {
                        namespace: &self.value,
                        unset_only: false,
                        subjects: SubjectMode::default(),
                    };
                    setter.set(&mut world.tree, object, &id, &[])?;
                } else {
                    self.add(&mut world.tree, object, target)?;
                }
            }
        }
        Ok(())
    }

    fn add(&self, tree: &mut Tree, object: Id, target: &Target) -> Outcome<()> {
        let mut path = split_path(&target.field_path, '/');
        if target.field_path.starts_with('/') && path.first().is_some_and(String::is_empty) {
            path.remove(0);
        }
        let Some(field) = tree.lookup_create(object, Kind::Scalar, &path)? else {
            return Ok(());
        };
        tree.expect(field, Kind::Scalar)?;
        let value = match usize::try_from(target.position) {
            Ok(position) if position > 0 => {
                insert_part(&tree[field].value, position - 1, &self.value)
            }
            _ => self.value.clone(),
        };
        tree.set_scalar(field, &value)
    }
}

/// Puts a part into a path; the start of an absolute path does not count.
fn insert_part(path: &str, position: usize, part: &str) -> String {
    let absolute = path.starts_with('/');
    let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    parts.insert(position.min(parts.len()), part);
    format!("{}{}", if absolute { "/" } else { "" }, parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_goes_where_it_is_told() {
        assert_eq!(insert_part("/a/b", 0, "x"), "/x/a/b");
        assert_eq!(insert_part("a/b", 1, "x"), "a/x/b");
        assert_eq!(insert_part("a/b", 9, "x"), "a/b/x");
    }
}
