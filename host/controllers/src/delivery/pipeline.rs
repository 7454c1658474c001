//! One run of the plugins: the renderer, variables, transformers, the namespace, the digests.

use std::sync::Arc;

use bulkhead_api::Digest;
use bulkhead_wasm::{Diagnostic, Document, ReadSet, RenderRequest, Rendered, TransformRequest};

use super::error::DeliveryError;
use super::finish::{Finished, finish, to_documents};
use super::provenance::{self, Parameters, Step};
use super::remote::Fetches;
use super::renderer::{Renderer, Rendering, Tail, Transformed};
use super::substitute::Substitution;
use super::{Delivered, Request, Stage};
use crate::catalogue::Scope;

/// What the renderer gave, now or the last time.
struct Head {
    documents: Arc<Vec<Document>>,
    diagnostics: Vec<Diagnostic>,
    read_set: Arc<ReadSet>,
    fetches: Fetches,
    read_digest: Digest,
    is_cacheable: bool,
}

impl Renderer {
    /// Runs what has to run. `last` holds as far as the renderer goes. Returns nothing to keep where
    /// a result depends on more than can be told.
    pub(super) async fn run(
        &self,
        request: &Request,
        call: RenderRequest,
        fetches: Fetches,
        last: Option<Arc<Rendering>>,
    ) -> Result<(Delivered, Option<Rendering>), DeliveryError> {
        let key = call.key(&request.renderer.plugin.plugin);
        let path = call.path.clone();
        let head = self.head(request, call, fetches, last.as_deref()).await?;
        let finished = finish(&head.documents, &request.substitution)?;
        let known = last.as_ref().map_or(&[][..], |last| &last.transformed);
        let (finished, transformed) = self.transform(request, finished, known).await?;
        let transformers = transformed.iter().flat_map(|one| &one.diagnostics);
        let diagnostics = head
            .diagnostics
            .iter()
            .chain(transformers)
            .cloned()
            .collect();
        let render = self.facts(request, &path, head.read_digest, finished.digest);
        let delivered = delivered(request, finished, render, diagnostics);
        if !head.is_cacheable {
            return Ok((delivered, None));
        }
        let keeps = !request.transformers.is_empty();
        let rendering = Rendering {
            key,
            read_set: head.read_set,
            fetches: head.fetches,
            read_digest: head.read_digest,
            documents: keeps.then_some(head.documents),
            diagnostics: head.diagnostics,
            transformed,
            tail: Tail::of(request),
            delivered: delivered.clone(),
        };
        Ok((delivered, Some(rendering)))
    }

    /// Returns what the renderer gives; from the last time where that was kept.
    async fn head(
        &self,
        request: &Request,
        call: RenderRequest,
        fetches: Fetches,
        last: Option<&Rendering>,
    ) -> Result<Head, DeliveryError> {
        let stage = &request.renderer;
        if let Some(last) = last
            && let Some(documents) = &last.documents
        {
            self.count(stage, "cached");
            return Ok(Head {
                documents: documents.clone(),
                diagnostics: last.diagnostics.clone(),
                read_set: last.read_set.clone(),
                fetches,
                read_digest: last.read_digest,
                is_cacheable: true,
            });
        }
        let rendered = self.render(request, call, fetches).await;
        self.count(stage, word(&rendered));
        let (rendered, fetches) = rendered?;
        let is_cacheable = rendered.is_cacheable();
        let read_set = Arc::new(rendered.read_set);
        let tree = fetches.over(request.source.tree.clone());
        let read_digest = provenance::digest_read_set(&read_set, tree.as_ref());
        Ok(Head {
            documents: Arc::new(rendered.documents),
            diagnostics: rendered.diagnostics,
            read_set,
            fetches,
            read_digest,
            is_cacheable,
        })
    }

    /// Runs the renderer; a failure is written down.
    async fn render(
        &self,
        request: &Request,
        call: RenderRequest,
        fetches: Fetches,
    ) -> Result<(Rendered, Fetches), DeliveryError> {
        let stage = &request.renderer;
        let again = self.transcripts.as_ref().map(|kept| (kept, call.clone()));
        // A plugin of others that could name what is fetched could tell the world what it reads.
        let remotes = self.remotes.as_ref();
        let remotes = remotes.filter(|_| stage.plugin.scope == Scope::BuiltIn);
        let plugin = &stage.plugin.plugin;
        let rendered = match remotes {
            Some(remotes) => remotes
                .render(plugin, call, fetches)
                .await
                .map_err(DeliveryError::from),
            None => plugin
                .render(call)
                .await
                .map(|rendered| (rendered, fetches))
                .map_err(|error| DeliveryError::Render(error.into())),
        };
        match (rendered, again) {
            (Err(DeliveryError::Render(failure)), Some((kept, call))) => {
                let failure = kept.write(request, call, *failure.error).await;
                Err(DeliveryError::Render(failure))
            }
            (rendered, _) => rendered,
        }
    }

