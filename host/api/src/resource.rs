//! Declares a custom resource: the struct with its metadata, how it is read and written, and what
//! kube must know of it. By hand, because kube's derive makes `status` an option and cannot read it
//! leniently.

/// Declares a kind with `metadata`, `spec` and, where the kind has one, `status`: namespaced, or with
/// the word `cluster` before its name for the whole cluster.
macro_rules! custom_resource {
    (
        $(#[$doc:meta])*
        cluster $name:ident $($rest:tt)+
    ) => {
        crate::resource::custom_resource! {
            @in kube::core::ClusterResourceScope; $(#[$doc])* $name $($rest)+
        }
    };
    (
        $(#[$doc:meta])*
        $name:ident $($rest:tt)+
    ) => {
        crate::resource::custom_resource! {
            @in kube::core::NamespaceResourceScope; $(#[$doc])* $name $($rest)+
        }
    };
    (
        @in $scope:ty;
        $(#[$doc:meta])*
        $name:ident($group:expr, $version:literal, $plural:literal) {
            $(#[$attribute:meta])*
            spec: $spec:ty $(, status: $status:ty)? $(,)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, serde::Deserialize)]
        pub struct $name {
            /// Name, namespace, labels, annotations, generation.
            #[serde(default)]
            pub metadata: k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta,
            /// What the user wants.
            $(#[$attribute])*
            pub spec: $spec,
            $(
                /// What the controller saw and did last.
                #[serde(default, deserialize_with = "crate::lenient::status")]
                pub status: $status,
            )?
        }

        impl $name {
            /// Kind, as in manifests.
            pub const KIND: &'static str = stringify!($name);
            /// Group of the kind.
            pub const GROUP: &'static str = $group;
            /// Version that is stored, and that the engine reads and writes.
            pub const VERSION: &'static str = $version;
            /// Plural, as in URLs of the API.
            pub const PLURAL: &'static str = $plural;

            /// Makes one in a namespace, or in none if that is blank, with a default status.
            pub fn new(namespace: &str, name: &str, spec: $spec) -> Self {
                Self {
                    metadata: k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                        namespace: (!namespace.is_empty()).then(|| namespace.to_owned()),
                        name: Some(name.to_owned()),
                        ..Default::default()
                    },
                    spec,
                    $( status: <$status>::default(), )?
                }
            }

            /// Identifies the object in the cluster.
            pub fn id(&self) -> crate::object::ObjectId {
                crate::object::ObjectId {
                    namespace: self.metadata.namespace.clone().unwrap_or_default(),
                    name: self.metadata.name.clone().unwrap_or_default(),
                    group: Self::GROUP.to_owned(),
                    kind: Self::KIND.to_owned(),
                }
            }
        }

        impl kube::Resource for $name {
            type DynamicType = ();
            type Scope = $scope;

            fn kind((): &()) -> std::borrow::Cow<'_, str> {
                Self::KIND.into()
            }
            fn group((): &()) -> std::borrow::Cow<'_, str> {
                Self::GROUP.into()
            }
            fn version((): &()) -> std::borrow::Cow<'_, str> {
                Self::VERSION.into()
            }
            fn plural((): &()) -> std::borrow::Cow<'_, str> {
                Self::PLURAL.into()
            }
            fn meta(&self) -> &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                &self.metadata
            }
            fn meta_mut(
                &mut self,
            ) -> &mut k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                &mut self.metadata
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeStruct as _;
                let mut object = serializer.serialize_struct(stringify!($name), 5)?;
                let version = concat!("/", $version);
                object.serialize_field("apiVersion", &format!("{}{version}", Self::GROUP))?;
                object.serialize_field("kind", Self::KIND)?;
                object.serialize_field("metadata", &self.metadata)?;
                object.serialize_field("spec", &self.spec)?;
                $(
                    let status: &$status = &self.status;
                    object.serialize_field("status", status)?;
                )?
                object.end()
            }
        }
    };
}

pub(crate) use custom_resource;
