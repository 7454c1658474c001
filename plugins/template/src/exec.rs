//! Executes templates, as Go 1.26's text/template does (exec.go): runs, walks, loops. What is between
//! the braces is evaluated in [`crate::eval`].

use std::any::Any;
use std::fmt;
use std::rc::Rc;

use crate::ast::{Branch, Call, Command, Node, Pipe, Word};
use crate::error::Error;
use crate::func::{Function, Functions};
use crate::parse::{Tree, TreeSet};
use crate::quote::quote;
use crate::value::{IntType, Value};

/// What happens when a map lacks the key that a field names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingKey {
    /// Nothing: Go's default.
    #[default]
    Invalid,
    /// The zero of the element type: nil, for maps of anything. Helm's choice.
    Zero,
    /// An error. Helm's choice under `--strict`.
    Error,
}

/// Bounds of an execution: input decides how long it takes, so something must end it.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Deepest chain of templates that call templates. Go's own is 100,000, or 1,000 under Wasm.
    pub depth: usize,
    /// Longest text, in bytes, of one template with all that it calls, and of one function.
    pub output_bytes: usize,
    /// Most nodes that are walked, loops and calls counted each time.
    pub steps: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 1_000,
            output_bytes: 32 << 20,
            steps: 100_000_000,
        }
    }
}

/// What stops a walk before its end.
pub(crate) enum Stop {
    Break,
    Continue,
    Error(Box<Error>),
}

pub(crate) type Walked<T> = Result<T, Stop>;

/// An execution: the templates and functions it may use, and what it has used up.
pub struct Run<'a> {
    /// Templates by name. Functions such as Helm's `tpl` may put a copy with more in its place.
    pub set: Rc<TreeSet>,
    /// Functions by name, the built-in ones included.
    pub functions: &'a Functions,
    /// What a missing key means.
    pub missing_key: MissingKey,
    /// Bounds of the whole.
    pub limits: Limits,
    /// Whatever the functions of the caller need to know.
    pub context: &'a dyn Any,
    /// Methods of named types of maps and integers: type, name, what it does. The value is the first
    /// argument.
    pub map_methods: &'a [(&'static str, &'static str, Function)],
    pub(crate) depth: usize,
    steps: u64,
}

impl<'a> Run<'a> {
    /// Prepares an execution.
    pub fn new(
        set: Rc<TreeSet>,
        functions: &'a Functions,
        missing_key: MissingKey,
        limits: Limits,
        context: &'a dyn Any,
    ) -> Self {
        Self {
            set,
            functions,
            missing_key,
            limits,
            context,
            map_methods: &[],
            depth: 0,
            steps: 0,
        }
    }

    /// Executes the template `name` with `data` as its dot and `$`; returns what it prints.
    ///
    /// # Errors
    /// What the template does wrong, or that a limit is reached.
    pub fn execute(&mut self, name: &str, data: Value) -> Result<String, Error> {
        let Some(tree) = self.set.get(name).cloned() else {
            return Err(format!(
                "template: no template {} associated with template \"gotpl\"",
                quote(name)
            )
            .into());
        };
        self.execute_tree(&tree, data)
    }

    /// Executes one template with `data` as its dot and `$`; returns what it prints.
    ///
    /// # Errors
    /// As [`Self::execute`].
    pub fn execute_tree(&mut self, tree: &Tree, data: Value) -> Result<String, Error> {
        if self.depth >= self.limits.depth {
            let most = self.limits.depth;
            let text = format!(
                "template: {}: exceeded maximum template depth ({most})",
                tree.parse_name
            );
            return Err(Error::exec(text, None));
        }
        let mut out = String::new();
        match self.template(tree, data.dig(), &mut out) {
            Err(Stop::Error(error)) => Err(*error),
            Ok(()) | Err(Stop::Break | Stop::Continue) => Ok(out),
        }
    }

    fn template(&mut self, tree: &Tree, dot: Value, out: &mut String) -> Walked<()> {
        let dot = Dot::concrete(dot);
        let mut frame = Frame {
            node: Place { at: 0, text: &"" },
            tree,
            variables: vec![Variable {
                name: "$".into(),
                value: dot.clone(),
            }],
            run: self,
        };
        frame.run.depth += 1;
        let walked = frame.walk_list(&dot, &tree.root, out);
        self.depth -= 1;
        walked
    }

    pub(crate) fn method(&self, kind: &str, name: &str) -> Option<&'a Function> {
        let is_it =
            |(known, method, _): &&(&str, &str, Function)| *known == kind && *method == name;
        self.map_methods
            .iter()
            .find(is_it)
            .map(|(_, _, function)| function)
    }

    /// Counts one step against the limit; functions that loop call it too.
    ///
    /// # Errors
    /// That the limit is reached.
    pub fn step(&mut self) -> Result<(), Error> {
        self.charge(1)
    }

    /// Counts `steps` at once: what a function does on large arguments.
    ///
    /// # Errors
    /// That the limit is reached.
    pub fn charge(&mut self, steps: u64) -> Result<(), Error> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > self.limits.steps {
            let most = self.limits.steps;
            return Err(
                format!("more than {most} steps; is there a loop that does not end?").into(),
            );
        }
        Ok(())
    }
}

