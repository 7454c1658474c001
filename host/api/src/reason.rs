//! Reasons of conditions and events: stable API, in CamelCase, as Flux 2.9 writes them.
//!
//! A reason of Bulkhead alone is in the module [`own`].

/// Ready, Healthy, SourceVerified: it worked.
pub const SUCCEEDED: &str = "Succeeded";
/// Something failed, and no narrower reason fits.
pub const FAILED: &str = "Failed";
/// Work is under way.
pub const PROGRESSING: &str = "Progressing";
/// Work failed and will be tried again.
pub const PROGRESSING_WITH_RETRY: &str = "ProgressingWithRetry";
/// The object, or what it depends on, is suspended.
pub const SUSPENDED: &str = "Suspended";
/// A dependency is not ready.
pub const DEPENDENCY_NOT_READY: &str = "DependencyNotReady";
/// A reference into another namespace is forbidden.
pub const ACCESS_DENIED: &str = "AccessDenied";
/// A path of the spec is wrong.
pub const INVALID_PATH: &str = "InvalidPath";
/// A CEL expression of the spec is wrong.
pub const INVALID_CEL_EXPRESSION: &str = "InvalidCELExpression";
/// The spec uses what the installation has turned off.
pub const FEATURE_GATE_DISABLED: &str = "FeatureGateDisabled";
/// A field of the spec holds a value that cannot be used.
pub const VALIDATION_FAILED: &str = "ValidationFailed";

/// Kustomization: everything was applied.
pub const RECONCILIATION_SUCCEEDED: &str = "ReconciliationSucceeded";
/// Kustomization: the cluster refused something.
pub const RECONCILIATION_FAILED: &str = "ReconciliationFailed";
/// Kustomization: the source or its artifact could not be had.
pub const ARTIFACT_FAILED: &str = "ArtifactFailed";
/// Kustomization, HelmChart: rendering failed.
pub const BUILD_FAILED: &str = "BuildFailed";
/// Kustomization: an object that is no longer wanted could not be deleted.
pub const PRUNE_FAILED: &str = "PruneFailed";
/// Kustomization: an object did not become healthy.
pub const HEALTH_CHECK_FAILED: &str = "HealthCheckFailed";
/// Kustomization: a newer revision ended the wait for health.
pub const HEALTH_CHECK_CANCELED: &str = "HealthCheckCanceled";

/// Source: a new artifact is stored (event), or found upstream (`ArtifactOutdated`).
pub const NEW_ARTIFACT: &str = "NewArtifact";
/// Source: `ArtifactOutdated` because upstream has a new revision.
pub const NEW_REVISION: &str = "NewRevision";
/// Source: there is no artifact yet.
pub const NO_ARTIFACT: &str = "NoArtifact";
/// Source: nothing new upstream (trace event).
pub const ARTIFACT_UP_TO_DATE: &str = "ArtifactUpToDate";
/// Source: the URL is wrong.
pub const URL_INVALID: &str = "URLInvalid";
/// Source: credentials are missing or refused.
pub const AUTHENTICATION_FAILED: &str = "AuthenticationFailed";
/// Source: a signature is wrong.
pub const VERIFICATION_ERROR: &str = "VerificationError";
/// GitRepository: cloning, fetching or checking out failed.
pub const GIT_OPERATION_FAILED: &str = "GitOperationFailed";
/// GitRepository: Git did what it should (event).
pub const GIT_OPERATION_SUCCEEDED: &str = "GitOperationSucceeded";
/// Source: a directory could not be made.
pub const DIRECTORY_CREATION_FAILED: &str = "DirectoryCreationFailed";
/// Source: a file could not be looked at.
pub const STAT_OPERATION_FAILED: &str = "StatOperationFailed";
/// Source: a file could not be read.
pub const READ_OPERATION_FAILED: &str = "ReadOperationFailed";
/// Source: the archive could not be written.
pub const ARCHIVE_OPERATION_FAILED: &str = "ArchiveOperationFailed";
/// Source: the cache failed.
pub const CACHE_OPERATION_FAILED: &str = "CacheOperationFailed";
/// Source: the API server refused a change of the object itself.
pub const PATCH_OPERATION_FAILED: &str = "PatchOperationFailed";
/// Source: `provider` and its settings do not fit.
pub const INVALID_PROVIDER_CONFIGURATION: &str = "InvalidProviderConfiguration";

/// Any: old artifacts were removed (trace event).
pub const GARBAGE_COLLECTION_SUCCEEDED: &str = "GarbageCollectionSucceeded";
/// Any: old artifacts could not be removed (event).
pub const GARBAGE_COLLECTION_FAILED: &str = "GarbageCollectionFailed";

/// Alert: a message could not be sent (Event on the Alert).
pub const NOTIFICATION_DISPATCH_FAILED: &str = "NotificationDispatchFailed";

/// Reasons that Flux does not have.
pub mod own {
    /// The plugin imports what the host does not give, or exports no known world.
    pub const PLUGIN_INCOMPATIBLE: &str = "PluginIncompatible";
    /// The plugin trapped: a bug of the plugin.
    pub const PLUGIN_TRAPPED: &str = "PluginTrapped";
    /// The plugin was stopped at a limit of time.
    pub const PLUGIN_TIMED_OUT: &str = "PluginTimedOut";
    /// The plugin was stopped at a limit of memory, output or calls.
    pub const PLUGIN_LIMIT_EXCEEDED: &str = "PluginLimitExceeded";
    /// The spec asks for what this version does not do.
    pub const NOT_SUPPORTED: &str = "NotSupported";
    /// The plugin is not installed.
    pub const PLUGIN_NOT_FOUND: &str = "PluginNotFound";
    /// The plugin is installed, and does not run: its own conditions say why.
    pub const PLUGIN_NOT_READY: &str = "PluginNotReady";
}
