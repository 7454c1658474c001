//! Names, tags and digests of images: in every list of containers, and in the fields that the
//! specifications name.

use regex_lite::Regex;

use crate::error::Outcome;
use crate::fieldspec::{self, FieldSpec};
use crate::kustomization::Image;
use crate::node::{Id, Kind, Node, Tree};
use crate::resmap::ResMap;
use crate::resource;
use crate::world::World;

/// Changes all images that the settings name.
pub(super) fn apply(
    world: &mut World<'_>,
    map: &mut ResMap,
    image: &Image,
    specs: &[FieldSpec],
) -> Outcome<()> {
    let updater = Updater {
        image,
        matcher: Matcher::new(&image.name),
    };
    for resource in &mut map.list {
        let Some(object) = resource.node else {
            continue;
        };
        if &*resource::text_of(&world.tree, object, "kind") == "CustomResourceDefinition" {
            continue;
        }
        resource.touch();
        updater.walk(&mut world.tree, object)?;
    }
    for resource in &mut map.list {
        let Some(object) = resource.node else {
            continue;
        };
        if &*resource::text_of(&world.tree, object, "kind") == "CustomResourceDefinition" {
            continue;
        }
        let mut set = |tree: &mut Tree, at| updater.set(tree, at);
        fieldspec::apply_all(&mut world.tree, object, specs, &None, &mut set)?;
    }
    Ok(())
}

struct Updater<'a> {
    image: &'a Image,
    matcher: Matcher,
}

impl Updater<'_> {
    /// Finds lists named `containers` and `initContainers` at any depth.
    fn walk(&self, tree: &mut Tree, id: Id) -> Outcome<()> {
        let id = tree.unwrap(id);
        match tree[id].kind {
            Kind::Sequence => {
                for i in 0..tree[id].content.len() {
                    let element = tree[id].content[i];
                    self.walk(tree, element)?;
                }
            }
            Kind::Mapping => {
                for i in (0..tree[id].content.len()).step_by(2) {
                    let (key, value) = (tree[id].content[i], tree[id].content[i + 1]);
                    self.walk(tree, value)?;
                    if matches!(&*tree[key].value, "containers" | "initContainers") {
                        self.containers(tree, value)?;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn containers(&self, tree: &mut Tree, list: Id) -> Outcome<()> {
        if tree[list].kind != Kind::Sequence {
            return Ok(());
        }
        for container in tree.elements(list)? {
            if let Some(image) = tree.get(container, "image")? {
                self.set(tree, image)?;
            }
        }
        Ok(())
    }

    fn set(&self, tree: &mut Tree, at: Id) -> Outcome<()> {
        tree.expect(at, Kind::Scalar)?;
        let at = tree.unwrap(at);
        if !self.matcher.fits(&tree[at].value) {
            return Ok(());
        }
        let new = self.replace(&tree[at].value);
        let value = tree.add(Node::scalar(&new));
        tree.set_field(at, "", Some(value))
    }

    fn replace(&self, old: &str) -> String {
        let (name, tag, digest) = split(old);
        let image = self.image;
        let name = if image.new_name.is_empty() {
            name
        } else {
            &image.new_name
        };
        let (tag, digest) = match (image.new_tag.is_empty(), image.digest.is_empty()) {
            (false, false) => (image.new_tag.clone(), image.digest.as_str()),
            (false, true) => (image.new_tag.clone(), ""),
            (true, false) => (String::new(), image.digest.as_str()),
            (true, true) if !image.tag_suffix.is_empty() => {
                (format!("{tag}{}", image.tag_suffix), "")
            }
            (true, true) => (tag.to_owned(), digest),
        };
        let mut new = name.to_owned();
        for (mark, part) in [(':', tag.as_str()), ('@', digest)] {
            if !part.is_empty() {
                new.push(mark);
                new.push_str(part);
            }
        }
        new
    }
}

/// Whether an image has a name: the name is a regular expression, mostly a plain one.
enum Matcher {
    /// Letters that stand for themselves, and dots that stand for any.
    Plain(String),
    Regex(Regex),
    Never,
}

impl Matcher {
    fn new(name: &str) -> Self {
        let plain =
            |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'/' | b':');
        if name.bytes().all(plain) {
            return Self::Plain(name.to_owned());
        }
        let rest = r"(:[a-zA-Z0-9_.{}-]*)?(@[a-zA-Z0-9]+([.+_-][a-zA-Z0-9]+)*:[a-zA-Z0-9_.{}-]*)?$";
        Regex::new(&format!("^{name}{rest}")).map_or(Self::Never, Self::Regex)
    }

    fn fits(&self, image: &str) -> bool {
        match self {
            Self::Never => false,
            Self::Regex(regex) => regex.is_match(image),
            Self::Plain(name) => {
                let mut rest = image.chars();
                let same = |(wanted, got): (char, Option<char>)| {
                    got.is_some_and(|got| got == wanted || (wanted == '.' && got != '\n'))
                };
                name.chars().all(|wanted| same((wanted, rest.next())))
                    && is_tag_and_digest(rest.as_str())
            }
        }
    }
}

/// `(:TAG)?(@ALGORITHM:HEX)?`
fn is_tag_and_digest(rest: &str) -> bool {
    let is_text = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'{' | b'}' | b'-'))
    };
    let (tag, digest) = match rest.split_once('@') {
        Some((tag, digest)) => (tag, Some(digest)),
        None => (rest, None),
    };
    let tag_fits = tag.is_empty() || tag.strip_prefix(':').is_some_and(is_text);
    let digest_fits = digest.is_none_or(|digest| {
        digest.split_once(':').is_some_and(|(algorithm, hex)| {
            let parts = algorithm.split(['.', '+', '_', '-']);
            parts
                .into_iter()
                .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric()))
                && is_text(hex)
        })
    });
    tag_fits && digest_fits
}

