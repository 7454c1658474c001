//! Builds a kustomization: collects resources and bases, generates, runs components and
//! transformers, and passes the result up. In: a directory. Out: its objects, and the rules and
//! variables that the end of the build needs.

mod resources;

use std::rc::Rc;

use crate::built_in;
use crate::config::{self, Config};
use crate::error::{Context, Outcome, fail};
use crate::kustomization::Kustomization;
use crate::load::{Loader, no_kustomization, show};
use crate::origin::{self, Origin};
use crate::plugin::{self, Source};
use crate::read;
use crate::resmap::ResMap;
use crate::resource::{Resource, mark};
use crate::transform::Transformer;
use crate::validate;
use crate::vars::{self, Vars};
use crate::world::World;
use crate::yaml;

/// What has been collected.
#[derive(Debug, Default)]
pub(crate) struct Accumulator {
    pub(crate) map: ResMap,
    pub(crate) config: Option<Rc<Config>>,
    pub(crate) vars: Vars,
}

impl Accumulator {
    fn absorb(&mut self, world: &World<'_>, other: Accumulator) -> Outcome<()> {
        self.map.add_all(world, other.map)?;
        if let Some(config) = &other.config {
            config::accumulate(&mut self.config, config, &world.built_in)?;
        }
        vars::merge(&mut self.vars, other.vars.into_values())
    }
}

/// A kustomization that is being built.
pub(crate) struct Target<'a> {
    loader: Rc<Loader<'a>>,
    pub(crate) file: Kustomization,
    file_name: &'static str,
    origin: Option<Origin>,
    depth: usize,
}

impl<'a> Target<'a> {
    /// Reads the kustomization file of a directory.
    ///
    /// # Errors
    /// There is none, or it is wrong.
    pub(crate) fn read(loader: Rc<Loader<'a>>) -> Outcome<Self> {
        let Some((file_name, text)) = loader.kustomization()? else {
            return Err(no_kustomization(&loader.root));
        };
        let file = Kustomization::read(&text, &show(&loader.root))
            .map_err(|error| error.in_file(&loader.display(file_name)))?;
        Ok(Self::of(loader, file, file_name))
    }

    /// A target from a kustomization that has been read.
    pub(crate) fn of(loader: Rc<Loader<'a>>, file: Kustomization, file_name: &'static str) -> Self {
        let origin = (!file.build_metadata.is_empty()).then(Origin::default);
        Self {
            loader,
            file,
            file_name,
            origin,
            depth: 0,
        }
    }

