//! What to do about a GitRepository. Pure.

use bulkhead_api::source::GitRepository;
use bulkhead_source::GitRequest;

use super::load::Observed;
use super::request::{self, Reach, RequestError};

/// What to do.
#[derive(Debug)]
pub(super) enum Decision {
    /// It is being deleted: its archives go, then its finalizer.
    Finalize,
    /// It is suspended: nothing.
    Suspend,
    /// Nothing can be asked for.
    Refuse(RequestError),
    /// Look at the remote repository.
    Fetch {
        /// What to ask for.
        request: Box<GitRequest>,
        /// The archive must be made anew though the commit may be the same.
        rebuild: bool,
    },
}

/// Decides.
pub(super) fn decide(repository: &GitRepository, seen: &Observed) -> Decision {
    if repository.metadata.deletion_timestamp.is_some() {
        return Decision::Finalize;
    }
    if repository.spec.suspend {
        return Decision::Suspend;
    }
    match request::request(&repository.spec, &seen.secrets, Reach::Remote) {
        Err(error) => Decision::Refuse(error),
        Ok(request) => Decision::Fetch {
            request: Box::new(request),
            rebuild: !seen.has_archive
                || repository.spec.ignore != repository.status.observed_ignore,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bulkhead_api::meta::time;
    use bulkhead_api::source::GitRepositorySpec;

    use super::*;

    fn repository() -> GitRepository {
        let spec = GitRepositorySpec::new("https://example.com/x", Duration::from_secs(60));
        GitRepository::new("apps", "web", spec)
    }

    fn rebuilds(repository: &GitRepository, has_archive: bool) -> bool {
        let seen = Observed {
            has_archive,
            ..Observed::default()
        };
        matches!(
            decide(repository, &seen),
            Decision::Fetch { rebuild: true, .. }
        )
    }

    #[test]
    fn deletion_comes_before_suspension() {
        let mut repository = repository();
        repository.spec.suspend = true;
        assert!(matches!(
            decide(&repository, &Observed::default()),
            Decision::Suspend
        ));
        repository.metadata.deletion_timestamp = Some(time(jiff::Timestamp::UNIX_EPOCH));
        assert!(matches!(
            decide(&repository, &Observed::default()),
            Decision::Finalize
        ));
    }

    #[test]
    fn an_archive_is_made_anew_when_it_is_gone_or_leaves_out_other_files() {
        let mut repository = repository();
        assert!(rebuilds(&repository, false));
        assert!(!rebuilds(&repository, true));
        repository.spec.ignore = Some("*.md".into());
        assert!(rebuilds(&repository, true));
        repository.status.observed_ignore = Some("*.md".into());
        assert!(!rebuilds(&repository, true));
    }
}
