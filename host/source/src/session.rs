//! One conversation with a Git server: greet, list references, fetch a pack.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;

use gix::ObjectId;
use gix::bstr::BString;
use gix::protocol::fetch::negotiate::{Action, Round, one_round};
use gix::protocol::fetch::{self, Arguments, Negotiate, Response, Shallow, Tags};
use gix::protocol::handshake::Ref;
use gix::protocol::ls_refs::RefPrefixes;
use gix::protocol::transport::client::blocking_io::Transport;
use gix::protocol::transport::{Protocol, Service};
use gix::protocol::{Handshake, LsRefsCommand};

use crate::location::Kind;
use crate::refs::RemoteRef;
use crate::store::{Objects, pack};
use crate::transport::{Meter, http, local, ssh};
use crate::{FetchError, GitRequest};

const AGENT: &str = concat!("git/2.0-bulkhead-", env!("CARGO_PKG_VERSION"));

/// A conversation, or a repository of this machine.
pub(crate) struct Session<'a> {
    request: &'a GitRequest,
    meter: Rc<Meter>,
    peer: Peer,
}

enum Peer {
    Local(Box<gix::Repository>),
    Remote {
        transport: Box<dyn Transport>,
        greeting: Box<Handshake>,
        listed: Option<Vec<RemoteRef>>,
    },
}

/// What to fetch, and what is there to build on.
pub(crate) struct Order<'a> {
    /// Commits or tag objects.
    pub(crate) wants: &'a [ObjectId],
    /// Commits that are complete in the store.
    pub(crate) haves: &'a [ObjectId],
    /// Where the boundary of what is there is noted.
    pub(crate) shallow_file: PathBuf,
    /// Whether history is fetched too, for servers that give no single commit.
    pub(crate) with_history: bool,
}

impl<'a> Session<'a> {
    /// Connects and greets.
    pub(crate) fn open(request: &'a GitRequest, meter: Rc<Meter>) -> Result<Self, FetchError> {
        meter.allow("answer_bytes", request.limits.answer_bytes);
        let transport: Box<dyn Transport> = match request.location.kind() {
            Kind::File(path) => {
                let peer = Peer::Local(Box::new(local::open(request, path)?));
                return Ok(Self {
                    request,
                    meter,
                    peer,
                });
            }
            Kind::Http(url) => Box::new(http::connect(request, url, meter.clone())?),
            Kind::Ssh { host, port, path } => {
                Box::new(ssh::connect(request, (host, *port, path), meter.clone())?)
            }
        };
        let mut transport = transport;
        let no_login = |_| Ok(None);
        let greeting = gix::protocol::handshake(
            &mut transport,
            Service::UploadPack,
            no_login,
            Vec::new(),
            &mut gix::progress::Discard,
        )
        .map_err(|error| meter.take(format!("{error:#}")))?;
        let format = greeting.capabilities.capability("object-format");
        if format
            .and_then(|format| format.value().map(|value| value == "sha256"))
            .unwrap_or(false)
        {
            return Err(FetchError::protocol(
                &request.location,
                "repositories with SHA-256 are not supported",
            ));
        }
        let peer = Peer::Remote {
            transport,
            greeting: Box::new(greeting),
            listed: None,
        };
        Ok(Self {
            request,
            meter,
            peer,
        })
    }

    /// Lists the references whose names start with one of `prefixes`; a server may list more.
    pub(crate) fn list(&mut self, prefixes: Vec<BString>) -> Result<Vec<RemoteRef>, FetchError> {
        let (transport, greeting, listed) = match &mut self.peer {
            Peer::Local(repository) => return local::list(repository, self.request),
            Peer::Remote {
                transport,
                greeting,
                listed,
            } => (transport, greeting, listed),
        };
        if let Some(listed) = listed {
            return Ok(listed.clone());
        }
        self.meter
            .allow("answer_bytes", self.request.limits.answer_bytes);
        let is_complete = greeting.refs.is_some();
        let refs = match greeting.refs.take() {
            Some(refs) => refs,
            None => {
                let mut wanted = RefPrefixes::new();
                wanted.extend(prefixes);
                let agent = ("agent", Some(AGENT.into()));
                LsRefsCommand::new(Some(wanted), &greeting.capabilities, agent)
                    .invoke_blocking(transport, &mut gix::progress::Discard, false)
                    .map_err(|error| self.meter.take(format!("{error:#}")))?
            }
        };
        if refs.len() > self.request.limits.references {
            let allowed = self.request.limits.references as u64;
            return Err(FetchError::limit(
                "the number of references",
                "references",
                allowed,
            ));
        }
        let refs: Vec<RemoteRef> = refs.into_iter().filter_map(remote_ref).collect();
        if is_complete {
            *listed = Some(refs.clone());
        }
        Ok(refs)
    }

