//! Does what was decided about a plugin: resolves, verifies, pulls, inspects, compiles, and lets it
//! run if it asks for no more than what was approved.
//!
//! What ran before runs on, whatever step fails: with one exception. When the policy was changed and
//! the image that runs is known to fall under it, it is taken out.

use std::sync::Arc;
use std::time::Duration;

use bulkhead_api::Digest;
use bulkhead_source::oci::{Reference, Registry, Resolved};
use bytes::Bytes;
use tokio::time::Instant;

use super::approve::{self, Asked, Verdict as Approval};
use super::decide::Decision;
use super::error::PluginError;
use super::grants::{self, Allowed};
use super::load::Observed;
use super::make::{make, with_vault};
use super::memory::{Memory, Running, Verdict};
use super::object::PluginObject;
use super::request::{Request, only_warns};
use super::trust::{self, Signature};
use super::vault::{Owner, Record};
use crate::catalogue::{Entry, Installed};
use crate::context::Context;
use crate::queue::Key;

/// What was done.
#[derive(Debug)]
pub(super) enum Done {
    /// The object may go.
    Finalized,
    /// Nothing, as it is suspended.
    Suspended,
    /// The image that runs is the one that the registry has.
    Unchanged,
    /// Another image runs than before, or the first.
    Installed(Approval),
    /// What ran before runs on, and the registry has one that asks for more.
    Waits(Arc<PluginError>),
}

/// How it ended.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) result: Result<Done, Arc<PluginError>>,
    /// What ran before.
    pub(super) before: Option<Arc<Running>>,
    /// What runs now, and what it may do.
    pub(super) running: Option<(Arc<Running>, Allowed)>,
    /// What is known of the signature of what the registry has.
    pub(super) signature: Option<Signature>,
    /// Whether signatures are asked for.
    pub(super) verifies: bool,
    pub(super) took: Duration,
}

/// Does it.
pub(super) async fn run<P: PluginObject>(
    object: &Arc<P>,
    key: &Key,
    decision: Decision,
    seen: Observed,
    context: &Arc<Context>,
) -> Outcome {
    let started = Instant::now();
    let before = seen.memory.running.clone();
    let owner = P::owner(key);
    let mut ended = Ended {
        memory: seen.memory,
        signature: None,
    };
    // What is granted counts for what runs, whatever becomes of the newest image.
    if let Ok(granted) = grants::granted(object.spec(), P::GRANTS_PRIVATE_NETWORKS) {
        ended.memory.granted = Some(granted);
    }
    let result = match decision {
        Decision::Finalize => finalize(&owner, context).await,
        Decision::Suspend => Ok(Done::Suspended),
        Decision::Refuse(error) => Err(Arc::new(error.into())),
        Decision::Install(request) => {
            let install = Install {
                object,
                owner: &owner,
                request: &request,
                context,
            };
            install.run(&mut ended).await
        }
    };
    if !matches!(result, Ok(Done::Finalized)) {
        context.plugins.memories.put(&owner, ended.memory.clone());
    }
    let granted = ended.memory.granted.unwrap_or_default();
    let running = ended.memory.running.map(|running| {
        let kind = running.plugin.kind();
        let allowed = grants::allowed(running.manifest.as_ref(), kind, &granted);
        (running, allowed)
    });
    Outcome {
        result,
        before,
        running,
        signature: ended.signature,
        verifies: object.spec().verify.is_some(),
        took: started.elapsed(),
    }
}

/// What is known when an installation ends, well or not.
struct Ended {
    memory: Memory,
    signature: Option<Signature>,
}

async fn finalize(owner: &Owner, context: &Arc<Context>) -> Result<Done, Arc<PluginError>> {
    context.catalogue.remove(&owner.scope, &owner.name);
    context.plugins.memories.remove(owner);
    let name = owner.clone();
    let forgotten = with_vault(context, move |vault| vault.forget(&name)).await;
    forgotten.map_err(Arc::new)?;
    Ok(Done::Finalized)
}

/// Makes what runs known to its users; or, while nothing does, why.
pub(super) fn publish<P: PluginObject>(
    key: &Key,
    outcome: &Outcome,
    (reason, message): (&str, &str),
    context: &Context,
) {
    let scope = P::scope(key);
    let entry = match &outcome.running {
        Some((running, allowed)) => Entry::Ready(Arc::new(Installed {
            name: key.name.to_string(),
            scope: scope.clone(),
            plugin: running.plugin.clone(),
            manifest: running.manifest.clone(),
            image: Some(running.record.image.clone()),
            permissions: allowed.permissions.clone(),
            limits: allowed.limits.clone(),
        })),
        None => Entry::NotReady {
            reason: reason.to_owned(),
            message: message.to_owned(),
        },
    };
    context.catalogue.put(&scope, &key.name, entry);
}

struct Install<'a, P> {
    object: &'a Arc<P>,
    owner: &'a Owner,
    request: &'a Request,
    context: &'a Arc<Context>,
}

/// A component whose bytes are verified, and that is compiled.
struct Candidate {
    running: Running,
    wasm: Bytes,
}

