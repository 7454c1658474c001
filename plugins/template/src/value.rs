//! Values as Go's templates see them: what `reflect` would say of them, without reflection.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::func::Param;

/// Keys and values of a map, sorted by key as Go prints and ranges them.
pub type Entries = BTreeMap<Rc<str>, Value>;

/// A value of a template.
#[derive(Clone, Debug)]
pub enum Value {
    /// Nothing at all: what a pipeline gives for nil. Prints as `<no value>`, and every field of it
    /// is nothing again.
    Invalid,
    /// A nil that stands in a map, a list or a variable of interface type. A field of it is an error.
    Nil,
    /// A boolean.
    Bool(bool),
    /// An integer, with its Go type.
    Int(i64, IntType),
    /// A `float64`.
    Float(f64),
    /// A `complex128`.
    Complex(f64, f64),
    /// A string. Bytes that are not UTF-8 are replaced where a string is made.
    String(Rc<str>),
    /// A `[]byte`.
    Bytes(Rc<[u8]>),
    /// A slice.
    List(List),
    /// A map with string keys. Copies share it: `set` is seen by all.
    Map(Map),
    /// A struct, or anything with methods.
    Object(Rc<dyn Object>),
}

/// Go's integer types that templates meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in Go")]
pub enum IntType {
    Int,
    Int32,
    Int64,
    Uint8,
    Uint32,
    Uint64,
    /// `time.Duration`, `os.FileMode` and the like: an int64 or uint32 by another name.
    Named(&'static str, bool),
}

impl IntType {
    /// Tells whether it is a signed type.
    pub fn is_signed(self) -> bool {
        match self {
            Self::Int | Self::Int32 | Self::Int64 => true,
            Self::Uint8 | Self::Uint32 | Self::Uint64 => false,
            Self::Named(_, signed) => signed,
        }
    }

    /// Returns Go's name of the kind (`reflect.Kind`).
    pub fn kind(self) -> &'static str {
        match self {
            Self::Int | Self::Named("time.Month" | "time.Weekday", _) => "int",
            Self::Int32 => "int32",
            Self::Int64 | Self::Named(_, true) => "int64",
            Self::Uint8 => "uint8",
            Self::Uint32 | Self::Named(_, false) => "uint32",
            Self::Uint64 => "uint64",
        }
    }

    /// Returns Go's name of the type.
    pub fn name(self) -> &'static str {
        match self {
            Self::Named(name, _) => name,
            other => other.kind(),
        }
    }
}

/// A slice: immutable, shared by its copies.
#[derive(Clone, Debug)]
pub struct List {
    /// The elements.
    pub items: Rc<Vec<Value>>,
    /// Go's name of the element type: `interface {}`, `string`, `int`.
    pub element: &'static str,
    /// Whether it is nil, which JSON tells from an empty one. A nil list has no elements.
    pub is_nil: bool,
}

/// A map: shared by its copies, which all see a change.
#[derive(Clone, Debug)]
pub struct Map {
    /// The entries.
    pub entries: Rc<RefCell<Entries>>,
    /// Go's name of the type: `map[string]interface {}`, `common.Values`.
    pub type_name: &'static str,
    /// Whether it is nil, which JSON tells from an empty one. A nil map takes no entries.
    pub is_nil: bool,
}

impl Map {
    /// The same map by another name of its type.
    #[must_use]
    pub fn named(&self, type_name: &'static str) -> Self {
        Self {
            entries: Rc::clone(&self.entries),
            type_name,
            is_nil: self.is_nil,
        }
    }
}

thread_local! {
    /// What lists and maps held that are gone, and whether somebody is dropping it.
    static GONE: RefCell<(Vec<Gone>, bool)> = const { RefCell::new((Vec::new(), false)) };
}

/// What a list or a map held.
enum Gone {
    Items(Vec<Value>),
    Entries(Entries),
}

