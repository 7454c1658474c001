//! What a plugin gets: what its manifest asks for and its user grants. Neither alone is enough.

use std::time::Duration;

use bulkhead_api::{GoDuration, TreePath};

use super::value::quantity_text;
use super::{Manifest, Requests, read};
use crate::glob::Glob;
use crate::limits::Limits;
use crate::names::PluginKind;

/// What a user grants to a plugin. The default grants nothing beyond what every plugin has: the
/// source's tree for renderers, the provider's own address and secrets for notifiers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// Files of the source that it may read, as patterns of `glob`; empty for all of them.
    pub files: Vec<String>,
    /// Hosts that it may send to beside the provider's own: `name`, or `name:port`.
    pub http: Vec<String>,
    /// Names of secrets that it may send with.
    pub secrets: Vec<String>,
    /// Questions to the cluster.
    pub lookup: bool,
    /// Memory in bytes, below or above the default.
    pub memory: Option<u64>,
    /// Time of a call, below or above the default.
    pub deadline: Option<Duration>,
    /// Size of an answer in bytes, below or above the default.
    pub output: Option<u64>,
    /// Fuel of a call; for hosts that meter.
    pub fuel: Option<u64>,
}

/// What a plugin gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effective {
    /// Which files of the source it may read.
    pub files: FileRules,
    /// Names of inputs that it takes.
    pub inputs: Vec<String>,
    /// Hosts that it may send to beside the provider's own.
    pub http: Vec<String>,
    /// Names of secrets that it may send with.
    pub secrets: Vec<String>,
    /// Whether it may ask the cluster.
    pub lookup: bool,
    withheld: Vec<String>,
    memory: Asked<u64>,
    deadline: Asked<Duration>,
    output: Asked<u64>,
    fuel: Option<u64>,
}

/// A limit: what the author asks for, and what the user says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Asked<T> {
    asked: Option<T>,
    granted: Option<T>,
}

impl<T: Ord + Copy> Asked<T> {
    /// The user's word holds; a request alone only lowers the default.
    fn within(self, default: T) -> T {
        match (self.granted, self.asked) {
            (Some(granted), _) => granted,
            (None, Some(asked)) => asked.min(default),
            (None, None) => default,
        }
    }

    fn lacking(self, default: T) -> Option<(T, T)> {
        let given = self.within(default);
        self.asked
            .filter(|asked| *asked > given)
            .map(|asked| (asked, given))
    }
}

impl Requests {
    /// Returns what is both asked for and granted.
    ///
    /// Memory and time are the user's to say: a grant holds whatever is asked for, and a request
    /// without a grant only lowers the default.
    pub fn within(&self, grants: &Grants) -> Effective {
        let mut withheld = Vec::new();
        let mut both = |asked: &[String], granted: &[String], what: &str| -> Vec<String> {
            let is_granted = |name: &String| granted.iter().any(|g| g.eq_ignore_ascii_case(name));
            let (given, kept): (Vec<_>, Vec<_>) = asked.iter().cloned().partition(is_granted);
            withheld.extend(kept.iter().map(|name| format!("{what} `{name}`")));
            given
        };
        let http = both(&self.http, &grants.http, "host");
        let secrets = both(&self.secrets, &grants.secrets, "secret");
        if self.lookup && !grants.lookup {
            withheld.push("questions to the cluster (`lookup`)".to_owned());
        }
        Effective {
            files: FileRules::new(&self.files, &grants.files),
            inputs: self.inputs.clone(),
            http,
            secrets,
            lookup: self.lookup && grants.lookup,
            withheld,
            memory: Asked {
                asked: self.memory,
                granted: grants.memory,
            },
            deadline: Asked {
                asked: self.deadline,
                granted: grants.deadline,
            },
            output: Asked {
                asked: None,
                granted: grants.output,
            },
            fuel: grants.fuel,
        }
    }

    /// Tells what is asked for beyond `approved`, for a person; empty when nothing is.
    pub fn exceeds(&self, approved: &Self) -> Vec<String> {
        let mut more = Vec::new();
        let mut beyond = |asked: &[String], known: &[String], what: &str| {
            let is_new = |name: &&String| !known.iter().any(|k| k.eq_ignore_ascii_case(name));
            more.extend(
                asked
                    .iter()
                    .filter(is_new)
                    .map(|name| format!("{what} `{name}`")),
            );
        };
        beyond(&self.http, &approved.http, "host");
        beyond(&self.secrets, &approved.secrets, "secret");
        beyond(&self.inputs, &approved.inputs, "input");
        // No pattern stands for all files: only a list can be exceeded.
        if !approved.files.is_empty() {
            match self.files.as_slice() {
                [] => more.push("all files of the source".to_owned()),
                files => beyond_files(&mut more, files, &approved.files),
            }
        }
        if self.lookup && !approved.lookup {
            more.push("questions to the cluster (`lookup`)".to_owned());
        }
        // `None` is the default, and asks for nothing: any number may be more.
        if let Some(memory) = self
            .memory
            .filter(|&m| approved.memory.is_none_or(|a| m > a))
        {
            more.push(format!("memory {}", quantity_text(memory)));
        }
        let longer = |d: &Duration| approved.deadline.is_none_or(|a| *d > a);
        if let Some(deadline) = self.deadline.filter(longer) {
            more.push(format!("deadline {}", GoDuration::from(deadline)));
        }
        more
    }
}

