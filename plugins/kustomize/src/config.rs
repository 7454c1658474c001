//! Which fields each transformer changes: the built-in tables, `configurations`, and `crds`, merged
//! as overlays are accumulated.

mod crds;

use std::borrow::Cow;
use std::rc::Rc;

use crate::decode::{self, Decode, Decoder};
use crate::error::{Context, Outcome};
use crate::fieldspec::{FieldSpec, NameReference, Specs, Text, merge_all};
use crate::load::Loader;
use crate::resid::Gvk;
use crate::tables::fields;
use crate::yaml;

pub(crate) use crds::load_crds;

/// The fields of every transformer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) name_prefix: Specs,
    pub(crate) name_suffix: Specs,
    pub(crate) namespace: Specs,
    pub(crate) common_labels: Specs,
    pub(crate) labels: Specs,
    pub(crate) template_labels: Specs,
    pub(crate) volume_claim_template_labels: Specs,
    pub(crate) common_annotations: Specs,
    pub(crate) name_reference: Cow<'static, [NameReference]>,
    pub(crate) var_reference: Specs,
    pub(crate) images: Specs,
    pub(crate) replicas: Specs,
}

impl Config {
    /// The built-in configuration.
    pub(crate) fn built_in() -> Self {
        Self {
            name_prefix: Cow::Borrowed(fields::NAME_PREFIX),
            name_suffix: Cow::Borrowed(fields::NAME_SUFFIX),
            namespace: Cow::Borrowed(fields::NAMESPACE),
            common_labels: Cow::Borrowed(fields::COMMON_LABELS),
            labels: Cow::default(),
            template_labels: Cow::Borrowed(fields::TEMPLATE_LABELS),
            volume_claim_template_labels: Cow::Borrowed(fields::VOLUME_CLAIM_TEMPLATE_LABELS),
            common_annotations: Cow::Borrowed(fields::COMMON_ANNOTATIONS),
            name_reference: Cow::Borrowed(fields::NAME_REFERENCE),
            var_reference: Cow::Borrowed(fields::VAR_REFERENCE),
            images: Cow::Borrowed(fields::IMAGES),
            replicas: Cow::Borrowed(fields::REPLICAS),
        }
    }

