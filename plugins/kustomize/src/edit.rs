//! Reading and changing nodes by path and name, with the rules of kyaml's functions. In: a node and
//! where to go from it. Out: nodes. Never: anything about Kubernetes.

mod path;

use std::rc::Rc;

use crate::error::{Code, Error, Outcome, fail};
use crate::node::{Id, Kind, Node, Tag, Tree, style};
use crate::yaml;

pub(crate) use self::path::{
    is_list_index, is_number, part_kind, split_dotted, split_index, split_path,
};

impl Tree {
    /// Fails unless the node is of this kind; nothing and null pass.
    pub(crate) fn expect(&self, id: Id, kind: Kind) -> Outcome<()> {
        let id = self.unwrap(id);
        if self.is_null(Some(id)) || self[id].kind == kind {
            return Ok(());
        }
        let mut error = Error::new(
            Code::TransformFailed,
            format!(
                "wrong node kind: expected {} but got {}: node contents:\n{}",
                kind.name(),
                self[id].kind.name(),
                yaml::emit(self, id),
            ),
        );
        error.found = Some(self[id].kind);
        Err(error)
    }

    /// The value of a field; nothing when the node is null or has no such field.
    pub(crate) fn get(&self, id: Id, name: &str) -> Outcome<Option<Id>> {
        if self.is_null(Some(id)) {
            return Ok(None);
        }
        self.expect(id, Kind::Mapping)?;
        Ok(self.find(id, name).map(|(_, value)| value))
    }

    /// The value of a field if it is this text.
    fn get_equal(&self, id: Id, name: &str, value: &str) -> Outcome<Option<Id>> {
        Ok(self
            .get(id, name)?
            .filter(|found| &*self[*found].value == value))
    }

    /// Elements of a sequence; none for null.
    pub(crate) fn elements(&self, id: Id) -> Outcome<Vec<Id>> {
        self.expect(id, Kind::Sequence)?;
        Ok(self[self.unwrap(id)].content.clone())
    }

    /// Follows a path: field names, `[name=value]`, numbers, and `-` for the last element.
    pub(crate) fn lookup<S: AsRef<str>>(&mut self, id: Id, path: &[S]) -> Outcome<Option<Id>> {
        self.walk_path(id, path, None)
    }

    /// Follows a path and makes what is missing; the last part becomes `kind`.
    pub(crate) fn lookup_create<S: AsRef<str>>(
        &mut self,
        id: Id,
        kind: Kind,
        path: &[S],
    ) -> Outcome<Option<Id>> {
        self.walk_path(id, path, Some(kind))
    }