fn beyond_files(more: &mut Vec<String>, asked: &[String], approved: &[String]) {
    let is_new = |name: &&String| !approved.contains(name);
    more.extend(
        asked
            .iter()
            .filter(is_new)
            .map(|name| format!("files `{name}`")),
    );
}

impl Manifest {
    /// Returns what the plugin gets of what it asks for: [`Requests::within`].
    pub fn within(&self, grants: &Grants) -> Effective {
        self.requests.within(grants)
    }
}

impl Effective {
    /// Returns the limits of a call: the defaults of `kind`, as changed by requests and grants.
    pub fn limits(&self, kind: PluginKind) -> Limits {
        let limits = Limits::of(kind);
        Limits {
            memory_bytes: self.memory.within(limits.memory_bytes),
            deadline: self.deadline.within(limits.deadline),
            output_bytes: self.output.within(limits.output_bytes),
            fuel: self.fuel,
            ..limits
        }
    }

    /// Tells what a plugin of `kind` asks for and does not get, for a person:
    /// ``host `api.example.com` ``.
    pub fn withheld(&self, kind: PluginKind) -> Vec<String> {
        let limits = Limits::of(kind);
        let mut withheld = self.withheld.clone();
        if let Some((asked, given)) = self.memory.lacking(limits.memory_bytes) {
            let (asked, given) = (quantity_text(asked), quantity_text(given));
            withheld.push(format!("memory {asked} (it gets {given})"));
        }
        if let Some((asked, given)) = self.deadline.lacking(limits.deadline) {
            let (asked, given) = (GoDuration::from(asked), GoDuration::from(given));
            withheld.push(format!("deadline {asked} (it gets {given})"));
        }
        withheld
    }
}

/// Which files of a source a plugin may read: those that a pattern of its manifest matches and one
/// of its grants. No pattern matches all. Matched is the path that is asked for, before symbolic
/// links.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileRules {
    lists: Vec<Vec<Glob>>,
}

impl FileRules {
    /// A pattern that is none matches nothing; see [`Grants::check`].
    fn new(asked: &[String], granted: &[String]) -> Self {
        let lists: Vec<_> = [asked, granted].map(<[String]>::to_vec).into();
        Self::of(
            &lists
                .into_iter()
                .filter(|list| !list.is_empty())
                .collect::<Vec<_>>(),
        )
    }

    /// Tells whether the file at `path` may be read.
    pub fn allows(&self, path: &TreePath) -> bool {
        let matches = |list: &Vec<Glob>| list.iter().any(|glob| glob.matches(path));
        self.lists.iter().all(matches)
    }

    /// Returns the patterns of each list.
    pub(crate) fn patterns(&self) -> Vec<Vec<String>> {
        let texts = |list: &Vec<Glob>| list.iter().map(ToString::to_string).collect();
        self.lists.iter().map(texts).collect()
    }

    /// Makes rules of the patterns of each list.
    pub(crate) fn of(lists: &[Vec<String>]) -> Self {
        let list = |patterns: &Vec<String>| -> Vec<Glob> {
            patterns.iter().flat_map(|text| Glob::parse(text)).collect()
        };
        Self {
            lists: lists.iter().map(list).collect(),
        }
    }

    /// Returns the rules as text: part of what a render depends on. Empty for all files.
    pub(crate) fn text(&self) -> String {
        let lists: Vec<_> = self.patterns().iter().map(|list| list.join("\0")).collect();
        lists.join("\0&\0")
    }
}

/// A grant that cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the grant `{field}` {problem}")]
pub struct GrantError {
    /// Which one: `files[0]`.
    pub field: String,
    /// What is wrong: ``is no pattern of paths``.
    pub problem: String,
}

impl Grants {
    /// Checks that each grant can be meant.
    ///
    /// # Errors
    /// [`GrantError`] names the first that cannot.
    pub fn check(&self) -> Result<(), GrantError> {
        let list = |name: &str, entries: &[String], check: fn(&str) -> Result<(), String>| {
            entries.iter().enumerate().try_for_each(|(index, entry)| {
                check(entry).map_err(|problem| GrantError {
                    field: format!("{name}[{index}]"),
                    problem,
                })
            })
        };
        list("files", &self.files, read::pattern)?;
        list("http", &self.http, read::host)?;
        list("secrets", &self.secrets, read::short)?;
        let zero = |field: &str| GrantError {
            field: field.to_owned(),
            problem: "is 0: nothing runs with that".to_owned(),
        };
        match self {
            Self {
                memory: Some(0), ..
            } => Err(zero("memory")),
            Self {
                output: Some(0), ..
            } => Err(zero("output")),
            Self { fuel: Some(0), .. } => Err(zero("fuel")),
            Self {
                deadline: Some(Duration::ZERO),
                ..
            } => Err(zero("deadline")),
            _ => Ok(()),
        }
    }
}
