//! Remote bases: what a kustomization names by URL. The renderer has no network: it says what it
//! lacks, this fetches it under the operator's rules, and the render runs again with it in its tree.
//! What came is part of the read set by its digest, like every other file.

mod error;
mod mounts;
mod name;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bulkhead_notify::destination::{Network, network_of};
use bulkhead_source::{
    FetchError, Fetched, FileAnswer, FileRequest, GitRequest, Limits, Location, Reference, Store,
    read_file,
};
use bulkhead_wasm::{Diagnostic, Plugin, RenderError, RenderRequest, Rendered};

use bulkhead_api::{Advice, Revision};

pub use self::error::{Named, RemoteError};
use self::mounts::{Mount, Mounts};
use self::name::RepositoryName;

/// Remote files and repositories of one render, at most.
pub const MOST: usize = 64;

/// Longest time for one of them; a shorter `timeout` of its URL counts.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// What may be fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Allowed {
    /// Nothing, as with Flux's `--no-remote-bases`.
    Nothing,
    /// Repositories at a commit that is named by its 40 digits.
    #[default]
    Pinned,
    /// Any reference of a repository, and files behind a URL, as with kustomize.
    Anything,
}

/// The operator's rules.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    /// What may be fetched.
    pub allowed: Allowed,
    /// Whether files may come from loopback and private addresses.
    pub private_networks: bool,
    /// Whether repositories may be folders of this machine, `file://`: for who runs the command.
    pub local: bool,
}

/// Fetches what renders lack.
pub struct Remotes {
    store: Arc<Store>,
    rules: Rules,
}

/// What is remote in a render: kept with its result, to tell whether that still holds.
#[derive(Clone, Default)]
pub struct Fetches {
    names: BTreeMap<String, Lacking>,
    mounts: Mounts,
}

/// One thing that the renderer lacks.
#[derive(Clone, Debug)]
struct Lacking {
    kind: Kind,
    /// What identifies it: see the plugin.
    name: String,
    /// The kustomization file that names it.
    by: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Repository,
    File,
    FileOrRepository,
}

/// Why a render with remote bases has no result.
#[derive(Debug, thiserror::Error)]
pub enum RemoteRenderError {
    /// The renderer refused, failed, or was stopped.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// Something remote is not there.
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

/// Tells whether a renderer only lacked what is remote.
pub fn is_lacking(error: &RenderError) -> bool {
    matches!(error, RenderError::Refused(refusal) if !lacking(&refusal.diagnostics).is_empty())
}

impl RemoteRenderError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        match self {
            Self::Render(error) => error.advice(),
            Self::Remote(error) => error.advice(),
        }
    }
}

impl Remotes {
    /// Fetches into `store` under `rules`.
    pub fn new(store: Arc<Store>, rules: Rules) -> Self {
        Self { store, rules }
    }

    /// Renders, and fetches what is lacking until nothing is.
    ///
    /// # Errors
    /// See [`RemoteRenderError`].
    pub async fn render(
        &self,
        plugin: &Plugin,
        call: RenderRequest,
        mut fetches: Fetches,
    ) -> Result<(Rendered, Fetches), RemoteRenderError> {
        loop {
            let request = RenderRequest {
                tree: fetches.mounts.over(call.tree.clone()),
                ..call.clone()
            };
            let error = match plugin.render(request).await {
                Ok(rendered) => return Ok((rendered, fetches)),
                Err(error) => error,
            };
            let lacking = match &error {
                RenderError::Refused(refusal) => lacking(&refusal.diagnostics),
                _ => Vec::new(),
            };
            let before = fetches.names.len();
            for one in lacking {
                if fetches.names.contains_key(&one.name) {
                    continue;
                }
                if fetches.names.len() == MOST {
                    return Err(RemoteError::TooMany(MOST).into());
                }
                self.add(&mut fetches, one).await?;
            }
            if fetches.names.len() == before {
                return Err(error.into());
            }
        }
    }

    /// Brings what an earlier render had up to date: what is pinned is as it was, the rest is
    /// fetched again.
    ///
    /// # Errors
    /// See [`RemoteError`].
    pub async fn again(&self, earlier: &Fetches) -> Result<Fetches, RemoteError> {
        let mut fetches = earlier.clone();
        for one in earlier.names.values() {
            if !one.is_pinned() {
                self.add(&mut fetches, one.clone()).await?;
            }
        }
        Ok(fetches)
    }

    async fn add(&self, fetches: &mut Fetches, one: Lacking) -> Result<(), RemoteError> {
        let mount = match one.kind {
            Kind::Repository => self.repository(&one).await?,
            Kind::File | Kind::FileOrRepository => self.file(&one).await?,
        };
        fetches.mounts.insert(&one.name, mount);
        fetches.names.insert(one.name.clone(), one);
        Ok(())
    }