impl<P: PluginObject> Install<'_, P> {
    async fn run(&self, ended: &mut Ended) -> Result<Done, Arc<PluginError>> {
        self.meter(&mut ended.memory).await;
        let fetch = |error| Arc::new(PluginError::Fetch(error));
        let registry = Registry::new(self.request.registry.clone()).map_err(fetch)?;
        let wanted = &self.request.reference;
        let resolved = registry.resolve(wanted).await.map_err(fetch)?;
        let is_same = |running: &Arc<Running>| {
            running.record.digest == resolved.digest
                && self.is_same_place(&running.record)
                && running.plugin.is_metered() == self.request.meters
        };
        if let Some(running) = ended.memory.running.clone().filter(is_same) {
            return self.look_again(&registry, &resolved, running, ended).await;
        }
        if let Some(refused) = self.known_refusal(&ended.memory, resolved.digest) {
            return self.refuse(refused, ended);
        }
        let candidate = match self.candidate(&registry, &resolved, ended).await {
            Ok(candidate) => candidate,
            Err(error) => return self.refuse(self.note(error, resolved.digest, ended), ended),
        };
        if ended.memory.running.is_none() {
            ended.memory.running = self.recover(&registry, resolved.digest).await;
        }
        let approved = self.approved(&ended.memory);
        let asked = &candidate.running.asked;
        let named = self.request.approve;
        match approve::judge(approved.as_ref(), asked, resolved.digest, named) {
            Approval::Waits(asks) => {
                let error = self.needs_approval(resolved.digest, asks);
                self.refuse(self.note(error, resolved.digest, ended), ended)
            }
            approval => {
                ended.memory.running = Some(self.keep(candidate).await?);
                ended.memory.verdict = None;
                Ok(Done::Installed(approval))
            }
        }
    }

    /// Loads what runs anew when fuel is to be counted and was not, or the other way: from the disk,
    /// so that a change of the spec needs no registry. What cannot be had is pulled again.
    async fn meter(&self, memory: &mut Memory) {
        let meters = self.request.meters;
        let other = |running: &&Arc<Running>| running.plugin.is_metered() != meters;
        let Some(running) = memory.running.as_ref().filter(other) else {
            return;
        };
        let name = self.owner.clone();
        let kept = with_vault(self.context, move |vault| vault.get(&name)).await;
        let host = &self.context.plugins.foundation.host;
        let made = match kept {
            Ok(Some((record, wasm))) if record == running.record => {
                make(host, self.owner, meters, (record, &Bytes::from(wasm))).await
            }
            Ok(_) => return,
            Err(error) => Err(error),
        };
        match made {
            Ok(made) => memory.running = Some(Arc::new(made)),
            Err(error) => {
                let error = bulkhead_api::chain(&error);
                tracing::info!(plugin = %self.owner.name, error, "failed to load a plugin anew");
            }
        }
    }

    /// The registry has what runs. Its signature is checked again when the policy is another than
    /// the one that it was checked against, or when it had none and that is only warned of.
    async fn look_again(
        &self,
        registry: &Registry,
        resolved: &Resolved,
        running: Arc<Running>,
        ended: &mut Ended,
    ) -> Result<Done, Arc<PluginError>> {
        ended.memory.verdict = None;
        let policy = self.request.trust.as_ref().map(|trust| trust.fingerprint);
        let record = &running.record;
        if policy == record.policy && (policy.is_none() || record.signer.is_some()) {
            ended.signature = record.signer.clone().map(Signature::Good);
            return Ok(Done::Unchanged);
        }
        let signature = match self.verify(registry, resolved).await {
            Ok(signature) => signature,
            Err(error) => {
                if trust::is_verdict(&error) {
                    ended.memory.running = None;
                    let owner = self.owner.clone();
                    with_vault(self.context, move |vault| vault.forget(&owner)).await?;
                }
                return Err(Arc::new(error));
            }
        };
        let record = Record {
            policy,
            signer: signature.as_ref().and_then(Signature::signer),
            ..record.clone()
        };
        let (owner, written) = (self.owner.clone(), record.clone());
        with_vault(self.context, move |vault| {
            vault.put_record(&owner, &written)
        })
        .await?;
        ended.signature = signature;
        ended.memory.running = Some(Arc::new(Running {
            record,
            plugin: running.plugin.clone(),
            world: running.world.clone(),
            manifest: running.manifest.clone(),
            asked: running.asked.clone(),
        }));
        Ok(Done::Unchanged)
    }

    /// Verifies, pulls, inspects and compiles.
    async fn candidate(
        &self,
        registry: &Registry,
        resolved: &Resolved,
        ended: &mut Ended,
    ) -> Result<Candidate, PluginError> {
        ended.signature = self.verify(registry, resolved).await?;
        let signer = ended.signature.as_ref().and_then(Signature::signer);
        let image = resolved.pinned().to_string();
        let pulled = registry.pull_plugin(resolved);
        let pulled = pulled.await.map_err(PluginError::Fetch)?;
        let record = Record {
            uid: self.object.meta().uid.clone().unwrap_or_default(),
            image,
            digest: resolved.digest,
            component: pulled.wasm_digest,
            policy: self.request.trust.as_ref().map(|trust| trust.fingerprint),
            signer,
        };
        let host = &self.context.plugins.foundation.host;
        let running = make(
            host,
            self.owner,
            self.request.meters,
            (record, &pulled.wasm),
        )
        .await?;
        Ok(Candidate {
            running,
            wasm: pulled.wasm,
        })
    }

    async fn verify(
        &self,
        registry: &Registry,
        resolved: &Resolved,
    ) -> Result<Option<Signature>, PluginError> {
        let Some(trust) = &self.request.trust else {
            return Ok(None);
        };
        match trust.check(registry, resolved).await {
            Ok(signer) => Ok(Some(Signature::Good(signer))),
            Err(source) => {
                let error = PluginError::Verify {
                    image: resolved.pinned().to_string(),
                    source,
                };
                match only_warns(self.object.spec()) {
                    true => Ok(Some(Signature::Bad(Arc::new(error)))),
                    false => Err(error),
                }
            }
        }
    }

    /// After the storage was lost: what was approved is pulled again by its digest, so that it runs
    /// while another waits. What cannot be had is missing, no more.
    async fn recover(&self, registry: &Registry, latest: Digest) -> Option<Arc<Running>> {
        let status = self.object.status();
        let reference = Reference::parse(status.image.as_deref()?).ok()?;
        let digest = reference.digest().filter(|digest| *digest != latest)?;
        if status.approved_digest.as_deref() != Some(&digest.to_string()) {
            return None;
        }
        let recovered = async {
            let resolved = registry.resolve(&reference).await;
            let resolved = resolved.map_err(PluginError::Fetch)?;
            let mut ended = Ended {
                memory: Memory::default(),
                signature: None,
            };
            let candidate = self.candidate(registry, &resolved, &mut ended).await?;
            self.keep(candidate).await.map_err(|error| {
                PluginError::Store(std::io::Error::other(bulkhead_api::chain(&*error)))
            })
        };
        match recovered.await {
            Ok(running) => Some(running),
            Err(error) => {
                let error = bulkhead_api::chain(&error);
                tracing::info!(error, image = %reference, "failed to fetch what was approved");
                None
            }
        }
    }

    /// What was approved: what runs, or what the status says did.
    fn approved(&self, memory: &Memory) -> Option<Asked> {
        if let Some(running) = &memory.running {
            return Some(running.asked.clone());
        }
        let status = self.object.status();
        status.approved_digest.as_ref()?;
        Some(Asked {
            imports: status.imports.clone(),
            requests: grants::from_status(&status.requests.clone().unwrap_or_default()),
        })
    }

    async fn keep(&self, candidate: Candidate) -> Result<Arc<Running>, Arc<PluginError>> {
        let Candidate { running, wasm } = candidate;
        let (owner, record) = (self.owner.clone(), running.record.clone());
        with_vault(self.context, move |vault| {
            vault.keep(&owner, &record, &wasm)
        })
        .await?;
        Ok(Arc::new(running))
    }

    fn is_same_place(&self, record: &Record) -> bool {
        let place = Reference::parse(&record.image);
        place.is_ok_and(|place| place.name() == self.request.reference.name())
    }

    fn known_refusal(&self, memory: &Memory, digest: Digest) -> Option<Arc<PluginError>> {
        let verdict = memory.verdict.as_ref()?;
        let is_known = verdict.digest == digest
            && verdict.generation == self.generation()
            && verdict.policy == self.policy();
        is_known.then(|| verdict.refused.clone())
    }

    /// Remembers what will be refused again.
    fn note(&self, error: PluginError, digest: Digest, ended: &mut Ended) -> Arc<PluginError> {
        let refused = Arc::new(error);
        ended.memory.verdict = refused.is_lasting().then(|| Verdict {
            digest,
            generation: self.generation(),
            policy: self.policy(),
            refused: refused.clone(),
        });
        refused
    }

    /// An image that waits while another runs is no failure.
    fn refuse(&self, error: Arc<PluginError>, ended: &Ended) -> Result<Done, Arc<PluginError>> {
        match &*error {
            PluginError::NeedsApproval { .. } if ended.memory.running.is_some() => {
                Ok(Done::Waits(error))
            }
            _ => Err(error),
        }
    }

    fn needs_approval(&self, digest: Digest, asks: Vec<String>) -> PluginError {
        let meta = self.object.meta();
        let (word, name) = (P::WORD, &self.owner.name);
        let namespace = match &meta.namespace {
            Some(namespace) => format!(" -n {namespace}"),
            None => String::new(),
        };
        PluginError::NeedsApproval {
            digest,
            asks,
            command: format!(
                "kubectl patch {word} {name}{namespace} --type merge -p \
                 '{{\"spec\":{{\"approve\":\"{digest}\"}}}}'"
            ),
        }
    }

    fn generation(&self) -> i64 {
        self.object.meta().generation.unwrap_or_default()
    }

    fn policy(&self) -> Option<Digest> {
        self.request.trust.as_ref().map(|trust| trust.fingerprint)
    }
}
