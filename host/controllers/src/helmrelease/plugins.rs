//! The plugins that make a release of a chart: Helm's, kustomize for its post-renderers, and the
//! transformers that annotations name.

use std::sync::Arc;

use bulkhead_api::helmrelease::HelmRelease;
use bulkhead_api::names::annotation;
use bulkhead_wasm::PluginKind;

use super::error::ReleaseError;
use crate::applier::face;
use crate::applier::plugins::{PluginsError, stage};
use crate::catalogue::{Catalogue, Installed, Scope, User};
use crate::delivery::Stage;

/// Name of the plugin that renders charts.
pub const HELM: &str = "helm";

/// The plugins that make a release of a chart.
#[derive(Clone, Debug)]
pub struct Plugins {
    /// Renders.
    pub helm: Arc<Installed>,
    /// Patches.
    pub kustomize: Arc<Installed>,
    /// Change the objects then.
    pub transformers: Vec<Stage>,
}

impl Plugins {
    /// Finds the plugins of `object`; `user` is woken when one of them changes.
    ///
    /// # Errors
    /// [`ReleaseError::Face`], [`ReleaseError::Plugins`].
    pub fn find(
        object: &HelmRelease,
        catalogue: &Catalogue,
        user: Option<&User>,
    ) -> Result<Self, ReleaseError> {
        let namespace = object.own_namespace();
        let built_in = |name: &str| {
            let found =
                catalogue.find_among(&[Scope::BuiltIn], namespace, name, PluginKind::Renderer);
            found.map_err(PluginsError::from)
        };
        let wanted = face::transformers_of(&object.metadata)?;
        if let Some(user) = user {
            catalogue.set_uses(user, wanted.iter().map(|one| one.plugin.name.clone()));
        }
        let transformers = wanted.iter().map(|one| {
            let place = format!("{}.{}", annotation::CONFIG, one.plugin.name);
            stage(
                catalogue,
                namespace,
                (place, &one.plugin, &one.config),
                PluginKind::Transformer,
            )
        });
        Ok(Self {
            helm: built_in(HELM)?,
            kustomize: built_in(face::KUSTOMIZE)?,
            transformers: transformers.collect::<Result<_, _>>()?,
        })
    }
}
