//! Facts about the built-in kinds, in tables that need no parsing at start.

pub(crate) mod fields;
pub(crate) mod scopes;
pub(crate) mod shapes;

/// A number of a shape: 0 is none, N is entry N - 1 of [`shapes::SHAPES`].
pub(crate) type ShapeId = u16;

/// What strategic merge needs to know of a field: whether it is a list that merges, by which keys,
/// and which fields below it matter.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) merges: bool,
    pub(crate) keys: &'static [&'static str],
    pub(crate) items: ShapeId,
    pub(crate) rest: ShapeId,
    pub(crate) fields: &'static [(&'static str, ShapeId)],
}

/// The shape with this number.
pub(crate) fn shape(id: ShapeId) -> Option<&'static Shape> {
    shapes::SHAPES.get(usize::from(id).checked_sub(1)?)
}

/// The shape of a built-in kind.
pub(crate) fn kind_shape(api_version: &str, kind: &str) -> Option<&'static Shape> {
    let at = shapes::KINDS
        .binary_search_by(|(a, k, _)| (*a, *k).cmp(&(api_version, kind)))
        .ok()?;
    shape(shapes::KINDS[at].2)
}

/// The shape of a built-in definition.
pub(crate) fn definition_shape(name: &str) -> Option<&'static Shape> {
    let at = shapes::DEFINITIONS
        .binary_search_by(|(known, _)| (*known).cmp(name))
        .ok()?;
    shape(shapes::DEFINITIONS[at].1)
}

/// Whether a built-in kind has a namespace; nothing for other kinds.
pub(crate) fn has_namespace(api_version: &str, kind: &str) -> Option<bool> {
    let at = scopes::SCOPES
        .binary_search_by(|(a, k, _)| (*a, *k).cmp(&(api_version, kind)))
        .ok()?;
    Some(scopes::SCOPES[at].2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_and_whole() {
        assert!(shapes::KINDS.is_sorted_by(|a, b| (a.0, a.1) < (b.0, b.1)));
        assert!(shapes::DEFINITIONS.is_sorted_by(|a, b| a.0 < b.0));
        assert!(scopes::SCOPES.is_sorted_by(|a, b| (a.0, a.1) < (b.0, b.1)));
        for entry in shapes::SHAPES {
            assert!(entry.fields.is_sorted_by(|a, b| a.0 < b.0));
            assert!(entry.fields.iter().all(|(_, id)| shape(*id).is_some()));
        }
    }

    #[test]
    fn containers_merge_by_name_and_ports_by_port_and_protocol() {
        let field = |shape: &'static Shape, name: &str| {
            let at = shape
                .fields
                .binary_search_by(|(field, _)| (*field).cmp(name))
                .expect("the field is known");
            super::shape(shape.fields[at].1).expect("the shape is there")
        };
        let deployment = kind_shape("apps/v1", "Deployment").expect("built in");
        let pod = field(field(field(deployment, "spec"), "template"), "spec");
        let containers = field(pod, "containers");
        assert!(containers.merges);
        assert_eq!(containers.keys, ["name"]);
        let container = shape(containers.items).expect("containers have elements");
        assert_eq!(
            field(container, "ports").keys,
            ["containerPort", "protocol"]
        );
    }
}
