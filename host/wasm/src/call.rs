//! The calls of a plugin: a fresh store and instance each, the answer checked and translated.

use std::sync::Arc;

use bulkhead_api::Digest;
use wasmtime::Store;

use crate::bindings::notifier::exports::bulkhead::notifier::notify;
use crate::bindings::renderer::bulkhead::renderer::types as wit;
use crate::bindings::renderer::exports::bulkhead::renderer::render;
use crate::bindings::transformer::exports::bulkhead::renderer::transform;
use crate::conceal::Concealed;
use crate::error::{NotifyError, Refusal, RenderError, RunError};
use crate::host::log::{Lines, clean};
use crate::host::{Given, State, tree::Handle};
use crate::limits::{Limit, LimitHit, Limits, Usage};
use crate::manifest::FileRules;
use crate::names::{PluginId, PluginKind};
use crate::plugin::{Inner, Linked, Plugin};
use crate::request::{
    Diagnostic, Outcome, RenderRequest, Rendered, ResumeRequest, Severity, StartRequest,
    TransformRequest,
};
use crate::runtime::{Calling, Report};

impl Plugin {
    /// Renders: files in, documents out.
    ///
    /// # Guarantees
    /// Nothing is kept between calls. Same request and same answers of the tree, same output.
    ///
    /// # Errors
    /// [`RenderError::Refused`] is the plugin's own answer, all else is [`RunError`].
    pub async fn render(&self, request: RenderRequest) -> Result<Rendered, RenderError> {
        self.render_logged(request, None).await
    }

    /// Renders, with a copy of what the guest writes in `lines`.
    pub(crate) async fn render_logged(
        &self,
        request: RenderRequest,
        lines: Option<Arc<dyn Lines>>,
    ) -> Result<Rendered, RenderError> {
        let Linked::Renderer(pre) = &self.inner.linked else {
            return Err(self.wrong_kind(PluginKind::Renderer).into_render(self.id()));
        };
        let pre = pre.clone();
        let limits = request.limits.clone();
        let key = request.key(self);
        let concealed = Concealed::of(&request);
        let mut given = self.given(&limits, request.wall_clock, key);
        given.tree = Some(request.tree);
        given.lookup = request.lookup;
        given.files = request.files;
        given.lines = lines;
        let wit_request = Arc::new(render::Request {
            path: request.path,
            config: request.config,
            inputs: request.inputs,
            target: request.target,
            attributes: request.attributes,
        });
        let guests = self.inner.guests.clone();
        let answer = self.inner.call(given, move |store| {
            let (pre, wit_request) = (pre.clone(), Arc::clone(&wit_request));
            let guests = guests.clone();
            Box::pin(async move {
                let guest = pre.instantiate_async(&mut *store).await?;
                guests.end_phase();
                let tree = store.data_mut().push(Handle::default())?;
                let answer = guest
                    .bulkhead_renderer_render()
                    .call_render(&mut *store, tree, &wit_request)
                    .await;
                guests.end_phase();
                answer
            })
        });
        let answer = answer.await;
        self.inner.guests.end_phase();
        concealed.rendered(self.rendered(answer, &limits))
    }

    /// Transforms: documents in, documents out.
    ///
    /// # Errors
    /// As [`render`](Self::render).
    pub async fn transform(&self, request: TransformRequest) -> Result<Rendered, RenderError> {
        let Linked::Transformer(pre) = &self.inner.linked else {
            return Err(self
                .wrong_kind(PluginKind::Transformer)
                .into_render(self.id()));
        };
        let pre = pre.clone();
        let limits = request.limits.clone();
        let given = self.given(&limits, request.wall_clock, request.key(self));
        let wit_request = Arc::new(transform::Request {
            documents: request.documents,
            config: request.config,
            target: request.target,
            attributes: request.attributes,
        });
        let answer = self.inner.call(given, move |store| {
            let (pre, wit_request) = (pre.clone(), Arc::clone(&wit_request));
            Box::pin(async move {
                let guest = pre.instantiate_async(&mut *store).await?;
                let transform = guest.bulkhead_renderer_transform();
                transform.call_transform(&mut *store, &wit_request).await
            })
        });
        self.rendered(answer.await, &limits)
    }

    /// Begins to deliver events.
    ///
    /// # Errors
    /// See [`NotifyError`].
    pub async fn start(&self, request: StartRequest) -> Result<Outcome, NotifyError> {
        let Linked::Notifier(pre) = &self.inner.linked else {
            return Err(self.wrong_kind(PluginKind::Notifier).into_notify(self.id()));
        };
        let pre = pre.clone();
        let given = self.given(&request.limits, request.wall_clock, request.key(self));
        let StartRequest {
            events,
            config,
            state,
            ..
        } = request;
        let arguments = Arc::new((events, config, state));
        let answer = self.inner.call(given, move |store| {
            let (pre, arguments) = (pre.clone(), Arc::clone(&arguments));
            Box::pin(async move {
                let (events, config, state) = &*arguments;
                let guest = pre.instantiate_async(&mut *store).await?;
                let notify = guest.bulkhead_notifier_notify();
                notify.call_start(&mut *store, events, config, state).await
            })
        });
        self.outcome(answer.await)
    }

    /// Goes on after the requests of the last step were answered.
    ///
    /// # Errors
    /// See [`NotifyError`].
    pub async fn resume(&self, request: ResumeRequest) -> Result<Outcome, NotifyError> {
        let Linked::Notifier(pre) = &self.inner.linked else {
            return Err(self.wrong_kind(PluginKind::Notifier).into_notify(self.id()));
        };
        let pre = pre.clone();
        let given = self.given(&request.limits, request.wall_clock, request.key(self));
        let ResumeRequest {
            responses,
            config,
            state,
            ..
        } = request;
        let arguments = Arc::new((responses, config, state));
        let answer = self.inner.call(given, move |store| {
            let (pre, arguments) = (pre.clone(), Arc::clone(&arguments));
            Box::pin(async move {
                let (responses, config, state) = &*arguments;
                let guest = pre.instantiate_async(&mut *store).await?;
                let notify = guest.bulkhead_notifier_notify();
                notify
                    .call_resume(&mut *store, responses, config, state)
                    .await
            })
        });
        self.outcome(answer.await)
    }

