//! Pure: from names and a manifest to what a component is and what is wrong with it.

use bulkhead_api::Digest;
use semver::Version;

use super::{Export, HOST_VERSION, Import, ImportClass, Inspection, ManifestRead, Problem};
use crate::host;
use crate::interface::{self, Interface};
use crate::names::PluginKind;

/// The worlds, in the order of [`PluginKind::ALL`].
const WORLDS: [&str; 3] = [
    "bulkhead:renderer/renderer@0.1.0",
    "bulkhead:renderer/transformer@0.1.0",
    "bulkhead:notifier/notifier@0.1.0",
];

/// Tells kind and world by exports, and classes imports.
pub(super) fn shape(imports: &[String], exports: &[String]) -> Inspection {
    let mut problems = Vec::new();
    let kinds = kinds(exports);
    let kind = kinds.first().copied();
    match kinds.as_slice() {
        [] => problems.push(no_kind(exports)),
        [_] => {}
        [first, ..] => problems.push(
            Problem::warning(
                "several-kinds",
                "it exports the interfaces of several kinds of plugin",
            )
            .why(format!("it is used as a {first} alone"))
            .help("build one component for each"),
        ),
    }
    let imports = classed(imports, kind, &mut problems);
    let exports: Vec<_> = exports
        .iter()
        .map(|name| Export {
            name: name.clone(),
            known: known(name),
        })
        .collect();
    // componentize-py 0.25 exports an instance of this name from every component: no author can
    // leave it out.
    let own = |export: &&Export| !export.known && export.name != "exports";
    for export in exports.iter().filter(own) {
        if kind.is_some() {
            problems.push(
                Problem::warning(
                    "extra-export",
                    format!("it exports {}", quoted(&export.name)),
                )
                .why("nothing calls it")
                .help("leave it out: it makes the component larger"),
            );
        }
    }
    let world = kind.map(|kind| world(kind).to_owned());
    Inspection {
        size_bytes: 0,
        digest: Digest::of(""),
        kind,
        world,
        imports,
        exports,
        tools: Vec::new(),
        manifest: None,
        problems,
    }
}

fn world(kind: PluginKind) -> &'static str {
    let mut pairs = PluginKind::ALL.into_iter().zip(WORLDS);
    pairs
        .find(|(other, _)| *other == kind)
        .map_or(WORLDS[0], |(_, world)| world)
}

fn known(export: &str) -> bool {
    let interface = Interface::parse(export);
    PluginKind::EXPORTS
        .iter()
        .any(|ours| Interface::parse(ours).fits(&interface))
}

fn kinds(exports: &[String]) -> Vec<PluginKind> {
    let exported = |ours: &str| {
        let ours = Interface::parse(ours);
        exports
            .iter()
            .any(|export| ours.fits(&Interface::parse(export)))
    };
    let pairs = PluginKind::ALL.into_iter().zip(PluginKind::EXPORTS);
    pairs
        .filter(|(_, ours)| exported(ours))
        .map(|(kind, _)| kind)
        .collect()
}

/// Says why the exports make no plugin.
fn no_kind(exports: &[String]) -> Problem {
    for ours in PluginKind::EXPORTS {
        let supported = Interface::parse(ours);
        let named = |export: &&String| Interface::parse(export).name == supported.name;
        if let Some(export) = exports.iter().find(named) {
            return other_version("export", export, ours);
        }
    }
    let exported: Vec<_> = exports.iter().take(10).map(|name| quoted(name)).collect();
    let what = match exported.as_slice() {
        [] => "it exports nothing".to_owned(),
        names => format!("it exports {}", names.join(", ")),
    };
    let ours: Vec<_> = PluginKind::EXPORTS
        .iter()
        .map(|name| format!("`{name}`"))
        .collect();
    Problem::error("missing-export", what)
        .why(format!("a plugin exports one of {}", ours.join(", ")))
        .help("build it for the world `renderer`, `transformer` or `notifier`")
}

/// Tells an interface that is too old from one that is too new.
fn other_version(direction: &str, found: &str, supported: &str) -> Problem {
    let (theirs, ours) = (Interface::parse(found), Interface::parse(supported));
    let what = format!("it {direction}s {}", quoted(found));
    let why = format!("this host has `{supported}`");
    match (&theirs.version, &ours.version) {
        (Some(theirs), Some(ours)) if theirs > ours => Problem::error("newer-wit", what)
            .why(why)
            .help("it was built for a newer Bulkhead: update Bulkhead, or use an older release of the plugin"),
        (Some(_), Some(_)) => Problem::error("older-wit", what)
            .why(why)
            .help("it was built for an older Bulkhead: use a newer release of the plugin, or build it again from the published WIT"),
        _ => Problem::error("unversioned-wit", what)
            .why(why)
            .help("build it from the published WIT, whose packages have versions"),
    }
}

