//! One object: its identity now and before, and the marks that kustomize keeps in its annotations
//! while it works. The marks are real annotations, as upstream: a patch that wipes annotations
//! wipes them too.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::error::Outcome;
use crate::node::{Id, Kind, Node, Tree, style};
use crate::resid::{Gvk, ResId};
use crate::schema::Schemas;

/// Annotations that live only while kustomize works.
pub(crate) mod mark {
    pub(crate) const KINDS: &str = "internal.config.kubernetes.io/previousKinds";
    pub(crate) const NAMES: &str = "internal.config.kubernetes.io/previousNames";
    pub(crate) const NAMESPACES: &str = "internal.config.kubernetes.io/previousNamespaces";
    pub(crate) const PREFIXES: &str = "internal.config.kubernetes.io/prefixes";
    pub(crate) const SUFFIXES: &str = "internal.config.kubernetes.io/suffixes";
    pub(crate) const NAME_CHANGE: &str = "internal.config.kubernetes.io/allowNameChange";
    pub(crate) const KIND_CHANGE: &str = "internal.config.kubernetes.io/allowKindChange";
    pub(crate) const REFERRED_BY: &str = "internal.config.kubernetes.io/refBy";
    pub(crate) const BEHAVIOR: &str = "internal.config.kubernetes.io/generatorBehavior";
    pub(crate) const NEEDS_HASH: &str = "internal.config.kubernetes.io/needsHashSuffix";
    pub(crate) const HELM: &str = "internal.config.kubernetes.io/helm-generated";
    pub(crate) const ENABLED: &str = "enabled";
    pub(crate) const ORIGIN: &str = "config.kubernetes.io/origin";
    pub(crate) const TRANSFORMATIONS: &str = "alpha.config.kubernetes.io/transformations";
    pub(crate) const LOCAL: &str = "config.kubernetes.io/local-config";

    /// All that are removed at the end.
    pub(crate) const ALL: [&str; 19] = [
        KINDS,
        NAMES,
        PREFIXES,
        SUFFIXES,
        NAMESPACES,
        NAME_CHANGE,
        KIND_CHANGE,
        REFERRED_BY,
        BEHAVIOR,
        NEEDS_HASH,
        "internal.config.kubernetes.io/path",
        "internal.config.kubernetes.io/index",
        "internal.config.kubernetes.io/seqindent",
        "internal.config.kubernetes.io/id",
        "internal.config.kubernetes.io/annotations-migration-resource-id",
        "config.kubernetes.io/path",
        "config.kubernetes.io/index",
        "config.k8s.io/id",
        HELM,
    ];

    /// Whether a patch that replaces the annotations leaves this one.
    pub(crate) fn is_internal(key: &str) -> bool {
        key.starts_with("internal.config.kubernetes.io/")
            || matches!(
                key,
                "config.kubernetes.io/path" | "config.kubernetes.io/index" | "config.k8s.io/id"
            )
    }
}

/// Labels or annotations of an object.
pub(crate) type Map = BTreeMap<Rc<str>, Rc<str>>;

/// The identities of an object: now, and before, oldest first.
#[derive(Debug)]
pub(crate) struct Ids {
    pub(crate) now: ResId,
    pub(crate) before: Vec<ResId>,
}

impl Ids {
    /// The first identity.
    pub(crate) fn first(&self) -> &ResId {
        self.before.first().unwrap_or(&self.now)
    }

    /// All identities, oldest first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &ResId> {
        self.before.iter().chain(std::iter::once(&self.now))
    }
}

/// An object in work.
#[derive(Debug, Clone)]
pub(crate) struct Resource {
    /// The object; nothing once a patch has deleted it.
    pub(crate) node: Option<Id>,
    /// Variables that take a value from it.
    pub(crate) variables: Vec<String>,
    ids: OnceCell<Rc<Ids>>,
}

impl Resource {
    /// An object from its node.
    pub(crate) fn new(node: Id) -> Self {
        Self {
            node: Some(node),
            variables: Vec::new(),
            ids: OnceCell::new(),
        }
    }

