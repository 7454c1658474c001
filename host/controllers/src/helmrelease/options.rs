//! From the spec to how Helm's actions go. Pure.

use std::time::Duration;

use bulkhead_api::SpecError;
use bulkhead_api::helmrelease::{
    CrdsPolicy, HelmReleaseSpec, ServerSideApplyMode, WaitStrategyName,
};
use bulkhead_apply::release::{
    ApplyMethod, CrdPolicy, Install, Options, Propagation, Readiness, Rollback, ServerSide, Test,
    TestFilter, Uninstall, Upgrade, Wait,
};

use super::decide::Action;

/// Returns how long each step of an action may take.
pub(super) fn timeout(spec: &HelmReleaseSpec, action: Action) -> Result<Duration, SpecError> {
    let default = spec.timeout()?;
    match action {
        Action::Install => spec.install().timeout(default),
        Action::Upgrade => spec.upgrade().timeout(default),
        Action::Test => spec.test().timeout(default),
        Action::Rollback => spec.rollback().timeout(default),
        Action::FinishUninstall | Action::UninstallRemediation => spec.uninstall().timeout(default),
        Action::Unlock | Action::CorrectDrift => Ok(default),
    }
}

fn options(
    (timeout, readiness): (Duration, Readiness),
    no_hooks: bool,
    no_wait: bool,
    no_jobs: bool,
) -> Options {
    Options {
        timeout,
        hooks: !no_hooks,
        wait: Wait {
            objects: !no_wait,
            jobs: !no_jobs,
            readiness,
        },
    }
}

/// Returns when objects count as ready.
pub(super) fn readiness(spec: &HelmReleaseSpec) -> Result<Readiness, SpecError> {
    match spec.wait_strategy.as_ref().map(|strategy| &strategy.name) {
        None | Some(WaitStrategyName::Poller) => Ok(Readiness::Status),
        Some(WaitStrategyName::Legacy) => Ok(Readiness::Legacy),
        Some(WaitStrategyName::Other(value)) => {
            let (field, known) = ("spec.waitStrategy.name", WaitStrategyName::KNOWN);
            Err(SpecError::unknown(field, value, known))
        }
    }
}

fn crds(policy: &CrdsPolicy) -> Result<CrdPolicy, SpecError> {
    match policy {
        CrdsPolicy::Skip => Ok(CrdPolicy::Skip),
        CrdsPolicy::Create => Ok(CrdPolicy::Create),
        CrdsPolicy::CreateReplace => Ok(CrdPolicy::CreateReplace),
        CrdsPolicy::Other(value) => Err(SpecError::unknown("crds", value, CrdsPolicy::KNOWN)),
    }
}

fn server_side(mode: Option<&ServerSideApplyMode>) -> Result<ServerSide, SpecError> {
    match mode {
        None | Some(ServerSideApplyMode::Auto) => Ok(ServerSide::Auto),
        Some(ServerSideApplyMode::Enabled) => Ok(ServerSide::Enabled),
        Some(ServerSideApplyMode::Disabled) => Ok(ServerSide::Disabled),
        Some(ServerSideApplyMode::Other(value)) => {
            let known = ServerSideApplyMode::KNOWN;
            Err(SpecError::unknown("serverSideApply", value, known))
        }
    }
}

/// Returns how an install goes.
pub(super) fn install(spec: &HelmReleaseSpec) -> Result<Install, SpecError> {
    let install = spec.install();
    let timeout = timeout(spec, Action::Install)?;
    Ok(Install {
        options: options(
            (timeout, readiness(spec)?),
            install.disable_hooks,
            install.disable_wait,
            install.disable_wait_for_jobs,
        ),
        crds: crds(&install.crds())?,
        // Only a namespace that the object names; its own is there (internal/action/install.go).
        create_namespace: install.create_namespace && spec.target_namespace.is_some(),
        replace: install.replace,
        take_ownership: !install.disable_take_ownership,
        method: match install.server_side_apply {
            Some(false) => ApplyMethod::ClientSide,
            _ => ApplyMethod::ServerSide,
        },
    })
}

/// Returns how an upgrade goes.
pub(super) fn upgrade(spec: &HelmReleaseSpec) -> Result<Upgrade, SpecError> {
    let upgrade = spec.upgrade();
    let timeout = timeout(spec, Action::Upgrade)?;
    Ok(Upgrade {
        options: options(
            (timeout, readiness(spec)?),
            upgrade.disable_hooks,
            upgrade.disable_wait,
            upgrade.disable_wait_for_jobs,
        ),
        crds: crds(&upgrade.crds())?,
        take_ownership: !upgrade.disable_take_ownership,
        server_side: server_side(upgrade.server_side_apply.as_ref())?,
        force: upgrade.force,
        cleanup_on_fail: upgrade.cleanup_on_fail,
    })
}

/// Returns how a rollback to `version` goes.
pub(super) fn rollback(spec: &HelmReleaseSpec, version: i64) -> Result<Rollback, SpecError> {
    let rollback = spec.rollback();
    let timeout = timeout(spec, Action::Rollback)?;
    Ok(Rollback {
        options: options(
            (timeout, readiness(spec)?),
            rollback.disable_hooks,
            rollback.disable_wait,
            rollback.disable_wait_for_jobs,
        ),
        version,
        server_side: server_side(rollback.server_side_apply.as_ref())?,
        force: rollback.force,
        cleanup_on_fail: rollback.cleanup_on_fail,
    })
}

/// Returns how an uninstall goes.
pub(super) fn uninstall(spec: &HelmReleaseSpec) -> Result<Uninstall, SpecError> {
    let uninstall = spec.uninstall();
    let timeout = timeout(spec, Action::UninstallRemediation)?;
    let field = "spec.uninstall.deletionPropagation";
    Ok(Uninstall {
        options: options(
            (timeout, readiness(spec)?),
            uninstall.disable_hooks,
            uninstall.disable_wait,
            false,
        ),
        propagation: match uninstall.deletion_propagation() {
            "background" => Propagation::Background,
            "foreground" => Propagation::Foreground,
            "orphan" => Propagation::Orphan,
            other => {
                let known = &["background", "foreground", "orphan"];
                return Err(SpecError::unknown(field, other, known));
            }
        },
        keep_history: uninstall.keep_history,
    })
}

/// Returns how a test goes.
pub(super) fn test(spec: &HelmReleaseSpec) -> Result<Test, SpecError> {
    let test = spec.test();
    let filters = test.filters.iter();
    Ok(Test {
        timeout: timeout(spec, Action::Test)?,
        filters: filters
            .map(|filter| TestFilter {
                name: filter.name.clone(),
                exclude: filter.exclude,
            })
            .collect(),
    })
}
