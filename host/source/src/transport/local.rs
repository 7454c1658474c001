//! A repository in a folder of this machine, read by gix: no transport, no hooks, no configuration
//! outside the folder. For `file` URLs, which only `bulkhead sync` accepts.

use std::collections::HashSet;
use std::path::Path;

use gix::ObjectId;
use gix::objs::{Find as _, Kind, Write as _};

use super::Meter;
use crate::refs::RemoteRef;
use crate::store::Objects;
use crate::{FetchError, GitRequest};

/// Opens the repository in `path`, bare or not.
pub(crate) fn open(request: &GitRequest, path: &Path) -> Result<gix::Repository, FetchError> {
    gix::open_opts(path, gix::open::Options::isolated()).map_err(|error| {
        if path.exists() {
            FetchError::protocol(&request.location, error.to_string())
        } else {
            FetchError::NotFound(request.location.clone())
        }
    })
}

/// Lists the references.
pub(crate) fn list(
    repository: &gix::Repository,
    request: &GitRequest,
) -> Result<Vec<RemoteRef>, FetchError> {
    let problem = |error: gix::Error| FetchError::protocol(&request.location, error.to_string());
    let platform = repository
        .references()
        .map_err(|error| FetchError::protocol(&request.location, error.to_string()))?;
    let all = platform
        .all()
        .map_err(|error| FetchError::protocol(&request.location, error.to_string()))?;
    let head = repository.head_id().map(gix::Id::detach).ok();
    let head = head.map(|id| RemoteRef {
        name: "HEAD".to_owned(),
        id,
        peeled: id,
    });
    let mut listed: Vec<RemoteRef> = head.into_iter().collect();
    // A server lists HEAD only when it is asked for, so it does not count here either.
    let uncounted = listed.len();
    for reference in all {
        let Ok(mut reference) = reference else {
            continue;
        };
        let name = reference.name().as_bstr().to_string();
        let Some(id) = reference.try_id().map(gix::Id::detach) else {
            continue;
        };
        let peeled = match reference.peel_to_id() {
            Ok(peeled) => peeled.detach(),
            Err(_) => continue,
        };
        listed.push(RemoteRef { name, id, peeled });
        if listed.len() - uncounted > request.limits.references {
            let allowed = request.limits.references as u64;
            return Err(FetchError::limit(
                "the number of references",
                "references",
                allowed,
            ));
        }
    }
    let _ = problem;
    Ok(listed)
}

/// Copies what a commit needs and `objects` does not have.
pub(crate) fn copy(
    repository: &gix::Repository,
    commit: ObjectId,
    objects: &Objects,
    request: &GitRequest,
    meter: &Meter,
) -> Result<(), FetchError> {
    let target = gix::odb::loose::Store::at(objects.path().join("objects"), gix::hash::Kind::Sha1);
    let mut copy = Copy {
        source: repository,
        target,
        objects: objects.reader(),
        request,
        meter,
        seen: HashSet::new(),
        bytes: 0,
    };
    // What a commit names is copied before it, so that a commit that is there is complete.
    let tree = copy.source_commit_tree(commit)?;
    copy.tree(tree, 0)?;
    copy.object(commit, Kind::Commit).map(|_| ())
}

struct Copy<'a> {
    source: &'a gix::Repository,
    target: gix::odb::loose::Store,
    objects: crate::store::Reader,
    request: &'a GitRequest,
    meter: &'a Meter,
    seen: HashSet<ObjectId>,
    bytes: u64,
}

impl Copy<'_> {
    fn source_commit_tree(&self, commit: ObjectId) -> Result<ObjectId, FetchError> {
        let data = self.find(commit, Kind::Commit)?;
        gix::objs::CommitRef::from_bytes(&data, commit.kind())
            .map(|commit| commit.tree())
            .map_err(|_| self.problem(commit, "is not a commit that Git would accept"))
    }

    fn tree(&mut self, id: ObjectId, depth: usize) -> Result<(), FetchError> {
        if depth > self.request.limits.depth {
            return Err(FetchError::limit(
                "the depth of the folders",
                "depth",
                self.request.limits.depth as u64,
            ));
        }
        if !self.seen.insert(id) {
            return Ok(());
        }
        let data = self.find(id, Kind::Tree)?;
        let tree = gix::objs::TreeRef::from_bytes(&data, id.kind())
            .map_err(|_| self.problem(id, "is not a tree"))?;
        for entry in &tree.entries {
            let below = entry.oid.to_owned();
            if entry.mode.is_tree() {
                self.tree(below, depth + 1)?;
            } else if !entry.mode.is_commit() && self.seen.insert(below) {
                self.object(below, Kind::Blob)?;
            }
        }
        self.object(id, Kind::Tree).map(|_| ())
    }

    fn object(&mut self, id: ObjectId, kind: Kind) -> Result<(), FetchError> {
        if self.meter.is_late() {
            return Err(self.meter.timeout());
        }
        if self.seen.len() as u64 > self.request.limits.objects {
            return Err(FetchError::limit(
                "the number of objects",
                "objects",
                self.request.limits.objects,
            ));
        }
        if self.objects.kind(id).is_some() {
            return Ok(());
        }
        let data = self.find(id, kind)?;
        self.bytes += data.len() as u64;
        if self.bytes > self.request.limits.unpacked_bytes {
            let allowed = self.request.limits.unpacked_bytes;
            return Err(FetchError::limit(
                "the size of all objects",
                "unpacked_bytes",
                allowed,
            ));
        }
        let stored = self
            .target
            .write_buf(kind, &data)
            .map_err(|error| FetchError::store("write", id.to_string(), error.to_string()))?;
        if stored != id {
            return Err(self.problem(id, "does not have its hash"));
        }
        Ok(())
    }

    fn find(&self, id: ObjectId, kind: Kind) -> Result<Vec<u8>, FetchError> {
        use gix::objs::FindHeader as _;
        let header = self.source.objects.try_header(&id).ok().flatten();
        if let Some(header) = header.filter(|header| header.size > self.request.limits.object_bytes)
        {
            let what = format!("object {id} of {} bytes", header.size);
            return Err(FetchError::limit(
                what,
                "object_bytes",
                self.request.limits.object_bytes,
            ));
        }
        let mut buffer = Vec::new();
        match self.source.objects.try_find(&id, &mut buffer) {
            Ok(Some(data)) if data.kind == kind => Ok(buffer),
            Ok(Some(_)) => Err(self.problem(id, "is of another kind")),
            Ok(None) => Err(self.problem(id, "is missing")),
            Err(error) => Err(self.problem(id, &error.to_string())),
        }
    }

    fn problem(&self, id: ObjectId, problem: &str) -> FetchError {
        FetchError::protocol(&self.request.location, format!("object {id} {problem}"))
    }
}
