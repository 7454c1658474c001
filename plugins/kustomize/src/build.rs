//! One render from start to end: the kustomization, or what Flux generates where there is none; then
//! hashes, names, variables, order, and the text of every object.

use std::rc::Rc;

use crate::accumulate::{Accumulator, Target};
use crate::error::{Outcome, fail};
use crate::flux;
use crate::kustomization::SortOptions;
use crate::load::{Files, Loader};
use crate::read;
use crate::resid::{NO_NAMESPACE, ResId};
use crate::resmap::ResMap;
use crate::resource::{self, Map, mark};
use crate::transform::{Transformer, label_managed_by};
use crate::vars;
use crate::world::World;
use crate::{Document, LoadRestrictor, Options, Output, Reorder, nameref, yaml};

/// Renders `path`.
pub(crate) fn run(files: &dyn Files, path: &str, options: &Options) -> Outcome<Output> {
    build(files, path, options).map_err(|mut error| {
        if error.chain.is_empty() {
            error.chain.push(path.to_owned());
        }
        error
    })
}

fn build(files: &dyn Files, path: &str, options: &Options) -> Outcome<Output> {
    let confined = options.load_restrictor == LoadRestrictor::RootOnly;
    let loader = Rc::new(Loader::top(files, path, confined)?);
    let top = loader.clone();
    collect(loader, options).map_err(|error| top.explain(error))
}

fn collect(loader: Rc<Loader<'_>>, options: &Options) -> Outcome<Output> {
    let target = if options.generate {
        flux::target(loader, options)?
    } else {
        let mut target = Target::read(loader)?;
        flux::overlay(&mut target, options)?;
        target
    };
    let mut world = World::new(options);
    if options.generate {
        world.schemas.preload();
    }
    target.set_schema(&mut world, true)?;
    let collected = target.accumulate(&mut world, Accumulator::default())?;
    let map = finish(&mut world, collected)?;
    let map = order(&mut world, map, target.file.sort_options.as_ref())?;
    print(&mut world, map, &target.file.build_metadata)
}

/// What is done once, after all overlays.
fn finish(world: &mut World<'_>, collected: Accumulator) -> Outcome<ResMap> {
    let Accumulator {
        mut map,
        config,
        vars,
    } = collected;
    Transformer::Hash.apply(world, &mut map)?;
    let config = config.unwrap_or_default();
    nameref::apply(world, &mut map, &config)?;
    vars::resolve(world, &mut map, &config, &vars)?;
    drop_local(world, &mut map)?;
    Ok(map)
}

/// Drops objects that are for tools on the user's machine.
fn drop_local(world: &World<'_>, map: &mut ResMap) -> Outcome<()> {
    for resource in &map.list {
        if let Some(node) = resource
            .node
            .filter(|node| !world.tree.is_empty(Some(*node)))
        {
            read::check(&world.tree, node)?;
        }
    }
    let is_local = |resource: &crate::resource::Resource| {
        let node = resource
            .node
            .filter(|node| !world.tree.is_empty(Some(*node)));
        let mark = node.map(|node| resource::annotation(&world.tree, node, mark::LOCAL));
        mark.is_none_or(|mark| mark.is_some_and(|value| &*value != "false"))
    };
    map.changed();
    map.list.retain(|resource| !is_local(resource));
    Ok(())
}

fn order(world: &mut World<'_>, mut map: ResMap, options: Option<&SortOptions>) -> Outcome<ResMap> {
    let legacy = SortOptions {
        order: "legacy".to_owned(),
        legacy: None,
    };
    let asked = world.options.reorder;
    if options.is_some() && asked != Reorder::Unspecified {
        world.warnings.push(
            "Warning: Sorting order is set both in 'kustomization.yaml' ('sortOptions') and in a CLI flag \
             ('--reorder'). Using the kustomization file over the CLI flag."
                .to_owned(),
        );
    }
    let chosen = match options {
        Some(options) => Some(options.clone()),
        // Flux never sorts.
        None if asked == Reorder::None || world.options.generate => None,
        None => Some(legacy),
    };
    if let Some(chosen) = chosen {
        Transformer::Sort(chosen).apply(world, &mut map)?;
    }
    Ok(map)
}