/// A value, and whether Go sees it through an `interface {}`: its messages tell the two apart.
#[derive(Clone)]
pub(crate) struct Dot {
    pub value: Value,
    pub is_interface: bool,
}

impl Dot {
    pub(crate) fn concrete(value: Value) -> Self {
        Self {
            value,
            is_interface: false,
        }
    }

    pub(crate) fn element(value: Value) -> Self {
        Self {
            value,
            is_interface: true,
        }
    }
}

pub(crate) struct Variable {
    pub name: Rc<str>,
    pub value: Dot,
}

/// Where an error happens: its position, and what is written between `<` and `>`.
#[derive(Clone, Copy)]
pub(crate) struct Place<'t> {
    pub at: usize,
    pub text: &'t dyn fmt::Display,
}

impl<'t> From<&'t Word> for Place<'t> {
    fn from(word: &'t Word) -> Self {
        Self {
            at: word.at,
            text: word,
        }
    }
}

impl<'t> From<&'t Command> for Place<'t> {
    fn from(command: &'t Command) -> Self {
        Self {
            at: command.at,
            text: command,
        }
    }
}

impl<'t> From<&'t Pipe> for Place<'t> {
    fn from(pipe: &'t Pipe) -> Self {
        Self {
            at: pipe.at,
            text: pipe,
        }
    }
}

/// The execution of one template.
pub(crate) struct Frame<'t, 'r, 'a> {
    pub run: &'r mut Run<'a>,
    pub tree: &'t Tree,
    /// What was looked at last: errors name it.
    pub node: Place<'t>,
    pub variables: Vec<Variable>,
}

impl<'t> Frame<'t, '_, '_> {
    pub(crate) fn error<T>(&self, message: impl fmt::Display) -> Walked<T> {
        self.error_from(message, None)
    }

    pub(crate) fn error_from<T>(
        &self,
        message: impl fmt::Display,
        cause: Option<Box<Error>>,
    ) -> Walked<T> {
        let text = self.tree.text.as_bytes();
        let before = &text[..self.node.at.min(text.len())];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let newline = before.iter().rposition(|byte| *byte == b'\n');
        let column = before.len() - newline.map_or(0, |newline| newline + 1);
        let text = format!(
            "template: {}:{line}:{column}: executing {} at <{}>: {message}",
            self.tree.parse_name,
            quote(&self.tree.name),
            self.node.text
        );
        Err(Stop::Error(Box::new(Error::exec(text, cause))))
    }

    pub(crate) fn at(&mut self, place: impl Into<Place<'t>>) {
        self.node = place.into();
    }

    fn step(&mut self, out: &str) -> Walked<()> {
        if let Err(error) = self.run.step() {
            return self.error(error);
        }
        if out.len() > self.run.limits.output_bytes {
            let most = self.run.limits.output_bytes;
            return self.error(format!("more than {most} bytes of output"));
        }
        Ok(())
    }

    fn walk_list(&mut self, dot: &Dot, list: &'t [Node], out: &mut String) -> Walked<()> {
        for node in list {
            self.walk(dot, node, out)?;
        }
        Ok(())
    }

    fn walk(&mut self, dot: &Dot, node: &'t Node, out: &mut String) -> Walked<()> {
        self.step(out)?;
        match node {
            Node::Text(from, to) => out.push_str(&self.tree.text[*from..*to]),
            Node::Action(pipe) => {
                let value = self.pipeline(dot, pipe)?;
                if pipe.variables.is_empty() {
                    crate::format::print(&value, out);
                }
                if crate::depth::was_cut() {
                    return self.error(format!(
                        "a value that holds itself, or is nested deeper than {}, cannot be printed",
                        crate::depth::MAX_DEPTH
                    ));
                }
            }
            Node::If(branch) => self.walk_branch(dot, branch, false, out)?,
            Node::With(branch) => self.walk_branch(dot, branch, true, out)?,
            Node::Range(branch) => self.walk_range(dot, branch, out)?,
            Node::Template(call) => self.walk_call(dot, call, out)?,
            Node::Break => return Err(Stop::Break),
            Node::Continue => return Err(Stop::Continue),
        }
        Ok(())
    }

    fn walk_branch(
        &mut self,
        dot: &Dot,
        branch: &'t Branch,
        sets_dot: bool,
        out: &mut String,
    ) -> Walked<()> {
        let mark = self.variables.len();
        let value = self.pipeline(dot, &branch.pipe)?;
        let walked = if value.truth() {
            if sets_dot {
                self.walk_list(&Dot::concrete(value), &branch.list, out)
            } else {
                self.walk_list(dot, &branch.list, out)
            }
        } else if let Some(list) = &branch.otherwise {
            self.walk_list(dot, list, out)
        } else {
            Ok(())
        };
        self.variables.truncate(mark);
        walked
    }

