//! What `helm template` does and a sandbox does not: a mistake on the command line, with what to do
//! instead.

use anyhow::anyhow;

use crate::args::HelmArguments;
use crate::output::CliError;

/// Refuses flags, and charts that would have to be fetched.
pub(super) fn check(arguments: &HelmArguments) -> Result<(), CliError> {
    let flags = &arguments.refused;
    let is_server = flags.dry_run.as_deref() == Some("server");
    let has_program = flags.post_renderer.is_some() || !flags.post_renderer_args.is_empty();
    let has_place = flags.repo.is_some() || flags.version.is_some() || flags.verify;
    for (is_given, flag, instead) in [
        (
            flags.validate || is_server,
            "--validate and --dry-run=server",
            "no cluster is asked while rendering; pipe the output into `kubectl apply --dry-run=server -f -`",
        ),
        (
            has_program,
            "--post-renderer",
            "no program is run; a transformer plugin changes rendered objects (docs/plugins.md)",
        ),
        (
            flags.dependency_update,
            "--dependency-update",
            "nothing is fetched while rendering; run `helm dependency build` before",
        ),
        (
            flags.enable_dns,
            "--enable-dns",
            "a render asks no server; pass the address as a value",
        ),
        (
            has_place,
            "--repo, --version and --verify",
            "nothing is fetched while rendering; run `helm pull` before, and name the file",
        ),
    ] {
        if is_given {
            return Err(CliError::from(anyhow!("{flag}: not in a sandbox"))
                .usage()
                .hint(instead));
        }
    }
    let is_remote = |place: &&String| place.contains("://");
    if let Some(place) = arguments.places.iter().find(is_remote) {
        return Err(CliError::from(anyhow!("{place} is not on this machine"))
            .usage()
            .hint(
                "nothing is fetched while rendering; run `helm pull` before, and name the file",
            ));
    }
    Ok(())
}
