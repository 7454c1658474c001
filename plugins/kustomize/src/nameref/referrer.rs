//! What must hold of an object before the names in it are updated, and which namespaces it may name.

use std::collections::HashSet;
use std::rc::Rc;

use crate::error::{Outcome, fail};
use crate::node::{Id, Tree};
use crate::resid::ResId;
use crate::resmap::name_object;

/// Fails unless `apiVersion` and `kind` read the same as plain fields and as an identity: a null
/// and a group without a name do not.
pub(super) fn check_kind(tree: &Tree, object: Id, now: &ResId) -> Outcome<()> {
    let api_version = now.gvk.api_version();
    let fields = [
        (
            "APIVersion",
            "apiVersion",
            &*api_version,
            "write `apiVersion` as `version` or `group/version`",
        ),
        ("Kind", "kind", &*now.gvk.kind, "write `kind` as a text"),
    ];
    for (label, name, known, help) in fields {
        let field = tree.field(object, name).map(|(_, value)| value);
        let said = tree.value(field.filter(|value| !tree.is_empty(Some(*value))));
        if *said != *known {
            let error = fail!(
                ObjectInvalid,
                "node-referrerOriginal '{label}' mismatch '{said}' != '{known}'"
            );
            return Err(name_object(error.advise(help), now));
        }
    }
    Ok(())
}

/// The namespaces of the service accounts that a role binding names.
pub(super) fn account_namespaces(tree: &Tree, object: Id, id: &ResId) -> Outcome<HashSet<Rc<str>>> {
    let mut namespaces = HashSet::new();
    if id.cluster_scoped || &*id.gvk.kind != "RoleBinding" {
        return Ok(namespaces);
    }
    let Some((_, subjects)) = tree.field(object, "subjects") else {
        return Ok(namespaces);
    };
    for &subject in &tree[subjects].content {
        let field = |name| tree.field(subject, name).map(|(_, value)| value);
        let is_account = field("kind").is_some_and(|kind| &*tree[kind].value == "ServiceAccount");
        let Some(namespace) = field("namespace").filter(|_| is_account) else {
            continue;
        };
        if !tree[namespace].is_string() {
            let text = crate::error::go_quote(&id.to_string());
            let error = fail!(
                ObjectInvalid,
                "Invalid Input: namespace is blank for resource {text}\n"
            );
            return Err(name_object(error, id));
        }
        namespaces.insert(tree[namespace].value.clone());
    }
    Ok(namespaces)
}
