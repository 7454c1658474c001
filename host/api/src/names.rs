//! Names that Flux's contract fixes: groups, condition types, annotations, labels, finalizers, field
//! managers. Reasons are in [`crate::reason`].

/// API groups.
pub mod group {
    /// Group of GitRepository and the other sources.
    pub const SOURCE: &str = "source.toolkit.fluxcd.io";
    /// Group of Kustomization, and prefix of its labels and annotations.
    pub const KUSTOMIZE: &str = "kustomize.toolkit.fluxcd.io";
    /// Group of HelmRelease, and prefix of its labels and annotations.
    pub const HELM: &str = "helm.toolkit.fluxcd.io";
    /// Group of Alert, Provider and Receiver.
    pub const NOTIFICATION: &str = "notification.toolkit.fluxcd.io";
    /// Prefix of the annotations that an object gives to its events.
    pub const EVENT: &str = "event.toolkit.fluxcd.io";
    /// Group of what Bulkhead has beyond Flux.
    pub const BULKHEAD: &str = "bulkhead.dev";
}

/// Condition types.
pub mod condition {
    /// The summary: the object is as its spec says.
    pub const READY: &str = "Ready";
    /// Present and True while working or trying again.
    pub const RECONCILING: &str = "Reconciling";
    /// Present and True when nothing will happen before a change.
    pub const STALLED: &str = "Stalled";
    /// Result of a Kustomization's last health checks.
    pub const HEALTHY: &str = "Healthy";
    /// The source's artifact is in the store.
    pub const ARTIFACT_IN_STORAGE: &str = "ArtifactInStorage";
    /// The stored artifact is not the newest; present only when True.
    pub const ARTIFACT_OUTDATED: &str = "ArtifactOutdated";
    /// The last fetch failed; present only when True.
    pub const FETCH_FAILED: &str = "FetchFailed";
    /// The store failed; present only when True.
    pub const STORAGE_OPERATION_FAILED: &str = "StorageOperationFailed";
    /// Result of the signature check; present only when one is asked for.
    pub const SOURCE_VERIFIED: &str = "SourceVerified";
    /// An included GitRepository has no artifact; present only when True.
    pub const INCLUDE_UNAVAILABLE: &str = "IncludeUnavailable";
    /// An artifact could not be built of what was fetched; present only when True.
    pub const BUILD_FAILED: &str = "BuildFailed";
    /// A reference into another namespace was refused; present only when True.
    pub const ACCESS_DENIED: &str = "AccessDenied";
    /// HelmRelease: the last install, upgrade or uninstall went well.
    pub const RELEASED: &str = "Released";
    /// HelmRelease: the tests of the release went well; present only when they are asked for.
    pub const TEST_SUCCESS: &str = "TestSuccess";
    /// HelmRelease: a failure was remediated; present only after one.
    pub const REMEDIATED: &str = "Remediated";
    /// HelmRelease: the cluster is not as the release has it; present only when that is looked for.
    pub const DRIFTED: &str = "Drifted";
    /// Plugin: the image was resolved and pulled, digests and sizes as its manifest says.
    pub const FETCHED: &str = "Fetched";
    /// Plugin: the image is signed by whom the spec trusts; present only when one is asked for.
    pub const VERIFIED: &str = "Verified";
    /// Plugin: it is a component of a known world that imports nothing that it does not get.
    pub const COMPATIBLE: &str = "Compatible";
    /// Plugin: it is compiled for this machine.
    pub const COMPILED: &str = "Compiled";
    /// Plugin: its imports and requests are no more than what was approved.
    pub const APPROVED: &str = "Approved";
}

/// Annotations on custom resources and on applied objects.
pub mod annotation {
    /// Asks for a reconciliation: any new value does.
    pub const RECONCILE_REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";
    /// Asks for a forced one; counts when equal to [`RECONCILE_REQUESTED_AT`].
    pub const FORCE_REQUESTED_AT: &str = "reconcile.fluxcd.io/forceAt";
    /// Asks for failure counts to be forgotten; counts when equal to [`RECONCILE_REQUESTED_AT`].
    pub const RESET_REQUESTED_AT: &str = "reconcile.fluxcd.io/resetAt";
    /// `disabled`: the object is neither applied nor pruned. Read from the live object too.
    pub const RECONCILE: &str = "kustomize.toolkit.fluxcd.io/reconcile";
    /// Names the plugin that renders a Kustomization, in place of kustomize.
    pub const RENDERER: &str = "bulkhead.dev/renderer";
    /// What the renderer is told: one YAML or JSON object.
    pub const CONFIG: &str = "bulkhead.dev/config";
    /// Names the plugins that change the objects of a Kustomization, in order, joined by commas;
    /// what one is told is in `bulkhead.dev/config.<name>`.
    pub const TRANSFORMERS: &str = "bulkhead.dev/transformers";
    /// In the history of a Kustomization: digest of the render, of which equal materials and equal
    /// output have equal ones.
    pub const RENDER: &str = "bulkhead.dev/render";
    /// In the history of a Kustomization or Delivery: the plugins that rendered it and are no part of
    /// the binary, by the digests of their components.
    pub const PLUGINS: &str = "bulkhead.dev/plugins";
    /// Names the notifier that serves a Provider, in place of the one of its type.
    pub const PLUGIN: &str = "bulkhead.dev/plugin";
    /// `Override`, `Merge`, `IfNotPresent` or `Ignore`: how the object is applied.
    pub const SSA: &str = "kustomize.toolkit.fluxcd.io/ssa";
    /// `enabled`: the object is made again when an immutable field changes.
    pub const FORCE: &str = "kustomize.toolkit.fluxcd.io/force";
    /// `disabled` on the live object: it is never pruned.
    pub const PRUNE: &str = "kustomize.toolkit.fluxcd.io/prune";
    /// `disabled`: the object is applied without decrypting it.
    pub const DECRYPT: &str = "kustomize.toolkit.fluxcd.io/decrypt";
    /// `disabled`, compared with case: no variable is replaced in the object.
    pub const SUBSTITUTE: &str = "kustomize.toolkit.fluxcd.io/substitute";
    /// `disabled`: drift of the object is left alone (HelmRelease).
    pub const DRIFT_DETECTION: &str = "helm.toolkit.fluxcd.io/driftDetection";
    /// What `kubectl apply` leaves behind; taken off when an object is taken over.
    pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
}