    fn walk_path<S: AsRef<str>>(
        &mut self,
        id: Id,
        path: &[S],
        create: Option<Kind>,
    ) -> Outcome<Option<Id>> {
        let parts: Vec<&str> = path
            .iter()
            .map(|part| part.as_ref().trim())
            .filter(|part| !part.is_empty())
            .collect();
        let mut at = self.unwrap(id);
        for (i, part) in parts.iter().enumerate() {
            match self.step(at, part, parts.get(i + 1).copied().unwrap_or(""), create)? {
                Some(next) => at = self.unwrap(next),
                None => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    fn step(
        &mut self,
        at: Id,
        part: &str,
        next: &str,
        create: Option<Kind>,
    ) -> Outcome<Option<Id>> {
        if let Ok(index) = part.parse::<i64>() {
            let Ok(index) = usize::try_from(index) else {
                return Err(fail!(
                    TransformFailed,
                    "array index {index} cannot be negative"
                ));
            };
            return Ok(self.elements(at)?.get(index).copied());
        }
        match part {
            "-" => Ok(self.elements(at)?.last().copied()),
            "*" => Err(fail!(
                TransformFailed,
                "wildcard is not supported in PathGetter"
            )),
            part if is_list_index(part) => self.step_element(at, part, create),
            name => {
                let Some(last) = create else {
                    return self.get(at, name);
                };
                if self.is_null(Some(at)) {
                    return Ok(None);
                }
                if let Some(found) = self.get(at, name)? {
                    return Ok(Some(found));
                }
                let made = self.add(Node::of(part_kind(next, last)));
                self.set_field(at, name, Some(made))?;
                Ok(Some(made))
            }
        }
    }

    fn step_element(&mut self, at: Id, part: &str, create: Option<Kind>) -> Outcome<Option<Id>> {
        let (name, value) = split_index(part)?;
        let found = if name.is_empty() {
            self.element_by_value(at, value)?
        } else {
            self.element_by_keys(at, &[name], &[value])?
        };
        if found.is_some() || create.is_none() {
            return Ok(found);
        }
        let scalar = self.add_scalar(value);
        let made = if name.is_empty() {
            scalar
        } else {
            let key = self.add_scalar(name);
            self.add(Node {
                kind: Kind::Mapping,
                content: vec![key, scalar],
                ..Node::default()
            })
        };
        self.append(at, made)?;
        Ok(Some(made))
    }

    /// Adds an element to a sequence.
    pub(crate) fn append(&mut self, id: Id, element: Id) -> Outcome<()> {
        self.expect(id, Kind::Sequence)?;
        let id = self.unwrap(id);
        self[id].content.push(element);
        Ok(())
    }

    fn element_by_value(&self, id: Id, value: &str) -> Outcome<Option<Id>> {
        self.expect(id, Kind::Sequence)?;
        Ok(self[id]
            .content
            .iter()
            .copied()
            .find(|element| &*self[*element].value == value))
    }

    /// The first element whose fields have these values.
    pub(crate) fn element_by_keys<K: AsRef<str>, V: AsRef<str>>(
        &self,
        id: Id,
        keys: &[K],
        values: &[V],
    ) -> Outcome<Option<Id>> {
        self.expect(id, Kind::Sequence)?;
        if keys.is_empty() || keys[0].as_ref().is_empty() {
            return self.element_by_value(id, values.first().map_or("", AsRef::as_ref));
        }
        for &element in &self[id].content {
            if self.is_null(Some(element)) || self[element].kind != Kind::Mapping {
                continue;
            }
            if keys.len() != values.len() {
                return Err(fail!(
                    TransformFailed,
                    "length of keys must equal length of values when MatchAnyValue is false"
                ));
            }
            let mut all = true;
            for (key, value) in keys.iter().zip(values) {
                all = all
                    && self
                        .get_equal(element, key.as_ref(), value.as_ref())?
                        .is_some();
            }
            if all {
                return Ok(Some(element));
            }
        }
        Ok(None)
    }

    /// Puts `element` in place of the elements whose `keys` have these `values`, or at the end; with
    /// no element it removes them. Empty elements are dropped on the way.
    pub(crate) fn set_element(
        &mut self,
        id: Id,
        element: Option<Id>,
        keys: &[&str],
        values: &[&str],
    ) -> Outcome<()> {
        self.expect(id, Kind::Sequence)?;
        let by_field = keys.first().is_some_and(|key| !key.is_empty())
            && values.first().is_some_and(|v| !v.is_empty());
        let keys: &[&str] = if keys.is_empty() { &[""] } else { keys };
        let mut content = Vec::with_capacity(self[id].content.len() + 1);
        let mut matched = false;
        for old in self[id].content.clone() {
            if self.is_null(Some(old))
                || (self[old].kind == Kind::Mapping && self[old].content.is_empty())
            {
                continue;
            }
            if self[old].kind != Kind::Mapping && by_field {
                content.push(old);
                continue;
            }
            if !self.element_matches(old, keys, values)? {
                if !values.is_empty() {
                    content.push(old);
                }
                continue;
            }
            matched = true;
            content.extend(element);
        }
        if let Some(new) = element
            && !matched
            && !self.is_null(Some(new))
        {
            content.push(new);
        }
        self[id].content = content;
        self[id].emptied = false;
        Ok(())
    }

    fn element_matches(&self, element: Id, keys: &[&str], values: &[&str]) -> Outcome<bool> {
        let mut found = false;
        for (i, key) in keys.iter().enumerate() {
            if let Some(value) = values.get(i) {
                found = if key.is_empty() {
                    self.expect(element, Kind::Scalar)?;
                    *self.value(Some(element)) == **value
                } else if value.is_empty() {
                    // kyaml takes an empty value for "any".
                    self.get(element, key)?.is_some()
                } else {
                    self.get_equal(element, key, value)?.is_some()
                };
            }
            if !found {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Removes the first field with this name.
    pub(crate) fn clear(&mut self, id: Id, name: &str) -> Outcome<Option<Id>> {
        self.clear_if(id, name, false)
    }

    /// Removes the first field with this name, or only where it is empty.
    pub(crate) fn clear_if(&mut self, id: Id, name: &str, only_empty: bool) -> Outcome<Option<Id>> {
        self.expect(id, Kind::Mapping)?;
        let id = self.unwrap(id);
        let found = self[id].content.chunks_exact(2).position(|pair| {
            &*self[pair[0]].value == name && (!only_empty || self[pair[1]].content.is_empty())
        });
        Ok(found.map(|i| {
            let removed = self[id].content[2 * i + 1];
            self[id].content.drain(2 * i..2 * i + 2);
            self[id].emptied = self[id].content.is_empty();
            removed
        }))
    }

    /// Sets a field, keeping the style of a value that is there. No value, or null, removes it.
    pub(crate) fn set_field(&mut self, id: Id, name: &str, value: Option<Id>) -> Outcome<()> {
        self.set_field_styled(id, name, value, 0)
    }

    /// As [`Tree::set_field`]; a new key is written in `key_style`.
    pub(crate) fn set_field_styled(
        &mut self,
        id: Id,
        name: &str,
        value: Option<Id>,
        key_style: u8,
    ) -> Outcome<()> {
        if let Some(value) = value {
            self.quote_if_typed(value);
        }
        if name.is_empty() {
            return match value {
                Some(value) => self.set_scalar_node(id, value),
                None => self.expect(id, Kind::Scalar),
            };
        }
        let id = self.unwrap(id);
        let Some(value) = value.filter(|v| self[*v].tag != Tag::Null || self[*v].keep) else {
            self.clear(id, name)?;
            return Ok(());
        };
        if let Some(field) = self.get(id, name)? {
            let value = self.unwrap(value);
            self[value].style = self[field].style;
            self.assign(field, value);
            return Ok(());
        }
        let key = self.add(Node {
            style: key_style,
            ..Node::scalar(name)
        });
        let value = self.unwrap(value);
        self[value].keep = false;
        self[id].content.extend([key, value]);
        Ok(())
    }

    fn set_scalar_node(&mut self, id: Id, value: Id) -> Outcome<()> {
        self.expect(id, Kind::Scalar)?;
        if self[value].tag != Tag::Null {
            let id = self.unwrap(id);
            self[value].style = self[id].style;
            self.assign(id, value);
        }
        Ok(())
    }

    /// Sets a scalar to a text whose type is left to how it reads.
    pub(crate) fn set_scalar(&mut self, id: Id, value: &str) -> Outcome<()> {
        let value = self.add_scalar(value);
        self.set_field(id, "", Some(value))
    }

    /// Quotes a string that YAML 1.1 would take for something else.
    fn quote_if_typed(&mut self, value: Id) {
        let node = &self[value];
        if node.is_string() && node.style == 0 && yaml::is_typed_in_1_1(&node.value) {
            self[value].style = style::DOUBLE;
        }
    }

    /// Puts a text at the end of a path of mappings, making what is missing.
    pub(crate) fn set_at(&mut self, id: Id, path: &[&str], value: Id) -> Outcome<()> {
        let Some((last, parents)) = path.split_last() else {
            return Ok(());
        };
        match self.lookup_create(id, Kind::Mapping, parents)? {
            Some(parent) => self.set_field(parent, last, Some(value)),
            None => Ok(()),
        }
    }

    /// Names and texts of a mapping's fields, in order; a name that comes twice has its first value.
    pub(crate) fn texts(&self, id: Id) -> Vec<(Rc<str>, Rc<str>)> {
        self.pairs(id)
            .map(|(key, value)| (self[key].value.clone(), self[value].value.clone()))
            .collect()
    }
}