    /// Its identities.
    pub(crate) fn ids(&self, tree: &Tree, schemas: &Schemas) -> Rc<Ids> {
        self.ids
            .get_or_init(|| Rc::new(read_ids(tree, schemas, self.node)))
            .clone()
    }

    /// Must be called after every change that may touch name, kind, namespace or annotations.
    pub(crate) fn touch(&mut self) {
        self.ids = OnceCell::new();
    }
}

/// The text of a field of an object; empty when it has none.
pub(crate) fn text_of(tree: &Tree, object: Id, name: &str) -> Rc<str> {
    tree.find(object, name)
        .map_or_else(|| Rc::from(""), |(_, value)| tree[value].value.clone())
}

fn metadata(tree: &Tree, object: Id) -> Option<Id> {
    tree.find(object, "metadata")
        .map(|(_, value)| value)
        .filter(|value| !tree.is_empty(Some(*value)))
}

/// The text of a field of an object's metadata; empty when it has none.
pub(crate) fn metadata_text(tree: &Tree, object: Id, name: &str) -> Rc<str> {
    metadata(tree, object)
        .and_then(|meta| tree.find(meta, name))
        .filter(|(_, value)| !tree.is_empty(Some(*value)))
        .map_or_else(|| Rc::from(""), |(_, value)| tree[value].value.clone())
}

/// `labels` or `annotations` of an object.
pub(crate) fn metadata_map(tree: &Tree, object: Id, name: &str) -> Map {
    let found = metadata(tree, object).and_then(|meta| tree.find(meta, name));
    found
        .map(|(_, map)| tree.texts(map).into_iter().collect())
        .unwrap_or_default()
}

/// Tells whether a field of the metadata stands there more than once.
pub(crate) fn has_twice(tree: &Tree, object: Id, name: &str) -> bool {
    metadata(tree, object).is_some_and(|meta| {
        let mut keys = tree[meta].content.iter().step_by(2);
        keys.by_ref().any(|key| &*tree[*key].value == name)
            && keys.any(|key| &*tree[*key].value == name)
    })
}

/// One annotation.
pub(crate) fn annotation(tree: &Tree, object: Id, key: &str) -> Option<Rc<str>> {
    let (_, map) = metadata(tree, object).and_then(|meta| tree.find(meta, "annotations"))?;
    tree.find(map, key)
        .map(|(_, value)| tree[value].value.clone())
}

/// Replaces `labels` or `annotations`; an empty map removes the field.
pub(crate) fn set_metadata_map(tree: &mut Tree, object: Id, name: &str, map: &Map) -> Outcome<()> {
    let Some(meta) = tree.lookup_create(object, Kind::Mapping, &["metadata"])? else {
        return Ok(());
    };
    tree.clear(meta, name)?;
    if map.is_empty() {
        return Ok(());
    }
    let Some(node) = tree.lookup_create(meta, Kind::Mapping, &[name])? else {
        return Ok(());
    };
    for (key, value) in map {
        let value = tree.add_string(value);
        tree.set_field(node, key, Some(value))?;
    }
    Ok(())
}

/// Sets one annotation, quoted.
pub(crate) fn set_annotation(tree: &mut Tree, object: Id, key: &str, value: &str) -> Outcome<()> {
    if let Some(meta) = tree.lookup(object, &["metadata"])? {
        tree.clear_if(meta, "annotations", true)?;
    }
    tree.clear_if(object, "metadata", true)?;
    set_metadata_text(tree, object, "annotations", key, value)
}

/// Sets one label or annotation, quoted.
pub(crate) fn set_metadata_text(
    tree: &mut Tree,
    object: Id,
    map: &str,
    key: &str,
    value: &str,
) -> Outcome<()> {
    let value = tree.add(Node {
        style: style::SINGLE,
        ..Node::string(value)
    });
    tree.set_at(object, &["metadata", map, key], value)
}

/// Sets `metadata.name`.
pub(crate) fn set_name(tree: &mut Tree, object: Id, name: &str) -> Outcome<()> {
    let name = tree.add_scalar(name);
    tree.set_at(object, &["metadata", "name"], name)
}