/// Drops what is in `gone` without going deeper on the stack: templates build what nests as deeply
/// as they like.
fn drop_flat(gone: Gone) {
    let is_first = GONE.with_borrow_mut(|(waiting, is_dropping)| {
        waiting.push(gone);
        !std::mem::replace(is_dropping, true)
    });
    if !is_first {
        return;
    }
    let next = || GONE.with_borrow_mut(|(waiting, _)| waiting.pop());
    while let Some(gone) = next() {
        match gone {
            Gone::Items(items) => drop(items),
            Gone::Entries(entries) => drop(entries),
        }
    }
    GONE.with_borrow_mut(|(_, is_dropping)| *is_dropping = false);
}

impl Drop for List {
    fn drop(&mut self) {
        if let Some(items) = Rc::get_mut(&mut self.items)
            && !items.is_empty()
        {
            drop_flat(Gone::Items(std::mem::take(items)));
        }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        if let Some(entries) = Rc::get_mut(&mut self.entries)
            && !entries.get_mut().is_empty()
        {
            drop_flat(Gone::Entries(std::mem::take(entries.get_mut())));
        }
    }
}

/// Go's name of a map of anything.
pub const ANY_MAP: &str = "map[string]interface {}";
/// Go's name of the element type of a slice of anything.
pub const ANY: &str = "interface {}";

/// A struct or anything else with fields and methods.
pub trait Object: std::fmt::Debug {
    /// Go's name of the type, for messages and `printf "%T"`.
    fn type_name(&self) -> &str;

    /// Go's name of the kind: `struct`, `ptr`, `map`, `func`.
    fn kind(&self) -> &str {
        "struct"
    }

    /// Returns a field; `None` if there is none of that name.
    fn field(&self, name: &str) -> Option<Value>;

    /// Returns the parameters of a method; `None` if there is none of that name.
    fn method(&self, name: &str) -> Option<&'static [Param]> {
        let _ = name;
        None
    }

    /// Calls a method that [`Self::method`] named.
    ///
    /// # Errors
    /// What the method's own error says.
    fn call(&self, name: &str, arguments: &[Value]) -> Result<Value, String> {
        let _ = arguments;
        Err(format!("{name} is not a method"))
    }

    /// Tells why a method cannot be called from a template at all, which Go says of methods with
    /// several results.
    fn bad_signature(&self, name: &str) -> Option<String> {
        let _ = name;
        None
    }

    /// Returns the entries to range over, for what is a map underneath.
    fn entries(&self) -> Option<Vec<(Value, Value)>> {
        None
    }

    /// Returns itself, to be told what it is.
    fn as_any(&self) -> &dyn std::any::Any;

    /// Tells whether it counts as true.
    fn truth(&self) -> bool {
        true
    }

    /// Writes it as `%v` does.
    fn print(&self) -> String;

    /// Writes it as an action does; what a pointer points at, not that it is one.
    fn shown(&self) -> String {
        let text = self.print();
        text.strip_prefix('&').map(str::to_owned).unwrap_or(text)
    }

    /// Writes it where a verb does not fit: what it is made of, whatever its type would have.
    fn raw(&self) -> String {
        self.print()
    }

    /// Tells whether its type has a say in how it prints, as Go's `Stringer`s have.
    fn is_stringer(&self) -> bool {
        true
    }

    /// Tells whether it is a pointer that prints as an address inside of other values.
    fn is_bare_pointer(&self) -> bool {
        self.kind() == "ptr" && !self.is_stringer()
    }

    /// Returns the fields of a struct, those of its own only included, as `%+v` names them.
    fn parts(&self) -> Option<Vec<(&'static str, Value)>> {
        None
    }

    /// Writes it as `%#v` does.
    fn go_syntax(&self) -> String {
        self.print()
    }

    /// Returns the exported fields of a struct by their Go names, in their order, for encoders that
    /// do not read the names of JSON.
    fn go_fields(&self) -> Option<Vec<(&'static str, Value)>> {
        None
    }

    /// Returns it as plain data, for `toYaml` and `toJson`.
    fn plain(&self) -> Plain {
        Plain::Value(Value::String(self.print().into()))
    }
}