/// Classes imports for a plugin of `kind`; without one, as for a renderer.
fn classed(
    imports: &[String],
    kind: Option<PluginKind>,
    problems: &mut Vec<Problem>,
) -> Vec<Import> {
    let judged = kind.unwrap_or(PluginKind::Renderer);
    let linked = host::interfaces(judged);
    let mut classed = Vec::with_capacity(imports.len());
    for name in imports {
        let interface = Interface::parse(name);
        let ours = linked
            .iter()
            .find(|ours| Interface::parse(ours).name == interface.name);
        let fits = ours.is_some_and(|ours| Interface::parse(ours).fits(&interface));
        let class = match fits {
            true if name.starts_with("wasi:") => ImportClass::SealedWasi,
            true => ImportClass::Ours,
            false => ImportClass::Foreign,
        };
        match ours {
            Some(ours) if !fits => problems.push(other_version("import", name, ours)),
            Some(ours) => problems.extend(later(name, ours)),
            None if kind.is_some() => problems.push(foreign(judged, name)),
            None => {}
        }
        classed.push(Import {
            name: name.clone(),
            class,
        });
    }
    classed
}

/// Warns of an import that fits, and of which a later version may have more.
fn later(name: &str, ours: &str) -> Option<Problem> {
    let newer = Interface::parse(name).version > Interface::parse(ours).version;
    (newer && ours.starts_with("bulkhead:")).then(|| {
        Problem::warning("later-wit", format!("it imports {}", quoted(name)))
            .why(format!(
                "this host has `{ours}`: it fits unless the plugin uses what came later"
            ))
            .help("update Bulkhead")
    })
}

fn foreign(kind: PluginKind, name: &str) -> Problem {
    Problem::error("foreign-import", format!("it imports {}", quoted(name)))
        .why(format!("{kind}s do not get it"))
        .help(interface::advice(
            kind,
            std::slice::from_ref(&name.to_owned()),
        ))
}

/// Adds what is wrong with the manifest, alone and beside the component.
pub(super) fn manifest(inspection: &mut Inspection, manifest: &ManifestRead) {
    let manifest = match manifest {
        Ok(Some(manifest)) => manifest,
        Ok(None) => {
            inspection.problems.push(
                Problem::warning("no-manifest", "it has no manifest")
                    .why("nobody can tell its name, its configuration and what it asks for")
                    .help("build it with `bulkhead plugin build`, which embeds `bulkhead-plugin.yaml`"),
            );
            return;
        }
        Err(error) => {
            let help = error.advice().hint.unwrap_or_default();
            inspection.problems.push(
                Problem::error("invalid-manifest", "its manifest is not valid")
                    .why(error.to_string())
                    .help(help),
            );
            return;
        }
    };
    if let Some(kind) = inspection.kind.filter(|kind| *kind != manifest.kind) {
        let what = format!("its manifest says that it is a {}", manifest.kind);
        inspection.problems.push(
            Problem::error("other-kind", what)
                .why(format!("its exports make it a {kind}"))
                .help(
                    "correct `kind` and `world` of its manifest, or build it for the other world",
                ),
        );
    } else if let Some(world) = &inspection.world
        && !Interface::parse(world).fits(&Interface::parse(&manifest.world))
    {
        inspection
            .problems
            .push(other_version("name", &manifest.world, world));
    }
    inspection.problems.extend(min_host(&manifest.min_host));
}

/// Refuses what needs a newer host.
fn min_host(wanted: &str) -> Option<Problem> {
    needs_newer_host(wanted).then(|| {
        Problem::error("newer-host", format!("it needs Bulkhead {wanted}"))
            .why(format!("this is Bulkhead {HOST_VERSION}"))
            .help("update Bulkhead, or use an older release of the plugin")
    })
}

/// Tells whether `wanted`, a version or nothing, is later than this host.
pub(crate) fn needs_newer_host(wanted: &str) -> bool {
    match (Version::parse(wanted), Version::parse(HOST_VERSION)) {
        (Ok(wanted), Ok(host)) => wanted > host,
        _ => false,
    }
}

fn quoted(name: &str) -> String {
    format!(
        "`{}`",
        host::log::clean(name).chars().take(200).collect::<String>()
    )
}