    fn walk_range(&mut self, dot: &Dot, branch: &'t Branch, out: &mut String) -> Walked<()> {
        let mark = self.variables.len();
        let walked = self.range(dot, branch, out);
        self.variables.truncate(mark);
        match walked {
            Err(Stop::Break) => Ok(()),
            other => other,
        }
    }

    fn range(&mut self, dot: &Dot, branch: &'t Branch, out: &mut String) -> Walked<()> {
        let value = self.pipeline(dot, &branch.pipe)?;
        let mut ran = false;
        match &value {
            Value::Invalid | Value::Nil => {}
            Value::Int(count, kind) => {
                if branch.pipe.variables.len() > 1 {
                    let text = crate::format::text(&value);
                    return self.error(format!(
                        "can't use {text} to iterate over more than one variable"
                    ));
                }
                for index in 0..*count {
                    ran = true;
                    let item = Dot::concrete(Value::Int(index, *kind));
                    self.iterate(branch, Value::Invalid, item, out)?;
                }
            }
            Value::List(list) => {
                for (index, item) in list.items.iter().enumerate() {
                    ran = true;
                    let item = Dot {
                        value: item.clone(),
                        is_interface: list.element == crate::value::ANY,
                    };
                    self.iterate(branch, Value::int(index as i64), item, out)?;
                }
            }
            Value::Bytes(bytes) => {
                for (index, byte) in bytes.iter().enumerate() {
                    ran = true;
                    let byte = Dot::concrete(Value::Int(i64::from(*byte), IntType::Uint8));
                    self.iterate(branch, Value::int(index as i64), byte, out)?;
                }
            }
            Value::Map(map) => {
                let entries: Vec<(Rc<str>, Value)> = map
                    .entries
                    .borrow()
                    .iter()
                    .map(|(k, v)| (k.clone(), v.clone()))
                    .collect();
                for (key, item) in entries {
                    ran = true;
                    let item = Dot {
                        value: item,
                        is_interface: map.type_name != "map[string]string",
                    };
                    self.iterate(branch, Value::String(key), item, out)?;
                }
            }
            Value::Object(object) => {
                let Some(entries) = object.entries() else {
                    return self.cannot_range(&value);
                };
                for (key, item) in entries {
                    ran = true;
                    self.iterate(branch, key, Dot::concrete(item), out)?;
                }
            }
            _ => return self.cannot_range(&value),
        }
        match &branch.otherwise {
            Some(list) if !ran => self.walk_list(dot, list, out),
            _ => Ok(()),
        }
    }

    fn cannot_range(&self, value: &Value) -> Walked<()> {
        let text = crate::format::text(value);
        self.error(format!("range can't iterate over {text}"))
    }

    fn iterate(
        &mut self,
        branch: &'t Branch,
        index: Value,
        item: Dot,
        out: &mut String,
    ) -> Walked<()> {
        self.step(out)?;
        let mark = self.variables.len();
        let index = Dot::concrete(index);
        match (branch.pipe.variables.as_slice(), branch.pipe.is_assign) {
            ([first, second], true) => {
                self.assign(first, &index)?;
                self.assign(second, &item)?;
            }
            ([only], true) => self.assign(only, &item)?,
            // The pipeline pushed the variables in order: the element is the last of them.
            ([_, _], false) if mark > 1 => {
                self.variables[mark - 1].value = item.clone();
                self.variables[mark - 2].value = index;
            }
            ([_], false) if mark > 0 => self.variables[mark - 1].value = item.clone(),
            _ => {}
        }
        let walked = self.walk_list(&item, &branch.list, out);
        self.variables.truncate(mark);
        match walked {
            Err(Stop::Continue) => Ok(()),
            other => other,
        }
    }

    pub(crate) fn assign(&mut self, name: &str, value: &Dot) -> Walked<()> {
        match self
            .variables
            .iter_mut()
            .rev()
            .find(|known| *known.name == *name)
        {
            Some(variable) => {
                variable.value = value.clone();
                Ok(())
            }
            None => self.error(format!("undefined variable: {name}")),
        }
    }

    fn walk_call(&mut self, dot: &Dot, call: &'t Call, out: &mut String) -> Walked<()> {
        self.at(Place {
            at: call.at,
            text: call,
        });
        let Some(tree) = self.run.set.get(&call.name).cloned() else {
            return self.error(format!("template {} not defined", quote(&call.name)));
        };
        if self.run.depth >= self.run.limits.depth {
            let most = self.run.limits.depth;
            return self.error(format!("exceeded maximum template depth ({most})"));
        }
        let dot = match &call.pipe {
            Some(pipe) => self.pipeline(dot, pipe)?,
            None => Value::Invalid,
        };
        self.run.template(&tree, dot, out)
    }
}