    fn lists(&mut self) -> [(&'static str, &mut Specs); 11] {
        [
            ("NamePrefix", &mut self.name_prefix),
            ("NameSuffix", &mut self.name_suffix),
            ("NameSpace", &mut self.namespace),
            ("CommonAnnotations", &mut self.common_annotations),
            ("CommonLabels", &mut self.common_labels),
            ("Labels", &mut self.labels),
            ("TemplateLabels", &mut self.template_labels),
            (
                "VolumeClaimTemplateLabels",
                &mut self.volume_claim_template_labels,
            ),
            ("VarReference", &mut self.var_reference),
            ("Images", &mut self.images),
            ("Replicas", &mut self.replicas),
        ]
    }

    /// Adds what another configuration says.
    ///
    /// # Errors
    /// The two disagree about creating a field.
    pub(crate) fn merge(&mut self, other: &Config) -> Outcome<()> {
        let mut other = other.clone();
        for ((name, mine), (_, theirs)) in self.lists().into_iter().zip(other.lists()) {
            if theirs.is_empty() || is_same(mine, theirs) {
                continue;
            }
            merge_all(mine, theirs).context(|| format!("failed to merge {name} fieldSpec"))?;
        }
        self.merge_references(&other.name_reference)
            .context(|| "failed to merge NameReference fieldSpec".to_owned())?;
        self.sort();
        Ok(())
    }

    fn merge_references(&mut self, other: &[NameReference]) -> Outcome<()> {
        if std::ptr::eq(&raw const *self.name_reference, other) {
            return Ok(());
        }
        for new in other {
            self.add_reference(new)?;
        }
        Ok(())
    }

    /// Adds places where objects of a kind are named.
    pub(crate) fn add_reference(&mut self, new: &NameReference) -> Outcome<()> {
        let same = |old: &NameReference| {
            (&old.group, &old.version, &old.kind) == (&new.group, &new.version, &new.kind)
        };
        match self.name_reference.iter().position(same) {
            Some(at) => merge_all(
                &mut self.name_reference.to_mut()[at].referrers,
                &new.referrers,
            ),
            None => {
                self.name_reference.to_mut().push(new.clone());
                Ok(())
            }
        }
    }

    /// Sorts by kind, kinds that others depend on first.
    pub(crate) fn sort(&mut self) {
        for (_, list) in self.lists() {
            if let Cow::Owned(list) = list {
                list.sort_by_cached_key(|spec| spec.gvk().sort_key());
            }
        }
        if let Cow::Owned(list) = &mut self.name_reference {
            list.sort_by_cached_key(|r| Gvk::new(&r.group, &r.version, &r.kind).sort_key());
        }
    }
}

fn is_same(a: &Specs, b: &Specs) -> bool {
    std::ptr::eq(&raw const **a, &raw const **b)
}

/// Adds a configuration to what was accumulated; nothing is copied while only built-in ones meet.
pub(crate) fn accumulate(
    into: &mut Option<Rc<Config>>,
    other: &Rc<Config>,
    built_in: &Rc<Config>,
) -> Outcome<()> {
    match into {
        None if Rc::ptr_eq(other, built_in) => *into = Some(other.clone()),
        None => {
            let mut mine = Config::default();
            mine.merge(other)?;
            *into = Some(Rc::new(mine));
        }
        Some(mine) if Rc::ptr_eq(mine, other) => {}
        Some(mine) => Rc::make_mut(mine).merge(other)?,
    }
    Ok(())
}

/// Reads the files of `configurations` over the built-in configuration.
pub(crate) fn load(
    loader: &Loader<'_>,
    paths: &[String],
    built_in: &Rc<Config>,
) -> Outcome<Rc<Config>> {
    if paths.is_empty() {
        return Ok(built_in.clone());
    }
    let mut given = Config::default();
    for path in paths {
        let bytes = loader
            .load(path)
            .map_err(|error| error.in_field("configurations"))?;
        let mut config: Config =
            decode::from_yaml(&bytes, "TransformerConfig", decode::Mode::Exact)
                .map_err(|error| error.in_file(&loader.display(path)))?;
        config.sort();
        given.merge(&config)?;
    }
    let mut config = (**built_in).clone();
    config.merge(&given)?;
    Ok(Rc::new(config))
}

impl Decode for Config {
    fn decode(value: &yaml::Value, at: &Decoder) -> Outcome<Self> {
        let mut config = Self::default();
        at.fields(value, |name, value, at| {
            match name {
                "namePrefix" => config.name_prefix = specs(value, at)?,
                "nameSuffix" => config.name_suffix = specs(value, at)?,
                "namespace" => config.namespace = specs(value, at)?,
                "commonLabels" => config.common_labels = specs(value, at)?,
                "labels" => config.labels = specs(value, at)?,
                "templateLabels" => config.template_labels = specs(value, at)?,
                "volumeClaimTemplateLabels" => {
                    config.volume_claim_template_labels = specs(value, at)?
                }
                "commonAnnotations" => config.common_annotations = specs(value, at)?,
                "nameReference" => config.name_reference = Cow::Owned(Decode::decode(value, at)?),
                "varReference" => config.var_reference = specs(value, at)?,
                "images" => config.images = specs(value, at)?,
                "replicas" => config.replicas = specs(value, at)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(config)
    }
}

fn specs(value: &yaml::Value, at: &Decoder) -> Outcome<Specs> {
    Ok(Cow::Owned(Decode::decode(value, at)?))
}

impl Decode for FieldSpec {
    fn decode(value: &yaml::Value, at: &Decoder) -> Outcome<Self> {
        let mut spec = Self::default();
        at.fields(value, |name, value, at| {
            match name {
                "group" => spec.group = text(value, &at.embedded())?,
                "version" => spec.version = text(value, &at.embedded())?,
                "kind" => spec.kind = text(value, &at.embedded())?,
                "path" => spec.path = text(value, at)?,
                "create" => spec.create = Decode::decode(value, at)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(spec)
    }
}

impl Decode for NameReference {
    fn decode(value: &yaml::Value, at: &Decoder) -> Outcome<Self> {
        let mut reference = Self {
            group: Text::default(),
            version: Text::default(),
            kind: Text::default(),
            referrers: Cow::default(),
        };
        at.fields(value, |name, value, at| {
            match name {
                "group" => reference.group = text(value, &at.embedded())?,
                "version" => reference.version = text(value, &at.embedded())?,
                "kind" => reference.kind = text(value, &at.embedded())?,
                "fieldSpecs" => reference.referrers = specs(value, at)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(reference)
    }
}

fn text(value: &yaml::Value, at: &Decoder) -> Outcome<Text> {
    Ok(Cow::Owned(Decode::decode(value, at)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_configuration_is_what_merging_it_gives() {
        let built_in = Config::built_in();
        let mut merged = Config::default();
        merged.merge(&built_in).expect("no conflict");
        let (mut a, mut b) = (built_in.clone(), merged);
        for ((name, a), (_, b)) in a.lists().into_iter().zip(b.lists()) {
            assert_eq!(a.len(), b.len(), "{name}");
        }
        assert_eq!(a.name_reference, b.name_reference);
    }
}