    /// The loader of the directory.
    pub(crate) fn loader(&self) -> Rc<Loader<'a>> {
        self.loader.clone()
    }

    /// Starts to track where objects come from, if the file asks for it now.
    pub(crate) fn track_origins(&mut self) {
        self.origin = (!self.file.build_metadata.is_empty()).then(Origin::default);
    }

    /// Takes the schema that `openapi` gives.
    pub(crate) fn set_schema(&self, world: &mut World<'_>, top: bool) -> Outcome<()> {
        let openapi = &self.file.openapi;
        let text = match openapi.get("path") {
            Some(path) => {
                let bytes = self
                    .loader
                    .load(path)
                    .map_err(|error| error.in_field("openapi"))?;
                let parsed = if bytes.first() == Some(&b'{') {
                    serde_json::from_slice(&bytes)
                        .map_err(|error| fail!(YamlInvalid, "invalid schema file: {error}"))
                } else {
                    yaml::to_json(&bytes, false).map_err(|error| error.wrap("invalid schema file"))
                };
                Some(parsed.map_err(|error| error.in_file(&self.loader.display(path)))?)
            }
            None => None,
        };
        let version = openapi.get("version").map(String::as_str);
        world
            .schemas
            .set(version, text, top)
            .map_err(|error| error.in_field("openapi"))
    }

    /// Collects everything into `into`: empty, or what a component's parent has so far.
    ///
    /// # Errors
    /// Whatever goes wrong, with the chain of kustomizations that led there.
    pub(crate) fn accumulate(
        &self,
        world: &mut World<'_>,
        into: Accumulator,
    ) -> Outcome<Accumulator> {
        world.warnings.extend(self.file.warnings.iter().cloned());
        let result = self.accumulate_here(world, into);
        result.map_err(|mut error| {
            if error.chain.is_empty() {
                error.chain = self.loader.chain();
            }
            match &error.file {
                Some(_) => error,
                None => error.in_file(&self.loader.display(self.file_name)),
            }
        })
    }

    fn accumulate_here(
        &self,
        world: &mut World<'_>,
        mut into: Accumulator,
    ) -> Outcome<Accumulator> {
        self.resources(
            world,
            &mut into,
            &self.file.resources,
            &self.loader,
            "resources",
        )
        .context(|| "accumulating resources".to_owned())?;
        let own = config::load(&self.loader, &self.file.configurations, &world.built_in)?;
        config::accumulate(&mut into.config, &own, &world.built_in)?;
        if !self.file.crds.is_empty() {
            let crds = config::load_crds(&self.loader, &self.file.crds)
                .context(|| format!("loading CRDs {}", crate::error::go_list(&self.file.crds)))?;
            config::accumulate(&mut into.config, &Rc::new(crds), &world.built_in)?;
        }
        self.generate(world, &mut into)?;
        self.components(world, &mut into)
            .context(|| "accumulating components".to_owned())?;
        self.transform(world, &mut into)?;
        self.validate(world, &mut into)?;
        vars::note(world, &mut into.map, &self.file.vars)
            .and_then(|()| vars::merge(&mut into.vars, self.file.vars.clone()))
            .context(|| "merging vars".to_owned())?;
        Ok(into)
    }

    fn generate(&self, world: &mut World<'_>, into: &mut Accumulator) -> Outcome<()> {
        if self.file.helm_charts > 0 {
            return Err(plugin::refuse_helm());
        }
        let mut sources: Vec<(Source, Option<Origin>)> = Vec::new();
        for source in built_in::sources(&self.file) {
            let origin = self.origin.as_ref();
            let name = if let Source::Made(made, _) = &source {
                made.plugin()
            } else {
                ""
            };
            sources.push((
                source,
                origin.map(|origin| origin.built_in(self.file_name, name)),
            ));
        }
        for configuration in self.configurations(world, &self.file.generators, "generators")? {
            let source = plugin::generator(world, &configuration).map_err(|error| {
                error.wrap("loading generator plugins: failed to load generator")
            })?;
            sources.push((
                source,
                Origin::of_configuration(&world.tree, &configuration),
            ));
        }
        for (source, origin) in sources {
            let mut made = source.make(world, &self.loader)?;
            if let Some(origin) = &origin {
                origin::add(&mut world.tree, &mut made, origin)?;
            }
            into.map
                .absorb(world, made)
                .context(|| "merging from generator".to_owned())?;
        }
        Ok(())
    }

    /// The objects that configure plugins: inline ones first, then those of files and bases.
    fn configurations(
        &self,
        world: &mut World<'_>,
        entries: &[String],
        field: &str,
    ) -> Outcome<Vec<Resource>> {
        let what = field.trim_end_matches('s');
        let mut found = Accumulator::default();
        let mut paths = Vec::new();
        for entry in entries {
            let inline = read::objects(world, entry.as_bytes())
                .and_then(|list| ResMap::checked(world, list));
            let Ok(mut map) = inline else {
                paths.push(entry.clone());
                continue;
            };
            if let Some(origin) = &self.origin {
                let text = origin.below(self.file_name).text();
                for resource in &mut map.list {
                    if let Some(node) = resource.node {
                        crate::resource::put_annotation(
                            &mut world.tree,
                            node,
                            mark::ORIGIN,
                            &text,
                        )?;
                    }
                    resource.touch();
                }
                map.changed();
            }
            found
                .map
                .add_all(world, map)
                .context(|| format!("configuring external {what}"))?;
        }
        self.resources(world, &mut found, &paths, &self.loader, field)?;
        Ok(found.map.list)
    }

    fn transform(&self, world: &mut World<'_>, into: &mut Accumulator) -> Outcome<()> {
        let config = into.config.clone().unwrap_or_default();
        let mut all: Vec<(Transformer, Option<Origin>)> = Vec::new();
        for transformer in built_in::transformers(world, &self.loader, &self.file, &config)? {
            let origin = self.origin.as_ref();
            let origin = origin.map(|origin| origin.built_in(self.file_name, transformer.name()));
            all.push((transformer, origin));
        }
        for configuration in self.configurations(world, &self.file.transformers, "transformers")? {
            let origin = Origin::of_configuration(&world.tree, &configuration);
            let read = plugin::transformer(world, &self.loader, &configuration);
            let read = read.map_err(|error| error.in_field("transformers"))?;
            let last = read.len().saturating_sub(1);
            for (i, transformer) in read.into_iter().enumerate() {
                all.push((transformer, origin.clone().filter(|_| i == last)));
            }
        }
        for (transformer, origin) in all {
            transformer.apply(world, &mut into.map)?;
            if let Some(origin) = &origin {
                origin::add_transformer(&mut world.tree, &mut into.map, origin)?;
            }
            into.map.drop_empty(&world.tree);
        }
        Ok(())
    }

    fn validate(&self, world: &mut World<'_>, into: &mut Accumulator) -> Outcome<()> {
        for configuration in self.configurations(world, &self.file.validators, "validators")? {
            let read = plugin::transformer(world, &self.loader, &configuration);
            let validators = read.map_err(|error| error.in_field("validators"))?;
            validate::run(world, &mut into.map, &validators)?;
        }
        Ok(())
    }
}