    fn wrong_kind(&self, wanted: PluginKind) -> RunError {
        RunError::WrongKind {
            kind: self.kind(),
            wanted,
        }
    }

    fn given(&self, limits: &Limits, wall_clock: u64, seed: Digest) -> Given {
        Given {
            plugin: self.id().to_string(),
            limits: limits.clone(),
            tree: None,
            lookup: None,
            files: FileRules::default(),
            lines: None,
            wall_clock,
            seed,
        }
    }

    fn rendered(
        &self,
        answer: Result<(Result<wit::Output, wit::Error>, Report), RunError>,
        limits: &Limits,
    ) -> Result<Rendered, RenderError> {
        let failed = |error: RunError| error.into_render(self.id());
        let (answer, report) = answer.map_err(failed)?;
        let Report {
            read_set,
            usage,
            limit,
            transient,
        } = report;
        match answer {
            Ok(output) => {
                let output_bytes =
                    check(&output, limits).map_err(|hit| failed(RunError::OutputTooLarge(hit)))?;
                let wit::Output {
                    documents,
                    diagnostics,
                    attributes,
                } = output;
                let usage = Usage {
                    output_bytes,
                    ..usage
                };
                Ok(Rendered {
                    documents,
                    diagnostics,
                    attributes,
                    read_set,
                    usage,
                    transient,
                })
            }
            Err(error) => {
                let diagnostics = cleaned(diagnostics(error));
                let refusal = Refusal {
                    diagnostics,
                    limit,
                    read_set,
                    usage,
                    transient,
                };
                Err(RenderError::Refused(Box::new(refusal)))
            }
        }
    }

    fn outcome(
        &self,
        answer: Result<(Result<Outcome, notify::Error>, Report), RunError>,
    ) -> Result<Outcome, NotifyError> {
        let plugin = self.id().clone();
        match answer {
            Ok((Ok(Outcome::Failed(message)), _)) => Ok(Outcome::Failed(clean(&message))),
            Ok((Ok(outcome), _)) => Ok(outcome),
            Ok((Err(notify::Error::InvalidConfig(message)), _)) => {
                Err(NotifyError::InvalidConfig {
                    plugin,
                    message: clean(&message),
                })
            }
            Ok((Err(notify::Error::Other(message)), _)) => Err(NotifyError::Refused {
                plugin,
                message: clean(&message),
            }),
            Err(error) => Err(error.into_notify(&plugin)),
        }
    }
}

impl Inner {
    /// Calls the guest; `call` may have to begin again.
    async fn call<T, F>(&self, given: Given, call: F) -> Result<(T, Report), RunError>
    where
        T: Send + 'static,
        F: for<'a> Fn(&'a mut Store<State>) -> Calling<'a, T> + Send + Sync + 'static,
    {
        let identity = (self.id.clone(), self.digest);
        self.guests.call(identity, &self.share, given, call).await
    }
}

impl RunError {
    fn into_render(self, plugin: &PluginId) -> RenderError {
        RenderError::Failed {
            plugin: plugin.clone(),
            error: self,
        }
    }

    fn into_notify(self, plugin: &PluginId) -> NotifyError {
        NotifyError::Failed {
            plugin: plugin.clone(),
            error: self,
        }
    }
}

/// Fails when there are too many documents, or one is too large; returns the sum of their sizes.
fn check(output: &wit::Output, limits: &Limits) -> Result<u64, LimitHit> {
    LimitHit::check(
        Limit::Documents,
        output.documents.len() as u64,
        limits.documents,
    )?;
    let mut sum = 0;
    for document in &output.documents {
        let bytes = document.text.len() as u64;
        LimitHit::check(Limit::DocumentBytes, bytes, limits.document_bytes)?;
        sum += bytes;
    }
    Ok(sum)
}

/// Most diagnostics of an answer; the rest is dropped.
const DIAGNOSTICS: usize = 1000;

/// Takes control characters out of what a person will read, and bounds it.
fn cleaned(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    diagnostics.truncate(DIAGNOSTICS);
    for diagnostic in &mut diagnostics {
        let Diagnostic {
            severity: _,
            code,
            message,
            at,
            object,
            help,
        } = diagnostic;
        let mut texts = vec![code, message];
        texts.extend(help);
        texts.extend(at.as_mut().map(|at| &mut at.path));
        if let Some(object) = object {
            texts.extend([&mut object.api_version, &mut object.kind, &mut object.name]);
            texts.extend(&mut object.namespace);
        }
        for text in texts {
            *text = clean(text);
        }
    }
    diagnostics
}

/// Turns a refusal into diagnostics, at least one.
fn diagnostics(error: wit::Error) -> Vec<Diagnostic> {
    let one = |code: &str, message: String| {
        vec![Diagnostic {
            severity: Severity::Error,
            code: code.to_owned(),
            message,
            at: None,
            object: None,
            help: None,
        }]
    };
    match error {
        wit::Error::Invalid(diagnostics) if !diagnostics.is_empty() => diagnostics,
        wit::Error::Invalid(_) => one("Invalid", "the input is invalid".to_owned()),
        wit::Error::Unsupported(message) => one("Unsupported", message),
        wit::Error::Failed(message) => one("Failed", message),
        wit::Error::Other(message) => one("Other", message),
    }
}
