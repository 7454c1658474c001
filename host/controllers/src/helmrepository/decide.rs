//! What to do about a HelmRepository with an index. Pure.

use bulkhead_api::source::HelmRepository;
use bulkhead_source::helm::RepositoryConfig;

use super::error::IndexError;
use super::load::Observed;
use super::request;

/// What to do.
#[derive(Debug)]
pub(super) enum Decision {
    /// It is being deleted: its artifacts go, then its finalizer.
    Finalize,
    /// It is suspended: nothing.
    Suspend,
    /// Nothing can be asked for.
    Refuse(IndexError),
    /// Download the index.
    Fetch(Box<RepositoryConfig>),
}

/// Decides.
pub(super) fn decide(object: &HelmRepository, seen: &Observed) -> Decision {
    if object.metadata.deletion_timestamp.is_some() {
        return Decision::Finalize;
    }
    if object.spec.suspend {
        return Decision::Suspend;
    }
    if let Err(error) = object.spec.interval() {
        return Decision::Refuse(request::RequestError::from(error).into());
    }
    match request::web(&object.spec, &seen.secrets) {
        Err(error) => Decision::Refuse(error.into()),
        Ok(config) => Decision::Fetch(Box::new(config)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bulkhead_api::meta::time;
    use bulkhead_api::source::HelmRepositorySpec;

    use super::*;

    #[test]
    fn deletion_comes_before_suspension() {
        let spec = HelmRepositorySpec::new("https://example.com", Duration::from_secs(60));
        let mut object = HelmRepository::new("apps", "web", spec);
        let decided = |object: &_| decide(object, &Observed::default());
        assert!(matches!(decided(&object), Decision::Fetch(_)));
        object.spec.suspend = true;
        assert!(matches!(decided(&object), Decision::Suspend));
        object.metadata.deletion_timestamp = Some(time(jiff::Timestamp::UNIX_EPOCH));
        assert!(matches!(decided(&object), Decision::Finalize));
    }
}