/// Name, tag and digest of an image.
fn split(image: &str) -> (&str, &str, &str) {
    let from = image.find('/').filter(|at| *at > 0).unwrap_or(0);
    let at = image[from..].find('@').map(|i| from + i);
    let colon = image[from..].find(':').map(|i| from + i);
    match (at, colon) {
        (None, None) => (image, "", ""),
        (Some(at), None) => (&image[..at], "", &image[at + 1..]),
        (Some(at), Some(colon)) if at < colon => (&image[..at], "", &image[at + 1..]),
        (Some(at), Some(colon)) => (&image[..colon], &image[colon + 1..at], &image[at + 1..]),
        (None, Some(colon)) => (&image[..colon], &image[colon + 1..], ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_come_apart() {
        assert_eq!(split("nginx"), ("nginx", "", ""));
        assert_eq!(
            split("host:5000/a/nginx:1.2@sha256:ab"),
            ("host:5000/a/nginx", "1.2", "sha256:ab")
        );
        assert_eq!(split("nginx@sha256:ab"), ("nginx", "", "sha256:ab"));
    }

    #[test]
    fn a_name_fits_with_any_tag_and_digest_only() {
        for name in ["gcr.io/a-b", "gcr.io/a-(b)"] {
            let matcher = Matcher::new(name);
            for yes in [
                "gcr.io/a-b",
                "gcr.io/a-b:v1.0",
                "gcr.io/a-b:1@sha256:ab",
                "gcrxio/a-b",
                "gcr.io/a-b:${X}",
            ] {
                assert_eq!(matcher.fits(yes), yes != "gcr.io/a-b:${X}", "{name} {yes}");
            }
            for no in [
                "gcr.io/a-bc",
                "x/gcr.io/a-b",
                "gcr.io/a-b/c",
                "gcr.io/a-b@sha256",
                "gcr.io/a-b:a:b",
            ] {
                assert!(!matcher.fits(no), "{name} {no}");
            }
        }
        assert!(!Matcher::new("a(").fits("a("));
    }
}
