//! Hashes of content that become part of a name, equal to kustomize's.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::error::Outcome;
use crate::json;
use crate::node::{Id, Kind, Tree};
use crate::resmap::ResMap;
use crate::resource::{self, mark};
use crate::world::World;
use crate::yaml;

/// Appends a hash to the name of every object that is marked for it.
pub(crate) fn apply(world: &mut World<'_>, map: &mut ResMap) -> Outcome<()> {
    map.changed();
    for resource in &mut map.list {
        let Some(object) = resource.node else {
            continue;
        };
        if !resource::is_enabled(&world.tree, object, mark::NEEDS_HASH) {
            continue;
        }
        let hash = hash(&mut world.tree, object)?;
        let id = resource.ids(&world.tree, &world.schemas).now.clone();
        resource::store_id(&mut world.tree, object, &id)?;
        resource::set_name(&mut world.tree, object, &format!("{}-{hash}", id.name))?;
        resource.touch();
    }
    Ok(())
}

fn hash(tree: &mut Tree, object: Id) -> Outcome<String> {
    let kind = resource::text_of(tree, object, "kind");
    let text = match &*kind {
        "ConfigMap" => encode(tree, object, "ConfigMap", &["data"], "binaryData")?,
        "Secret" => encode(tree, object, "Secret", &["type", "data"], "stringData")?,
        _ => node_text(tree, object),
    };
    Ok(digest(&text))
}

/// The first ten digits of the hash, with letters that cannot make words.
fn digest(text: &str) -> String {
    let sum = Sha256::digest(text.as_bytes());
    let hex: String = sum.iter().take(5).map(|b| format!("{b:02x}")).collect();
    let letter = |c| match c {
        '0' => 'g',
        '1' => 'h',
        '3' => 'k',
        'a' => 'm',
        'e' => 't',
        other => other,
    };
    hex.chars().map(letter).collect()
}

fn encode(
    tree: &mut Tree,
    object: Id,
    kind: &str,
    fields: &[&str],
    optional: &str,
) -> Outcome<String> {
    // The name counts as empty: upstream looks for a field called "metadata/name".
    let mut all = Map::from_iter([
        ("kind".to_owned(), json!(kind)),
        ("name".to_owned(), json!("")),
    ]);
    for field in fields {
        all.insert((*field).to_owned(), field_value(tree, object, field)?);
    }
    let extra = field_value(tree, object, optional)?;
    if extra.is_object() {
        all.insert(optional.to_owned(), extra);
    }
    Ok(json::text(&Value::Object(all), None))
}

fn field_value(tree: &mut Tree, object: Id, field: &str) -> Outcome<Value> {
    let Some(found) = tree.lookup(object, &[field])? else {
        return Ok(json!(""));
    };
    if tree[found].kind == Kind::Scalar {
        return Ok(json!(&*tree[found].value));
    }
    let value = yaml::to_value(tree, found)?;
    Ok(if value.is_object() {
        value
    } else {
        Value::Null
    })
}

/// A node as Go encodes the struct: how objects of other kinds are hashed.
fn node_text(tree: &Tree, id: Id) -> String {
    let node = &tree[id];
    let content: Vec<String> = node
        .content
        .iter()
        .map(|child| node_text(tree, *child))
        .collect();
    let content = if content.is_empty() && !node.emptied {
        "null".to_owned()
    } else {
        format!("[{}]", content.join(","))
    };
    let text = |text: &str| json::text(&json!(text), None);
    let kind = match node.kind {
        Kind::Zero => 0,
        Kind::Document => 1,
        Kind::Sequence => 2,
        Kind::Mapping => 4,
        Kind::Scalar => 8,
        Kind::Alias => 16,
    };
    let notes = node.notes.clone().unwrap_or_default();
    format!(
        "{{\"Kind\":{kind},\"Style\":{},\"Tag\":{},\"Value\":{},\"Anchor\":\"\",\"Alias\":null,\"Content\":{content},\
         \"HeadComment\":{},\"LineComment\":{},\"FootComment\":{},\"Line\":{},\"Column\":{}}}",
        node.style,
        text(node.tag.text()),
        text(&node.value),
        text(&notes.head),
        text(&notes.line),
        text(&notes.foot),
        node.line,
        node.column,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_avoid_vowels() {
        assert_eq!(digest("x").len(), 10);
        assert!(
            digest("x")
                .chars()
                .all(|c| !matches!(c, '0' | '1' | '3' | 'a' | 'e'))
        );
    }
}
