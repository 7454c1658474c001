//! How commands reach a cluster that flags name.

use std::path::Path;

use anyhow::Context as _;
use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};

use crate::output::CliError;

/// Reads a kubeconfig: the one named, else `$KUBECONFIG` or the user's own.
pub(crate) async fn config(
    kubeconfig: Option<&Path>,
    context: Option<&str>,
) -> Result<Config, CliError> {
    let options = KubeConfigOptions {
        context: context.map(str::to_owned),
        ..KubeConfigOptions::default()
    };
    let config = match kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path)
                .with_context(|| format!("failed to read {}", path.display()))?;
            Config::from_custom_kubeconfig(file, &options).await
        }
        None => Config::from_kubeconfig(&options).await,
    };
    config
        .context("failed to find out how to reach the API server")
        .map_err(|error| CliError::from(error).hint("name a kubeconfig with `--kubeconfig`"))
}
