//! Selectors: which objects a patch or replacement is for. In: a selector as the user wrote it,
//! regular expressions included. Out: whether an identity, labels or annotations fit.

use regex_lite::Regex;

use crate::decode::decode_fields;
use crate::error::{Outcome, fail};
use crate::labels::LabelSelector;
use crate::node::{Id, Tree};
use crate::resid::{Gvk, ResId};
use crate::resource::{self, Ids};

/// A selector as the user wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Selector {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) annotation_selector: String,
    pub(crate) label_selector: String,
}

decode_fields!(Selector {
    "annotationSelector" => annotation_selector,
    "labelSelector" => label_selector,
} embedded {
    "group" => group,
    "version" => version,
    "kind" => kind,
    "name" => name,
    "namespace" => namespace,
});

impl Selector {
    /// The parts that name an identity.
    pub(crate) fn id(&self) -> ResId {
        ResId {
            gvk: Gvk::new(&self.group, &self.version, &self.kind),
            name: self.name.as_str().into(),
            namespace: self.namespace.as_str().into(),
            cluster_scoped: false,
        }
    }
}

/// One regular expression that must fit the whole text; empty fits anything.
#[derive(Debug)]
enum Pattern {
    Any,
    Text(String),
    Regex(Regex),
}

impl Pattern {
    fn new(pattern: &str) -> Outcome<Self> {
        if pattern.is_empty() {
            return Ok(Self::Any);
        }
        if pattern
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'/' | b':'))
        {
            return Ok(Self::Text(pattern.to_owned()));
        }
        regex(&format!("^(?:{pattern})$")).map(Self::Regex)
    }

    fn fits(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Text(wanted) => wanted == text,
            Self::Regex(regex) => regex.is_match(text),
        }
    }
}

/// Compiles a regular expression.
pub(crate) fn regex(pattern: &str) -> Outcome<Regex> {
    Regex::new(pattern)
        .map_err(|error| fail!(PatchFailed, "error parsing regexp: {error}: `{pattern}`"))
}

/// A selector ready to be used.
#[derive(Debug)]
pub(crate) struct Matcher {
    group: Pattern,
    version: Pattern,
    kind: Pattern,
    name: Pattern,
    namespace: Pattern,
    labels: String,
    annotations: String,
    /// Whether it names no identity at all.
    pub(crate) is_blank: bool,
}

impl Matcher {
    /// Compiles a selector.
    ///
    /// # Errors
    /// A part is not a regular expression.
    pub(crate) fn new(selector: &Selector) -> Outcome<Self> {
        Ok(Self {
            group: Pattern::new(&selector.group)?,
            version: Pattern::new(&selector.version)?,
            kind: Pattern::new(&selector.kind)?,
            name: Pattern::new(&selector.name)?,
            namespace: Pattern::new(&selector.namespace)?,
            labels: selector.label_selector.clone(),
            annotations: selector.annotation_selector.clone(),
            is_blank: selector.id().is_blank(),
        })
    }

    fn fits_gvk(&self, gvk: &Gvk) -> bool {
        self.group.fits(&gvk.group) && self.version.fits(&gvk.version) && self.kind.fits(&gvk.kind)
    }

    /// Whether an object's first or current identity fits: how patches select.
    pub(crate) fn fits_object(&self, ids: &Ids) -> bool {
        let (first, now) = (ids.first(), &ids.now);
        (self.namespace.fits(first.effective_namespace())
            || self.namespace.fits(now.effective_namespace()))
            && (self.name.fits(&first.name) || self.name.fits(&now.name))
            && self.fits_gvk(&now.gvk)
    }

    /// Whether one identity fits, namespace as written: how replacements select.
    pub(crate) fn fits_id(&self, id: &ResId) -> bool {
        self.fits_gvk(&id.gvk) && self.name.fits(&id.name) && self.namespace.fits(&id.namespace)
    }

    /// Whether there is a selector of labels or annotations.
    pub(crate) fn looks_at_metadata(&self) -> bool {
        !self.labels.is_empty() || !self.annotations.is_empty()
    }

    /// Whether labels and annotations fit.
    ///
    /// # Errors
    /// A selector of labels or annotations cannot be read.
    pub(crate) fn fits_metadata(&self, tree: &Tree, object: Id) -> Outcome<bool> {
        for (selector, map) in [(&self.labels, "labels"), (&self.annotations, "annotations")] {
            if selector.is_empty() {
                continue;
            }
            if !LabelSelector::parse(selector)?.fits(&resource::metadata_map(tree, object, map)) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
