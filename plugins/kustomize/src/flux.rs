//! What Flux does before it calls kustomize: a kustomization for a directory that has none, and the
//! settings of its own Kustomization object put into the file. Rules as in Flux's generator.

use std::rc::Rc;

use crate::accumulate::Target;
use crate::error::{Outcome, fail};
use crate::kustomization::{FILE_NAMES, Image, Kustomization, Patch};
use crate::load::{FileKind, Files, Loader};
use crate::node::Tree;
use crate::read;
use crate::selector::Selector;
use crate::world::World;
use crate::yaml;
use crate::{ImageOverlay, Options, PatchOverlay};

/// Deepest directory that is searched for objects.
const DEPTH: usize = 64;
/// Most files that are searched for objects.
const FILES: usize = 50_000;

/// The namespace of a kustomization that would else be empty.
const PLACEHOLDER: &str = "_placeholder";

/// The kustomization of a directory: its own with the overlay, or a generated one.
///
/// # Errors
/// The file is wrong, or a file of objects cannot be read.
pub(crate) fn target<'a>(loader: Rc<Loader<'a>>, options: &Options) -> Outcome<Target<'a>> {
    let found = FILE_NAMES.into_iter().find_map(|name| {
        let path = loader.join(name)?;
        loader.files().read(&path).ok().map(|text| (name, text))
    });
    if let Some((name, _)) = &found {
        loader.is_called(name);
    }
    let (name, mut file) = match found {
        Some((name, text)) => {
            let read = Kustomization::read_leniently(&text);
            let mut file = read.map_err(|error| error.in_file(&loader.display(name)))?;
            if file.resources.is_empty() {
                file.build_metadata = vec!["originAnnotations".to_owned()];
            }
            (name, file)
        }
        None => (FILE_NAMES[0], generate(&loader, options)?),
    };
    merge(&mut file, &loader, options)?;
    file.check()?;
    Ok(Target::of(loader, file, name))
}

/// Puts the overlay into a kustomization that was read as kustomize reads it.
pub(crate) fn overlay(target: &mut Target<'_>, options: &Options) -> Outcome<()> {
    let loader = target.loader();
    merge(&mut target.file, &loader, options)?;
    target.track_origins();
    Ok(())
}

fn generate(loader: &Loader<'_>, options: &Options) -> Outcome<Kustomization> {
    let mut scan = Scan {
        files: loader.files(),
        root: &loader.root,
        found: Vec::new(),
        seen: 0,
        options,
    };
    scan.directory(&loader.root, 0)?;
    let mut file = Kustomization::default();
    if scan.found.is_empty() {
        file.namespace = PLACEHOLDER.to_owned();
    }
    file.resources = scan.found;
    Ok(file)
}

struct Scan<'a> {
    files: &'a dyn Files,
    root: &'a str,
    found: Vec<String>,
    seen: usize,
    options: &'a Options,
}

impl Scan<'_> {
    fn directory(&mut self, path: &str, depth: usize) -> Outcome<()> {
        if depth > DEPTH {
            return Err(fail!(
                LimitExceeded,
                "directories are nested deeper than {DEPTH} at '{path}'"
            ));
        }
        let entries = self.files.read_dir(path);
        let entries = entries.map_err(|error| {
            fail!(PathMissing, "failed to list '{path}': {error:?}").in_file(path)
        })?;
        for (name, kind) in entries {
            let below = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}/{name}")
            };
            match kind {
                FileKind::Directory if self.has_kustomization(&below) => self.add(&below),
                FileKind::Directory => self.directory(&below, depth + 1)?,
                FileKind::File if name.ends_with(".yaml") || name.ends_with(".yml") => {
                    self.file(&below)?
                }
                FileKind::File => {}
            }
        }
        Ok(())
    }

    fn has_kustomization(&self, directory: &str) -> bool {
        FILE_NAMES
            .iter()
            .any(|name| self.files.kind(&format!("{directory}/{name}")) == Some(FileKind::File))
    }

    fn file(&mut self, path: &str) -> Outcome<()> {
        self.seen += 1;
        if self.seen > FILES {
            return Err(fail!(
                LimitExceeded,
                "more than {FILES} files of objects below '{}'",
                self.root
            ));
        }
        let context = format!("failed to decode Kubernetes YAML from {path}");
        let bytes = self.files.read(path);
        let bytes = bytes.map_err(|error| {
            fail!(PathMissing, "failed to read '{path}': {error:?}").in_file(path)
        })?;
        let mut world = World::new(self.options);
        read::objects(&mut world, &bytes).map_err(|error| error.wrap(context).in_file(path))?;
        self.add(path);
        Ok(())
    }

    fn add(&mut self, path: &str) {
        let relative = path
            .strip_prefix(self.root)
            .unwrap_or(path)
            .trim_start_matches('/');
        self.found.push(format!("./{relative}"));
    }
}

