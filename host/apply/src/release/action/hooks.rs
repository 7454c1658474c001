//! Runs the hooks of an event: by weight, each to its end, each recorded before it begins.
//!
//! Guarantees: the record says which hook is running before the API server hears of it. A hook of an
//! earlier run is deleted, and gone, before it is made again, unless its policies say otherwise.
//!
//! # Source
//! `pkg/action/hooks.go` of Helm 4.3.

use super::{ActionError, Helm, Propagation, Run, now};
use crate::release::model::{Hook, HookRun, Phase, Release};
use crate::release::objects::{Placed, Unknown};
use crate::release::send::{Earlier, Way};
use crate::release::time::Time;
use crate::release::update::Removal;
use crate::release::wait::Judge;
use bulkhead_api::chain;
use std::time::Duration;

const BEFORE_CREATION: &str = "before-hook-creation";
const SUCCEEDED: &str = "hook-succeeded";
const FAILED: &str = "hook-failed";

impl Run<'_> {
    /// Runs the hooks of an event that `select` lets through.
    pub(super) async fn hooks(
        &mut self,
        release: &mut Release,
        event: &'static str,
        timeout: Duration,
        select: impl Fn(&Hook) -> bool,
    ) -> Result<(), ActionError> {
        let hooks = release.hooks.iter().enumerate();
        let chosen = hooks.filter(|(_, hook)| hook.is_for(event) && select(hook));
        let mut chosen: Vec<usize> = chosen.map(|(index, _)| index).collect();
        chosen.sort_by(|one, other| {
            let (one, other) = (&release.hooks[*one], &release.hooks[*other]);
            (one.weight, &one.name).cmp(&(other.weight, &other.name))
        });
        let failed = |told: String| ActionError::Hooks { event, told };
        for (position, index) in chosen.iter().enumerate() {
            let Err(error) = self.hook(release, *index, event, timeout).await else {
                continue;
            };
            let (helm, namespace) = (self.helm, &release.namespace);
            // There is an error to report already.
            let _ = helm
                .sweep(&release.hooks[*index], namespace, FAILED, timeout)
                .await;
            for index in &chosen[..position] {
                let _ = helm
                    .sweep(&release.hooks[*index], namespace, SUCCEEDED, timeout)
                    .await;
            }
            return Err(failed(error));
        }
        for index in chosen.iter().rev() {
            let hook = &release.hooks[*index];
            let swept = self
                .helm
                .sweep(hook, &release.namespace, SUCCEEDED, timeout)
                .await;
            swept.map_err(failed)?;
        }
        Ok(())
    }

    /// Runs one hook to its end.
    async fn hook(
        &mut self,
        release: &mut Release,
        index: usize,
        event: &str,
        timeout: Duration,
    ) -> Result<(), String> {
        let helm = self.helm;
        let hook = &mut release.hooks[index];
        if hook.delete_policies.is_empty() {
            hook.delete_policies.push(BEFORE_CREATION.to_owned());
        }
        let (path, namespace) = (hook.path.clone(), release.namespace.clone());
        helm.sweep(&release.hooks[index], &namespace, BEFORE_CREATION, timeout)
            .await?;
        let objects = helm.hook_objects(&release.hooks[index], &namespace).await;
        let objects = objects.map_err(|told| {
            format!("unable to build kubernetes object for {event} hook {path}: {told}")
        })?;
        release.hooks[index].last_run = HookRun {
            started_at: now(),
            completed_at: Time::default(),
            phase: Phase::RUNNING.to_owned(),
        };
        self.update(release).await.map_err(|error| chain(&error))?;
        let none = Earlier::default();
        // Upstream's client only creates hooks: one that an earlier run has left, and that no policy
        // deletes, would fail there. Here both ways take it over.
        let way = match release.is_server_side() {
            true => Way::Yield,
            false => Way::Merge(&none),
        };
        let applied = helm.apply(&objects, way, Judge::Hook).await;
        let result = if applied.errors.is_empty() {
            let waited = helm
                .wait(&applied.pending, Judge::Hook, false, timeout, None)
                .await;
            waited.map_err(|error| error.to_string())
        } else {
            let errors: Vec<String> = applied.errors.iter().map(ToString::to_string).collect();
            Err(format!(
                "warning: Hook {event} {path} failed: {}",
                errors.join("; ")
            ))
        };
        let run = &mut release.hooks[index].last_run;
        run.completed_at = now();
        let phase = if result.is_ok() {
            Phase::SUCCEEDED
        } else {
            Phase::FAILED
        };
        phase.clone_into(&mut run.phase);
        result
    }
}

impl Helm {
    async fn hook_objects(&self, hook: &Hook, namespace: &str) -> Result<Vec<Placed>, String> {
        let objects = self
            .objects(&hook.manifest, namespace, Unknown::Refuse)
            .await;
        objects.map_err(|error| chain(&error))
    }

    /// Deletes what a broken action has left of hooks that it would have deleted in the end.
    pub(super) async fn sweep_broken(
        &self,
        release: &Release,
        timeout: Duration,
    ) -> Result<(), ActionError> {
        let began = release.info.last_deployed.timestamp();
        let hooks = release.hooks.iter();
        // Those of an earlier version, which a rollback takes over, ran before it began.
        for hook in hooks.filter(|hook| hook.last_run.started_at.timestamp() >= began) {
            let mut policies = [SUCCEEDED, FAILED].into_iter();
            if let Some(policy) = policies.find(|policy| hook.is_deleted(policy)) {
                let swept = self.sweep(hook, &release.namespace, policy, timeout).await;
                swept.map_err(|told| ActionError::Hooks {
                    event: "unlock",
                    told,
                })?;
            }
        }
        Ok(())
    }

    /// Deletes a hook's objects where its policies say so, and waits until they are gone.
    async fn sweep(
        &self,
        hook: &Hook,
        namespace: &str,
        policy: &str,
        timeout: Duration,
    ) -> Result<(), String> {
        // Never definitions: all of their objects would go with them.
        if hook.kind == "CustomResourceDefinition" || !hook.is_deleted(policy) {
            return Ok(());
        }
        let objects = self.objects(&hook.manifest, namespace, Unknown::Drop).await;
        let objects = objects.map_err(|error| {
            let told = chain(&error);
            format!(
                "unable to build kubernetes object for deleting hook {}: {told}",
                hook.path
            )
        })?;
        let mut going = Vec::new();
        for placed in &objects {
            let deleted = self.delete(placed, None, Propagation::Background).await;
            if deleted.map_err(|error| error.to_string())? == Removal::Going {
                going.push(placed);
            }
        }
        let left = self.wait_until_gone(&going, timeout).await;
        match left.first() {
            None => Ok(()),
            Some(id) => Err(format!(
                "timed out waiting for {} to be deleted",
                id.subject()
            )),
        }
    }
}
