//! Namespaces: of objects, of the subjects of role bindings, and wherever else the specifications
//! say.

use std::collections::HashMap;

use crate::error::{Context, Outcome, fail, go_quote};
use crate::fieldspec::{self, FieldSpec, spec};
use crate::node::{Id, Kind, Node, Tag, Tree};
use crate::resid::ResId;
use crate::resmap::{ResMap, object_name};
use crate::resource::{self, mark};
use crate::world::World;

/// Which subjects of role bindings get the namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum SubjectMode {
    /// Those named `default`.
    #[default]
    DefaultOnly,
    /// All service accounts.
    AllServiceAccounts,
    /// None.
    Nobody,
}

impl SubjectMode {
    /// Reads the setting.
    ///
    /// # Errors
    /// It is not one of the three.
    pub(crate) fn parse(text: &str) -> Outcome<Self> {
        match text {
            "" | "defaultOnly" => Ok(Self::DefaultOnly),
            "allServiceAccounts" => Ok(Self::AllServiceAccounts),
            "none" => Ok(Self::Nobody),
            other => Err(fail!(
                TransformFailed,
                "invalid value {} for setRoleBindingSubjects: must be one of \"defaultOnly\", \"none\" or \
                 \"allServiceAccounts\"",
                go_quote(other)
            )),
        }
    }
}

/// A namespace and how to set it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setter<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) unset_only: bool,
    pub(crate) subjects: SubjectMode,
}

/// What must be unique.
fn key(id: &ResId) -> (String, String, String) {
    (
        id.gvk.to_string(),
        id.name.to_string(),
        id.effective_namespace().to_owned(),
    )
}

impl Setter<'_> {
    /// Moves all objects into the namespace.
    ///
    /// # Errors
    /// Two objects become one, or a field is not text.
    pub(super) fn apply(
        self,
        world: &mut World<'_>,
        map: &mut ResMap,
        specs: &[FieldSpec],
    ) -> Outcome<()> {
        if self.namespace.is_empty() {
            return Ok(());
        }
        let mut seen: HashMap<_, usize> = HashMap::new();
        for ids in map.ids(world) {
            *seen.entry(key(&ids.now)).or_default() += 1;
        }
        for i in 0..map.list.len() {
            let resource = &mut map.list[i];
            let Some(object) = resource
                .node
                .filter(|node| !world.tree.is_empty(Some(*node)))
            else {
                continue;
            };
            if resource::annotation(&world.tree, object, mark::HELM).as_deref() == Some("true") {
                continue;
            }
            let before = resource.ids(&world.tree, &world.schemas).now.clone();
            resource::store_id(&mut world.tree, object, &before)?;
            resource.touch();
            self.set(&mut world.tree, object, &before, specs)
                .map_err(|error| crate::resmap::name_object(error, &before))?;
            let now = map.list[i].ids(&world.tree, &world.schemas).now.clone();
            if let Some(count) = seen.get_mut(&key(&before)) {
                *count -= 1;
            }
            let count = seen.entry(key(&now)).or_default();
            *count += 1;
            if *count != 1 {
                return Err(collision(world, map, &now));
            }
        }
        Ok(())
    }

    /// Sets the namespace wherever one object has it.
    pub(crate) fn set(
        self,
        tree: &mut Tree,
        object: Id,
        id: &ResId,
        specs: &[FieldSpec],
    ) -> Outcome<()> {
        let mut set = |tree: &mut Tree, at| self.set_scalar(tree, at);
        if !id.cluster_scoped {
            let spec = spec("", "", "", "metadata/namespace", true);
            fieldspec::apply(
                tree,
                object,
                &spec,
                &Some((Kind::Scalar, Tag::Empty)),
                &mut set,
            )?;
        }
        let kind = resource::text_of(tree, object, "kind");
        let is_binding = is_role_binding(&kind);
        if is_binding {
            self.set_subjects(tree, object)?;
        }
        let is_core = &*resource::text_of(tree, object, "apiVersion") == "v1";
        let create = Some((Kind::Scalar, Tag::Str));
        for spec in specs {
            let is_own =
                spec.path == "metadata/namespace" || (spec.path == "metadata/name" && !is_core);
            let is_subject =
                is_binding && is_role_binding(&spec.kind) && spec.path == "subjects/namespace";
            if is_own || is_subject {
                continue;
            }
            fieldspec::apply(tree, object, spec, &create, &mut set).map_err(|error| {
                let context = match error.found {
                    Some(kind) if kind != Kind::Scalar => {
                        "namespace field specs must target scalar nodes"
                    }
                    _ => "namespace transformation failed",
                };
                error.wrap(context)
            })?;
        }
        Ok(())
    }

    fn set_scalar(self, tree: &mut Tree, at: Id) -> Outcome<()> {
        let is_set = tree[at].kind == Kind::Scalar && !tree.value(Some(at)).is_empty();
        if self.unset_only && is_set {
            return Ok(());
        }
        let value = tree.add(Node {
            tag: Tag::Str,
            ..Node::scalar(self.namespace)
        });
        tree.set_field(at, "", Some(value))
    }

    fn set_subjects(self, tree: &mut Tree, object: Id) -> Outcome<()> {
        let (field, wanted) = match self.subjects {
            SubjectMode::Nobody => return Ok(()),
            SubjectMode::DefaultOnly => ("name", "default"),
            SubjectMode::AllServiceAccounts => ("kind", "ServiceAccount"),
        };
        let Some(subjects) = tree
            .lookup(object, &["subjects"])?
            .filter(|id| !tree.is_null(Some(*id)))
        else {
            return Ok(());
        };
        let context = || "setting namespace on (cluster)role binding subjects".to_owned();
        for subject in tree.elements(subjects).context(context)? {
            let Some(found) = tree.lookup(subject, &[field]).context(context)? else {
                continue;
            };
            tree.expect(found, Kind::Scalar).context(context)?;
            if &*tree.value(Some(found)) != wanted {
                continue;
            }
            if let Some(at) = tree
                .lookup_create(subject, Kind::Scalar, &["namespace"])
                .context(context)?
            {
                self.set_scalar(tree, at).context(context)?;
            }
        }
        Ok(())
    }
}

fn is_role_binding(kind: &str) -> bool {
    kind == "RoleBinding" || kind == "ClusterRoleBinding"
}

fn collision(world: &World<'_>, map: &ResMap, id: &ResId) -> Box<crate::error::Error> {
    let same = map
        .list
        .iter()
        .filter(|r| r.ids(&world.tree, &world.schemas).now.same(id));
    let shown: Vec<String> = same
        .filter_map(|r| crate::yaml::to_value(&world.tree, r.node?).ok())
        .map(|value| crate::json::text(&value, None))
        .collect();
    let mut error = fail!(
        ObjectConflict,
        "namespace transformation produces ID conflict: {}",
        crate::error::go_list(&shown)
    );
    error.object = Some(object_name(id));
    error
}