    async fn repository(&self, one: &Lacking) -> Result<Mount, RemoteError> {
        let wrong = |source| RemoteError::Location {
            by: one.by.clone(),
            source,
        };
        let name = RepositoryName::parse(&one.name);
        let location = Location::parse(&name.url, self.rules.local).map_err(wrong)?;
        let named = || Named::new(&location, &one.by);
        match self.rules.allowed {
            Allowed::Nothing => return Err(RemoteError::Off(named())),
            Allowed::Pinned if !name.is_pinned() => return Err(RemoteError::Unpinned(named())),
            Allowed::Pinned | Allowed::Anything => {}
        }
        if name.url.starts_with("ssh://") {
            return Err(RemoteError::Login(named()));
        }
        let mut request = GitRequest::new(location.clone());
        // kustomize sees every file: neither Flux's default patterns nor a file of theirs counts.
        request.ignore = Some("!*\n".to_owned());
        request.recurse_submodules = name.submodules;
        request.timeout = name.timeout.map_or(TIMEOUT, |timeout| timeout.min(TIMEOUT));
        let tree = self.commit(&name, request).await;
        let tree = tree.map_err(|source| RemoteError::Fetch {
            named: named(),
            source,
        })?;
        Ok(Mount::Repository(Arc::new(tree)))
    }

    async fn commit(
        &self,
        name: &RepositoryName,
        mut request: GitRequest,
    ) -> Result<bulkhead_source::GitTree, FetchError> {
        if name.is_pinned() {
            request.reference = Reference::commit(name.reference.to_ascii_lowercase());
            let revision = Revision::git(None, &name.reference.to_ascii_lowercase());
            if let Some(found) = self.store.load(&request, &revision).await? {
                return Ok(found.tree);
            }
        }
        let mut missing = None;
        for reference in name.references() {
            request.reference = reference;
            match self.store.fetch(&request, None).await {
                Ok(Fetched::New(artifact)) => return Ok(artifact.tree),
                // Nothing was given to compare with.
                Ok(Fetched::Unchanged) => {}
                Err(error @ FetchError::ReferenceMissing { .. }) => {
                    missing.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(missing.unwrap_or(FetchError::Empty(request.location)))
    }

    async fn file(&self, one: &Lacking) -> Result<Mount, RemoteError> {
        let may_be_repository = one.kind == Kind::FileOrRepository;
        let location = Location::of_file(&one.name).map_err(|source| RemoteError::Location {
            by: one.by.clone(),
            source,
        })?;
        let named = || Named::new(&location, &one.by);
        match self.rules.allowed {
            Allowed::Nothing => return Err(RemoteError::Off(named())),
            // A file is never pinned; a repository is asked for next, and says whether it is.
            Allowed::Pinned if may_be_repository => return Ok(Mount::Absent),
            Allowed::Pinned => return Err(RemoteError::File(named())),
            Allowed::Anything => {}
        }
        let request = FileRequest {
            location: location.clone(),
            timeout: TIMEOUT,
            limits: Limits::default(),
            admits: if self.rules.private_networks {
                |_| true
            } else {
                is_public
            },
        };
        match read_file(&request).await {
            Ok(FileAnswer::Content(content)) => Ok(Mount::File(content.into())),
            Ok(FileAnswer::Status(_)) if may_be_repository => Ok(Mount::Absent),
            Ok(FileAnswer::Status(status)) => Err(RemoteError::Status {
                named: named(),
                status,
            }),
            Err(source) => Err(RemoteError::Fetch {
                named: named(),
                source,
            }),
        }
    }
}

impl Fetches {
    /// Tells whether nothing was remote.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Returns `tree` with what was fetched in its place.
    pub fn over(
        &self,
        tree: Arc<dyn bulkhead_api::SourceTree>,
    ) -> Arc<dyn bulkhead_api::SourceTree> {
        self.mounts.over(tree)
    }
}

impl Lacking {
    fn is_pinned(&self) -> bool {
        self.kind == Kind::Repository && RepositoryName::parse(&self.name).is_pinned()
    }
}

fn is_public(address: IpAddr) -> bool {
    network_of(address) == Network::Public
}

/// Reads what the renderer says that it lacks.
fn lacking(diagnostics: &[Diagnostic]) -> Vec<Lacking> {
    let one = |diagnostic: &Diagnostic| {
        let kind = match diagnostic.code.as_str() {
            "RemoteRepository" => Kind::Repository,
            "RemoteFile" => Kind::File,
            "RemoteFileOrRepository" => Kind::FileOrRepository,
            _ => return None,
        };
        let at = diagnostic.at.as_ref();
        Some(Lacking {
            kind,
            name: diagnostic.object.as_ref()?.name.clone(),
            by: at.map(|at| at.path.clone()).unwrap_or_default(),
        })
    };
    diagnostics.iter().filter_map(one).collect()
}