    /// Runs the transformers, one after another; `known` are the results of the last time.
    async fn transform(
        &self,
        request: &Request,
        mut finished: Finished,
        known: &[Transformed],
    ) -> Result<(Finished, Vec<Transformed>), DeliveryError> {
        let mut all = Vec::with_capacity(request.transformers.len());
        for stage in &request.transformers {
            let call = TransformRequest {
                config: stage.config.clone(),
                target: self.target(request),
                limits: stage.plugin.limits.clone(),
                wall_clock: request.source.revision_time,
                ..TransformRequest::new(to_documents(&finished.objects))
            };
            let done = self.step(request, stage, call, known).await?;
            finished = finish(&done.documents, &Substitution::none()).map_err(|error| {
                let name = stage.plugin.name.clone();
                match error {
                    DeliveryError::Parse(source) => DeliveryError::ParseTransformed {
                        name,
                        source: Box::new(source),
                    },
                    other => other,
                }
            })?;
            all.push(done);
        }
        Ok((finished, all))
    }

    async fn step(
        &self,
        request: &Request,
        stage: &Stage,
        call: TransformRequest,
        known: &[Transformed],
    ) -> Result<Transformed, DeliveryError> {
        let key = call.key(&stage.plugin.plugin);
        let (tree, time) = (request.source.tree.as_ref(), request.source.revision_time);
        let holds = |one: &&Transformed| one.key == key && one.read_set.still_holds_at(tree, time);
        if let Some(known) = known.iter().find(holds) {
            self.count(stage, "cached");
            return Ok(known.clone());
        }
        let rendered = stage.plugin.plugin.transform(call).await;
        self.count(stage, word(&rendered));
        let rendered = rendered.map_err(|source| DeliveryError::Transform {
            name: stage.plugin.name.clone(),
            source: Box::new(source),
        })?;
        Ok(Transformed {
            key,
            read_set: rendered.read_set,
            documents: Arc::new(rendered.documents),
            diagnostics: rendered.diagnostics,
        })
    }

    fn facts(
        &self,
        request: &Request,
        path: &str,
        read_set: Digest,
        output: Digest,
    ) -> bulkhead_api::delivery::Render {
        let stages = std::iter::once(&request.renderer).chain(&request.transformers);
        let steps: Vec<Step<'_>> = stages
            .map(|stage| Step {
                name: &stage.plugin.name,
                component: stage.plugin.plugin.digest(),
                config: &stage.config,
            })
            .collect();
        let parameters = Parameters {
            path,
            inputs: &request.inputs,
            target: &self.target(request),
            host: by_host(request),
        };
        provenance::render(&steps, &parameters, read_set, output)
    }
}

fn word<T, E>(result: &Result<T, E>) -> &'static str {
    match result {
        Ok(_) => "run",
        Err(_) => "failed",
    }
}

/// Puts the objects into their namespace.
fn delivered(
    request: &Request,
    finished: Finished,
    render: bulkhead_api::delivery::Render,
    diagnostics: Vec<Diagnostic>,
) -> Delivered {
    let Finished {
        mut objects,
        mut digest,
    } = finished;
    if let Some(namespace) = &request.target_namespace {
        for object in &mut objects {
            object.set_namespace(namespace);
        }
        digest = Digest::of_parts([digest.as_bytes().as_slice(), namespace.as_bytes()]);
    }
    Delivered {
        objects: Arc::new(objects),
        digest,
        render: Arc::new(render),
        diagnostics: Arc::new(diagnostics),
        reused: false,
    }
}

/// Digests what the host does to the objects, beside the plugins.
fn by_host(request: &Request) -> Option<Digest> {
    let substitution = &request.substitution;
    let mut parts: Vec<&[u8]> = Vec::new();
    if substitution.is_active() {
        let strict = if substitution.strict { "strict" } else { "" };
        parts.extend([b"variables".as_slice(), strict.as_bytes()]);
        let variables = substitution.variables.iter();
        parts.extend(variables.flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]));
    }
    if let Some(namespace) = &request.target_namespace {
        parts.extend([b"namespace".as_slice(), namespace.as_bytes()]);
    }
    (!parts.is_empty()).then(|| Digest::of_parts(parts))
}