/// What `encoding/json` sees of an object.
#[derive(Clone, Debug)]
pub enum Plain {
    /// A value.
    Value(Value),
    /// The fields of a struct, in their order.
    Struct(Vec<(&'static str, Value)>),
}

impl Value {
    /// Makes an `int`.
    pub fn int(value: i64) -> Self {
        Self::Int(value, IntType::Int)
    }

    /// Makes a string.
    pub fn string(text: impl Into<Rc<str>>) -> Self {
        Self::String(text.into())
    }

    /// Makes a `[]interface {}`.
    pub fn list(items: Vec<Value>) -> Self {
        Self::List(List {
            items: Rc::new(items),
            element: ANY,
            is_nil: false,
        })
    }

    /// Makes a list that is nil.
    pub fn nil_list(element: &'static str) -> Self {
        Self::List(List {
            items: Rc::default(),
            element,
            is_nil: true,
        })
    }

    /// Makes a `[]string`.
    pub fn strings<T: Into<Rc<str>>>(items: impl IntoIterator<Item = T>) -> Self {
        let items = items.into_iter().map(Self::string).collect();
        Self::List(List {
            items: Rc::new(items),
            element: "string",
            is_nil: false,
        })
    }

    /// Makes a `map[string]interface {}`.
    pub fn map(entries: Entries) -> Self {
        Self::Map(Map {
            entries: Rc::new(RefCell::new(entries)),
            type_name: ANY_MAP,
            is_nil: false,
        })
    }

    /// Makes a map that is nil.
    pub fn nil_map(type_name: &'static str) -> Self {
        Self::Map(Map {
            entries: Rc::default(),
            type_name,
            is_nil: true,
        })
    }

    /// Tells whether it is a nil of some kind.
    pub fn is_nil(&self) -> bool {
        matches!(self, Self::Invalid | Self::Nil)
    }

    /// Tells whether it counts as true: not the zero of its type.
    pub fn truth(&self) -> bool {
        match self {
            Self::Invalid | Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(value, _) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Complex(real, imaginary) => *real != 0.0 || *imaginary != 0.0,
            Self::String(text) => !text.is_empty(),
            Self::Bytes(bytes) => !bytes.is_empty(),
            Self::List(list) => !list.items.is_empty(),
            Self::Map(map) => !map.entries.borrow().is_empty(),
            Self::Object(object) => object.truth(),
        }
    }

    /// Returns Go's name of the type.
    pub fn type_name(&self) -> String {
        match self {
            Self::Invalid | Self::Nil => "<nil>".to_owned(),
            Self::Bool(_) => "bool".to_owned(),
            Self::Int(_, kind) => kind.name().to_owned(),
            Self::Float(_) => "float64".to_owned(),
            Self::Complex(..) => "complex128".to_owned(),
            Self::String(_) => "string".to_owned(),
            Self::Bytes(_) => "[]uint8".to_owned(),
            Self::List(list) => format!("[]{}", list.element),
            Self::Map(map) => map.type_name.to_owned(),
            Self::Object(object) => object.type_name().to_owned(),
        }
    }

    /// Returns Go's name of the kind.
    pub fn kind(&self) -> String {
        match self {
            Self::Invalid | Self::Nil => "invalid".to_owned(),
            Self::Int(_, kind) => kind.kind().to_owned(),
            Self::Bytes(_) | Self::List(_) => "slice".to_owned(),
            Self::Map(_) => "map".to_owned(),
            Self::Object(object) => object.kind().to_owned(),
            other => other.type_name(),
        }
    }

    /// Turns a nil interface into nothing, as the end of a pipeline does.
    pub(crate) fn dig(self) -> Self {
        if let Self::Nil = self {
            Self::Invalid
        } else {
            self
        }
    }

    /// Returns the text of a string.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self {
            Some(text)
        } else {
            None
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}
