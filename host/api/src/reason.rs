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
/// Source: an artifact in the storage was altered (event).
pub const ARTIFACT_VERIFICATION_FAILED: &str = "ArtifactVerificationFailed";
/// OCIRepository, HelmChart: a registry could not be read.
pub const OCI_ARTIFACT_PULL_FAILED: &str = "OCIArtifactPullFailed";
/// OCIRepository: what was pulled could not be used.
pub const OCI_ARTIFACT_LAYER_OPERATION_FAILED: &str = "OCIArtifactLayerOperationFailed";
/// HelmRepository: the index could not be used.
pub const INDEXATION_FAILED: &str = "IndexationFailed";
/// HelmChart: `ArtifactOutdated` because there is another version.
pub const NEW_CHART: &str = "NewChart";
/// HelmChart: the chart was downloaded.
pub const CHART_PULL_SUCCEEDED: &str = "ChartPullSucceeded";
/// HelmChart: the chart was packaged.
pub const CHART_PACKAGE_SUCCEEDED: &str = "ChartPackageSucceeded";
/// HelmChart: the source could not be read.
pub const SOURCE_UNAVAILABLE: &str = "SourceUnavailable";
/// HelmChart: the source has no artifact.
pub const NO_SOURCE_ARTIFACT: &str = "NoSourceArtifact";
/// HelmChart: the source is of a kind that has no charts.
pub const UNSUPPORTED_SOURCE_KIND: &str = "UnsupportedSourceKind";
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
    /// Another version of a plugin leaves out what is applied; it is kept until somebody asks.
    pub const PLUGIN_CHANGED_OUTPUT: &str = "PluginChangedOutput";
    /// The plugin is not installed.
    pub const PLUGIN_NOT_FOUND: &str = "PluginNotFound";
    /// The plugin is installed, and does not run: its own conditions say why.
    pub const PLUGIN_NOT_READY: &str = "PluginNotReady";
}

/// Reasons of Plugins and ClusterPlugins: why an image is not run, one for each thing that can be
/// wrong with it.
pub mod plugin {
    /// Event: a plugin runs for the first time.
    pub const INSTALLED: &str = "PluginInstalled";
    /// Event: another digest runs than before.
    pub const UPDATED: &str = "PluginUpdated";
    /// Event: an object ended that kept a name from those behind it.
    pub const REMOVED: &str = "PluginRemoved";
    /// Approved, Ready: the image asks for more than what was approved.
    pub const NEEDS_APPROVAL: &str = "NeedsApproval";

    /// Fetched: `spec.image` names nothing.
    pub const INVALID_IMAGE: &str = "InvalidImage";
    /// Fetched: the registry does not have it, or hides it from this login.
    pub const IMAGE_NOT_FOUND: &str = "ImageNotFound";
    /// Fetched: the registry cannot be reached, or fails.
    pub const REGISTRY_UNREACHABLE: &str = "RegistryUnreachable";
    /// Fetched: the registry takes too long.
    pub const REGISTRY_TIMED_OUT: &str = "RegistryTimedOut";
    /// Fetched: the registry asks for less.
    pub const RATE_LIMITED: &str = "RateLimited";
    /// Fetched: the registry's certificate is not trusted.
    pub const CERTIFICATE_UNTRUSTED: &str = "CertificateUntrusted";
    /// Fetched: the registry redirects to where nobody should follow.
    pub const REDIRECT_REFUSED: &str = "RedirectRefused";
    /// Fetched: what answers is no registry, or breaks the protocol.
    pub const NOT_A_REGISTRY: &str = "NotARegistry";
    /// Fetched: the bytes have another digest than the manifest says.
    pub const DIGEST_MISMATCH: &str = "DigestMismatch";
    /// Fetched: there are more or fewer bytes than the manifest says.
    pub const SIZE_MISMATCH: &str = "SizeMismatch";
    /// Fetched: the component, or the manifest, is larger than is read.
    pub const TOO_LARGE: &str = "TooLarge";
    /// Fetched: it is a container image.
    pub const CONTAINER_IMAGE: &str = "ContainerImage";
    /// Fetched: it is an index of several images.
    pub const IMAGE_INDEX: &str = "ImageIndex";
    /// Fetched: it has no layer, or several.
    pub const NOT_ONE_LAYER: &str = "NotOneLayer";
    /// Fetched: its layer is compressed.
    pub const COMPRESSED_LAYER: &str = "CompressedLayer";
    /// Fetched: it is another kind of artifact.
    pub const OTHER_ARTIFACT: &str = "OtherArtifact";
    /// Fetched: its manifest in the registry cannot be read, or contradicts itself.
    pub const INVALID_IMAGE_MANIFEST: &str = "InvalidImageManifest";
    /// Fetched: it could not be written to the storage folder.
    pub const STORAGE_FAILED: &str = "StorageOperationFailed";

    /// Verified: it is not signed.
    pub const SIGNATURE_MISSING: &str = "SignatureMissing";
    /// Verified: a signature is there, and is wrong.
    pub const SIGNATURE_INVALID: &str = "SignatureInvalid";
    /// Verified: a signature is there, of another digest.
    pub const SIGNATURE_OF_OTHER_DIGEST: &str = "SignatureOfOtherDigest";
    /// Verified: somebody else signed it.
    pub const SIGNED_BY_OTHER: &str = "SignedByOther";
    /// Verified: the keys or identities of the spec cannot be used.
    pub const INVALID_POLICY: &str = "InvalidVerificationPolicy";
    /// Verified: the signatures could not be had.
    pub const VERIFICATION_UNAVAILABLE: &str = "VerificationUnavailable";