fn merge(file: &mut Kustomization, loader: &Loader<'_>, options: &Options) -> Outcome<()> {
    let overlay = &options.overlay;
    for (mine, theirs) in [
        (&mut file.namespace, &overlay.namespace),
        (&mut file.name_prefix, &overlay.name_prefix),
        (&mut file.name_suffix, &overlay.name_suffix),
    ] {
        if !theirs.is_empty() {
            mine.clone_from(theirs);
        }
    }
    file.patches.extend(overlay.patches.iter().map(patch));
    for component in &overlay.components {
        if !is_local(component) {
            return Err(fail!(
                PathDenied,
                "component path '{component}' must be local and relative"
            ));
        }
        let is_there = loader
            .join(component)
            .is_some_and(|path| loader.files().kind(&path).is_some());
        if is_there || !overlay.ignore_missing_components {
            file.components.push(component.clone());
        }
    }
    overlay
        .images
        .iter()
        .for_each(|image| merge_image(&mut file.images, image));
    if !overlay.build_metadata.is_empty() {
        file.build_metadata.clone_from(&overlay.build_metadata);
    }
    Ok(())
}

fn patch(overlay: &PatchOverlay) -> Patch {
    let target = overlay.target.clone().map(|target| Selector {
        group: target.group,
        version: target.version,
        kind: target.kind,
        name: target.name,
        namespace: target.namespace,
        annotation_selector: target.annotation_selector,
        label_selector: target.label_selector,
    });
    Patch {
        patch: overlay.patch.clone(),
        target,
        ..Patch::default()
    }
}

/// Fields of the overlay win; tag and digest count as one.
fn merge_image(images: &mut Vec<Image>, new: &ImageOverlay) {
    let Some(old) = images.iter_mut().find(|image| image.name == new.name) else {
        images.push(Image {
            name: new.name.clone(),
            new_name: new.new_name.clone(),
            new_tag: new.new_tag.clone(),
            digest: new.digest.clone(),
            ..Image::default()
        });
        return;
    };
    if !new.new_name.is_empty() {
        old.new_name.clone_from(&new.new_name);
    }
    if !new.new_tag.is_empty() || !new.digest.is_empty() {
        old.new_tag.clone_from(&new.new_tag);
        old.digest.clone_from(&new.digest);
    }
}

fn is_local(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let remote = [
        "git::",
        "gh:",
        "ssh://",
        "https://",
        "http://",
        "git@",
        "github.com:",
        "github.com/",
    ];
    !remote
        .iter()
        .any(|prefix| lower.len() > prefix.len() && lower.starts_with(prefix))
        && !lower
            .strip_prefix("file://")
            .unwrap_or(&lower)
            .starts_with('/')
}

/// The file that an annotation of origin names.
pub(crate) fn origin_path(text: &str) -> Option<String> {
    let mut tree = Tree::default();
    let parsed = yaml::parse_one(&mut tree, text).ok().flatten()?;
    let (_, path) = tree.field(parsed, "path")?;
    Some(tree[path].value.to_string()).filter(|path| !path.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tag_and_digest_of_an_image_are_replaced_together() {
        let mut images = vec![Image {
            name: "a".into(),
            digest: "sha256:x".into(),
            new_name: "b".into(),
            ..Image::default()
        }];
        merge_image(
            &mut images,
            &ImageOverlay {
                name: "a".into(),
                new_tag: "1".into(),
                ..ImageOverlay::default()
            },
        );
        assert_eq!(
            (images[0].new_tag.as_str(), images[0].digest.as_str()),
            ("1", "")
        );
        assert_eq!(images[0].new_name, "b");
    }

    #[test]
    fn remote_components_are_not_local() {
        assert!(is_local("../a") && is_local("git@"));
        assert!(!is_local("https://x/y") && !is_local("/a") && !is_local("file:///a"));
    }
}