/// Values of the annotations above; all but that of `substitute` are compared without case.
pub mod value {
    /// Turns something on.
    pub const ENABLED: &str = "enabled";
    /// Turns something off.
    pub const DISABLED: &str = "disabled";
    /// Apply and take over every field: the default.
    pub const OVERRIDE: &str = "Override";
    /// Apply, but keep fields that others own.
    pub const MERGE: &str = "Merge";
    /// Apply only what does not exist.
    pub const IF_NOT_PRESENT: &str = "IfNotPresent";
    /// Do not apply.
    pub const IGNORE: &str = "Ignore";
}

/// Labels.
pub mod label {
    /// Name of the Kustomization that owns the object.
    pub const KUSTOMIZATION_NAME: &str = "kustomize.toolkit.fluxcd.io/name";
    /// Namespace of the Kustomization that owns the object.
    pub const KUSTOMIZATION_NAMESPACE: &str = "kustomize.toolkit.fluxcd.io/namespace";
    /// Name of the Delivery that owns the object.
    pub const DELIVERY_NAME: &str = "bulkhead.dev/name";
    /// Namespace of the Delivery that owns the object.
    pub const DELIVERY_NAMESPACE: &str = "bulkhead.dev/namespace";
    /// Name of the HelmRelease that owns the object.
    pub const HELM_RELEASE_NAME: &str = "helm.toolkit.fluxcd.io/name";
    /// Namespace of the HelmRelease that owns the object.
    pub const HELM_RELEASE_NAMESPACE: &str = "helm.toolkit.fluxcd.io/namespace";
    /// UID of the HelmRelease that made a version, on Helm's record of it. Helm hands it on to versions
    /// of its own: it tells only together with the labels of the objects.
    pub const HELM_RELEASE_UID: &str = "bulkhead.dev/helmrelease-uid";
    /// The version that a rollback of ours went back to, on Helm's record of it.
    pub const ROLLED_BACK_TO: &str = "bulkhead.dev/rolled-back-to";
    /// `Enabled` on a ConfigMap or Secret: a change starts those that refer to it.
    pub const WATCH: &str = "reconcile.fluxcd.io/watch";
    /// Value of [`WATCH`].
    pub const WATCH_ENABLED: &str = "Enabled";
    /// Assigns an object to a replica.
    pub const SHARD: &str = "sharding.fluxcd.io/key";
    /// What the installation belongs to: [`PART_OF_FLUX`].
    pub const PART_OF: &str = "app.kubernetes.io/part-of";
    /// Value of [`PART_OF`] that the upstream `flux` command looks for.
    pub const PART_OF_FLUX: &str = "flux";
    /// Installation, normally its namespace.
    pub const INSTANCE: &str = "app.kubernetes.io/instance";
    /// Version of the installation.
    pub const VERSION: &str = "app.kubernetes.io/version";
    /// Component that a Deployment or CRD belongs to.
    pub const COMPONENT: &str = "app.kubernetes.io/component";
}

/// Finalizer of every reconciled kind.
pub const FINALIZER: &str = "finalizers.fluxcd.io";

/// Field managers of server-side apply.
pub mod manager {
    /// Owns the fields of objects that a Kustomization applies.
    pub const KUSTOMIZE: &str = "kustomize-controller";
    /// Owns the fields of objects that a HelmRelease applies.
    pub const HELM: &str = "helm-controller";
    /// Writes the status of Kustomizations.
    pub const KUSTOMIZE_STATUS: &str = "gotk-kustomize-controller";
    /// Writes the status of sources.
    pub const SOURCE: &str = "source-controller";
    /// Writes the status of Receivers.
    pub const NOTIFICATION: &str = "notification-controller";
    /// Writes the status of Deliveries.
    pub const DELIVERY: &str = "bulkhead-delivery-controller";
    /// Writes the status of Plugins and ClusterPlugins.
    pub const PLUGIN: &str = "bulkhead-plugin-controller";
    /// Reserved for people: its fields are kept.
    pub const CLIENT_SIDE: &str = "flux-client-side-apply";
}

/// Names that reports carry as `reportingController` and Events as source.
pub mod controller {
    /// Reports on sources.
    pub const SOURCE: &str = "source-controller";
    /// Reports on Kustomizations.
    pub const KUSTOMIZE: &str = "kustomize-controller";
    /// Reports on HelmReleases.
    pub const HELM: &str = "helm-controller";
    /// Reports on Alerts, Providers and Receivers.
    pub const NOTIFICATION: &str = "notification-controller";
    /// Reports on Deliveries.
    pub const DELIVERY: &str = "bulkhead-delivery-controller";
    /// Reports on Plugins and ClusterPlugins.
    pub const PLUGIN: &str = "bulkhead-plugin-controller";
}