/// Sets or removes `metadata.namespace`.
pub(crate) fn set_namespace(tree: &mut Tree, object: Id, namespace: &str) -> Outcome<()> {
    if namespace.is_empty() {
        if let Some(meta) = tree.lookup(object, &["metadata"])? {
            tree.clear(meta, "namespace")?;
        }
        return Ok(());
    }
    let namespace = tree.add_scalar(namespace);
    tree.set_at(object, &["metadata", "namespace"], namespace)
}

/// Sets a field of the object itself: `kind`, `apiVersion`.
pub(crate) fn set_text(tree: &mut Tree, object: Id, name: &str, value: &str) -> Outcome<()> {
    let value = tree.add_scalar(value);
    tree.set_field(object, name, Some(value))
}

/// Adds to an annotation that lists texts between commas.
pub(crate) fn append_mark(tree: &mut Tree, object: Id, key: &str, value: &str) -> Outcome<()> {
    if value.is_empty() {
        return Ok(());
    }
    let joined = match annotation(tree, object, key) {
        Some(old) => format!("{old},{value}"),
        None => value.to_owned(),
    };
    set_annotation(tree, object, key, &joined)
}

/// The parts of an annotation that lists texts between commas.
pub(crate) fn marks(tree: &Tree, object: Id, key: &str) -> Vec<String> {
    annotation(tree, object, key)
        .map(|text| text.split(',').map(str::to_owned).collect())
        .unwrap_or_default()
}

/// Whether an annotation is set to `enabled`.
pub(crate) fn is_enabled(tree: &Tree, object: Id, key: &str) -> bool {
    annotation(tree, object, key).as_deref() == Some(mark::ENABLED)
}

/// Sets an annotation to `enabled`.
pub(crate) fn enable(tree: &mut Tree, object: Id, key: &str) -> Outcome<()> {
    put_annotation(tree, object, key, mark::ENABLED)
}

/// Sets one annotation and makes texts of all others.
pub(crate) fn put_annotation(tree: &mut Tree, object: Id, key: &str, value: &str) -> Outcome<()> {
    let mut map = metadata_map(tree, object, "annotations");
    map.insert(key.into(), value.into());
    set_metadata_map(tree, object, "annotations", &map)
}

/// Remembers an object's identity before it changes.
pub(crate) fn store_id(tree: &mut Tree, object: Id, now: &ResId) -> Outcome<()> {
    append_mark(tree, object, mark::NAMES, &now.name)?;
    append_mark(tree, object, mark::NAMESPACES, now.effective_namespace())?;
    append_mark(tree, object, mark::KINDS, &now.gvk.kind)
}

/// An object's identity as messages print it.
pub(crate) fn id_text(tree: &Tree, object: Id) -> String {
    read_id(tree, &Schemas::default(), object).to_string()
}

fn read_id(tree: &Tree, schemas: &Schemas, object: Id) -> ResId {
    let gvk = Gvk::of(
        &text_of(tree, object, "apiVersion"),
        &text_of(tree, object, "kind"),
    );
    ResId::new(
        gvk,
        metadata_text(tree, object, "name"),
        metadata_text(tree, object, "namespace"),
        schemas,
    )
}

fn read_ids(tree: &Tree, schemas: &Schemas, node: Option<Id>) -> Ids {
    let Some(object) = node else {
        return Ids {
            now: ResId::default(),
            before: Vec::new(),
        };
    };
    let now = read_id(tree, schemas, object);
    let names = marks(tree, object, mark::NAMES);
    let (namespaces, kinds) = (
        marks(tree, object, mark::NAMESPACES),
        marks(tree, object, mark::KINDS),
    );
    let before = if names.len() == namespaces.len() && names.len() == kinds.len() {
        let gvk = |kind: &str| Gvk {
            kind: kind.into(),
            ..now.gvk.clone()
        };
        // What is remembered of the namespace says already whether there is one.
        let id = |((name, namespace), kind): ((&String, &String), &String)| ResId {
            gvk: gvk(kind),
            name: name.as_str().into(),
            namespace: namespace.as_str().into(),
            cluster_scoped: false,
        };
        names.iter().zip(&namespaces).zip(&kinds).map(id).collect()
    } else {
        Vec::new()
    };
    Ids { now, before }
}