fn print(world: &mut World<'_>, mut map: ResMap, metadata: &[String]) -> Outcome<Output> {
    let has = |name: &str| metadata.iter().any(|entry| entry == name);
    if world.options.managed_by_label || has("managedByLabel") {
        label_managed_by(world, &mut map)?;
    }
    let mut names = file_names(world, &map).into_iter();
    let mut documents = Vec::with_capacity(map.list.len());
    for resource in &map.list {
        let file_name = names.next();
        let Some(node) = resource.node else { continue };
        let origin = resource::annotation(&world.tree, node, mark::ORIGIN);
        let mut annotations = resource::metadata_map(&world.tree, node, "annotations");
        clean(
            &mut annotations,
            has("originAnnotations"),
            has("transformerAnnotations"),
        );
        let had_any = world
            .tree
            .lookup(node, &["metadata", "annotations"])?
            .is_some();
        let untouched =
            has("originAnnotations") && has("transformerAnnotations") && annotations.is_empty();
        if had_any
            && !(untouched && resource::metadata_map(&world.tree, node, "annotations").is_empty())
        {
            let passes = match resource::has_twice(&world.tree, node, "annotations") {
                // Upstream sets them once for each of the three kinds of marks that it removes.
                true => {
                    3 - usize::from(has("originAnnotations"))
                        - usize::from(has("transformerAnnotations"))
                }
                false => 1,
            };
            for _ in 0..passes.max(1) {
                resource::set_metadata_map(&mut world.tree, node, "annotations", &annotations)?;
            }
        }
        let text = yaml::print(&world.tree, node).map_err(|error| {
            let id = resource.ids(&world.tree, &world.schemas);
            crate::resmap::name_object(error, &id.now)
        })?;
        documents.push(Document {
            text,
            origin: origin.and_then(|text| flux::origin_path(&text)),
            file_name,
        });
    }
    check_size(&documents)?;
    Ok(Output {
        documents,
        warnings: std::mem::take(&mut world.warnings),
    })
}

/// Names a file for each object: group, version, kind and name, after the namespace where objects
/// are in several.
fn file_names(world: &World<'_>, map: &ResMap) -> Vec<String> {
    if !world.options.file_names {
        return Vec::new();
    }
    let ids = map.list.iter().map(|resource| {
        let ids = resource.ids(&world.tree, &world.schemas);
        ids.now.clone()
    });
    let ids: Vec<_> = ids.collect();
    let mut namespaces: Vec<&str> = ids.iter().map(ResId::effective_namespace).collect();
    namespaces.retain(|namespace| *namespace != NO_NAMESPACE);
    namespaces.sort_unstable();
    namespaces.dedup();
    let name = |id: &ResId| {
        let namespace = id.effective_namespace();
        let prefixed = namespaces.len() > 1 && namespace != NO_NAMESPACE;
        let gvk = [&*id.gvk.group, &*id.gvk.version, &*id.gvk.kind];
        let mut parts = vec![namespace; usize::from(prefixed)];
        parts.extend(gvk.into_iter().filter(|part| !part.is_empty()));
        parts.push(&id.name);
        parts.join("_").to_lowercase() + ".yaml"
    };
    ids.iter().map(name).collect()
}

/// Most bytes of all documents together.
const OUTPUT_BYTES: usize = 64 << 20;

fn check_size(documents: &[Document]) -> Outcome<()> {
    let bytes: usize = documents.iter().map(|document| document.text.len()).sum();
    if bytes > OUTPUT_BYTES {
        return Err(fail!(
            LimitExceeded,
            "the result has {bytes} bytes, more than {OUTPUT_BYTES}"
        ));
    }
    Ok(())
}

fn clean(annotations: &mut Map, keep_origin: bool, keep_transformations: bool) {
    annotations.retain(|key, _| {
        let key: &str = key;
        !mark::ALL.contains(&key)
            && (keep_origin || key != mark::ORIGIN)
            && (keep_transformations || key != mark::TRANSFORMATIONS)
    });
}