    /// Tells whether the server may refuse to give a commit that no reference points to.
    pub(crate) fn is_first_protocol(&self) -> bool {
        match &self.peer {
            Peer::Local(_) => false,
            Peer::Remote { greeting, .. } => greeting.server_protocol_version != Protocol::V2,
        }
    }

    /// Fetches what is wanted into `objects`.
    pub(crate) fn fetch(
        &mut self,
        order: &Order<'_>,
        objects: &Objects,
        stop: &AtomicBool,
    ) -> Result<(), FetchError> {
        let (transport, greeting) = match &mut self.peer {
            Peer::Local(repository) => {
                for want in order.wants {
                    let commit = peel(repository, *want).ok_or_else(|| {
                        FetchError::protocol(&self.request.location, format!("{want} is missing"))
                    })?;
                    local::copy(repository, commit, objects, self.request, &self.meter)?;
                }
                return Ok(());
            }
            Peer::Remote {
                transport,
                greeting,
                ..
            } => (transport, greeting),
        };
        // Progress and framing come on top of the pack, whose own bytes are counted exactly.
        self.meter.allow(
            "pack_bytes",
            self.request.limits.pack_bytes.saturating_mul(2),
        );
        let depth = Shallow::DepthAtRemote(NonZeroU32::MIN);
        let can_be_shallow = greeting.server_protocol_version == Protocol::V2
            || greeting.capabilities.contains("shallow");
        let is_shallow = can_be_shallow && !order.with_history;
        let options = fetch::Options {
            shallow_file: order.shallow_file.clone(),
            shallow: if is_shallow {
                &depth
            } else {
                &Shallow::NoChange
            },
            tags: Tags::None,
            reject_shallow_remote: false,
        };
        let context = fetch::Context {
            handshake: greeting,
            transport,
            user_agent: ("agent", Some(AGENT.into())),
            trace_packetlines: false,
        };
        let mut problem = None;
        let result = gix::protocol::fetch(
            &mut Haves {
                wants: order.wants,
                haves: order.haves,
            },
            |pack, _progress, stop| match pack::receive(
                pack,
                objects,
                &self.request.location,
                &self.request.limits,
                stop,
            ) {
                Ok(()) => Ok(true),
                Err(error) => {
                    problem = Some(error);
                    Err(failed())
                }
            },
            gix::progress::Discard,
            stop,
            context,
            options,
        );
        match result {
            Ok(_) => Ok(()),
            // What broke underneath explains more than a pack that ended early.
            Err(error) => Err(self
                .meter
                .take_failure()
                .or(problem)
                .unwrap_or_else(|| self.meter.take(format!("{error:#}")))),
        }
    }
}

fn failed() -> gix::Error {
    use gix::error::ErrorExt as _;
    gix::error::message("the pack was refused").raise()
}

fn peel(repository: &gix::Repository, id: ObjectId) -> Option<ObjectId> {
    repository
        .find_object(id)
        .ok()?
        .peel_tags_to_end()
        .ok()
        .map(|object| object.id)
}

fn remote_ref(reference: Ref) -> Option<RemoteRef> {
    let (name, id, peeled) = reference.unpack();
    let id = id?.to_owned();
    // A name that is not UTF-8 cannot be asked for.
    let name = std::str::from_utf8(name).ok()?.to_owned();
    Some(RemoteRef {
        name,
        id,
        peeled: peeled.map_or(id, ToOwned::to_owned),
    })
}

/// Names all wants and haves in one round: there are few haves, and all are recent.
struct Haves<'a> {
    wants: &'a [ObjectId],
    haves: &'a [ObjectId],
}

impl Negotiate for Haves<'_> {
    fn mark_complete_and_common_ref(&mut self) -> gix::Result<Action> {
        Ok(Action::MustNegotiate {
            remote_ref_target_known: vec![false; self.wants.len()],
        })
    }

    fn add_wants(&mut self, arguments: &mut Arguments, _known: &[bool]) -> bool {
        for want in self.wants {
            arguments.want(want);
        }
        !self.wants.is_empty()
    }

    fn one_round(
        &mut self,
        _state: &mut one_round::State,
        arguments: &mut Arguments,
        _previous: Option<&Response>,
    ) -> gix::Result<(Round, bool)> {
        for have in self.haves {
            arguments.have(have);
        }
        let round = Round {
            haves_sent: self.haves.len(),
            in_vain: 0,
            haves_to_send: self.haves.len(),
            previous_response_had_at_least_one_in_common: false,
        };
        Ok((round, true))
    }
}