    /// Compatible: it is no WebAssembly, or broken.
    pub const NOT_A_COMPONENT: &str = "NotAComponent";
    /// Compatible: it is a core module.
    pub const CORE_MODULE: &str = "CoreModule";
    /// Compatible: it exports none of the interfaces that make a plugin.
    pub const MISSING_EXPORT: &str = "MissingExport";
    /// Compatible: it imports what plugins of its kind do not get.
    pub const FOREIGN_IMPORT: &str = "ForeignImport";
    /// Compatible: it was built for an older interface.
    pub const OLDER_INTERFACE: &str = "OlderInterface";
    /// Compatible: it was built for a newer interface.
    pub const NEWER_INTERFACE: &str = "NewerInterface";
    /// Compatible: it needs a newer Bulkhead.
    pub const NEWER_HOST: &str = "NewerHost";
    /// Compatible: its own manifest is not valid, or says something else than the component.
    pub const INVALID_MANIFEST: &str = "InvalidManifest";

    /// Compiled: its code is not valid.
    pub const COMPILE_FAILED: &str = "CompileFailed";
    /// Compiled: compiling took more time or memory than it may.
    pub const COMPILER_STOPPED: &str = "CompilerStopped";
    /// Compiled: its namespace has had the compiler run for all the time that one may take.
    pub const COMPILE_QUOTA_SPENT: &str = "CompileQuotaSpent";
}

/// Reasons of HelmReleases.
pub mod helm {
    /// Released, Ready: the release was installed.
    pub const INSTALL_SUCCEEDED: &str = "InstallSucceeded";
    /// Released, Ready: the release could not be installed.
    pub const INSTALL_FAILED: &str = "InstallFailed";
    /// Released, Ready: the release was upgraded.
    pub const UPGRADE_SUCCEEDED: &str = "UpgradeSucceeded";
    /// Released, Ready: the release could not be upgraded.
    pub const UPGRADE_FAILED: &str = "UpgradeFailed";
    /// TestSuccess: the tests went well.
    pub const TEST_SUCCEEDED: &str = "TestSucceeded";
    /// TestSuccess, Ready: a test failed.
    pub const TEST_FAILED: &str = "TestFailed";
    /// Remediated, Ready: a failed upgrade was rolled back.
    pub const ROLLBACK_SUCCEEDED: &str = "RollbackSucceeded";
    /// Remediated, Ready: a failed upgrade could not be rolled back.
    pub const ROLLBACK_FAILED: &str = "RollbackFailed";
    /// Released, Remediated: the release was removed.
    pub const UNINSTALL_SUCCEEDED: &str = "UninstallSucceeded";
    /// Released, Remediated: the release could not be removed.
    pub const UNINSTALL_FAILED: &str = "UninstallFailed";
    /// TestSuccess: the tests of a new version have not run yet.
    pub const AWAITING_TESTS: &str = "AwaitingTests";
    /// Released: an action was broken off, and what it had locked was unlocked.
    pub const PENDING_RELEASE: &str = "PendingRelease";
    /// Drifted: objects in the cluster are not as the release has them.
    pub const DRIFT_DETECTED: &str = "DriftDetected";
    /// Drifted: objects in the cluster are as the release has them.
    pub const NO_DRIFT_DETECTED: &str = "NoDriftDetected";
    /// Event: drift was undone.
    pub const DRIFT_CORRECTED: &str = "DriftCorrected";
    /// Event: drift could not be undone.
    pub const DRIFT_CORRECTION_FAILED: &str = "DriftCorrectionFailed";
    /// Ready: the source has no artifact for its generation.
    pub const SOURCE_NOT_READY: &str = "SourceNotReady";
    /// Ready: the values could not be put together.
    pub const VALUES_ERROR: &str = "ValuesError";
    /// Ready: the artifact's revision does not fit its chart.
    pub const CHART_MUTATE_ERROR: &str = "ChartMutateError";
    /// Ready: there is no client for the cluster.
    pub const REST_CLIENT_ERROR: &str = "RESTClientError";
    /// Ready: Helm's records could not be read.
    pub const STATE_ERROR: &str = "StateError";
    /// Stalled: it failed as often as it may.
    pub const RETRIES_EXCEEDED: &str = "RetriesExceeded";
    /// Stalled: there is no version to go back to.
    pub const MISSING_ROLLBACK_TARGET: &str = "MissingRollbackTarget";
    /// Event: the objects of the release could not be named in the inventory.
    pub const INVENTORY_BUILD_FAILED: &str = "InventoryBuildFailed";
    /// Event: the HelmChart could not be applied.
    pub const HELM_CHART_SYNC_ERROR: &str = "HelmChartSyncErr";
    /// Event: the HelmChart was made.
    pub const HELM_CHART_CREATED: &str = "HelmChartCreated";
    /// Event: the HelmChart was changed.
    pub const HELM_CHART_CONFIGURED: &str = "HelmChartConfigured";
    /// Event: the HelmChart was deleted.
    pub const HELM_CHART_DELETED: &str = "HelmChartDeleted";
}
