//! Builds templates from tokens, as Go 1.26's text/template does (parse/parse.go).

use std::collections::HashMap;
use std::rc::Rc;

use crate::ast::{self, Branch, Call, Command, List, Node, Pipe, Word, WordKind};
use crate::lex::{Kind, Lexer, Token};
use crate::number::Number;
use crate::quote::{quote, unquote};

/// Deepest nesting of parentheses and of control actions.
pub(crate) const MAX_DEPTH: usize = 500;

/// One template: a file, or a `define` in one.
#[derive(Debug)]
pub struct Tree {
    /// Name that `template` and `include` know it by.
    pub(crate) name: Rc<str>,
    /// Name of the text that it was defined in, for messages.
    pub(crate) parse_name: Rc<str>,
    /// That text.
    pub(crate) text: Rc<str>,
    pub(crate) root: List,
}

/// Templates by name.
pub type TreeSet = HashMap<Rc<str>, Rc<Tree>>;

/// A mistake in a template, worded as Go words it: `template: name:3: unexpected "}" in operand`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError(pub String);

impl std::fmt::Display for ParseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ParseError {}

/// Parses `text` and adds what it defines to `set`, itself under `name`.
///
/// `has_function` tells which functions exist.
///
/// # Errors
/// See [`ParseError`]; the set may hold some of the definitions then.
pub fn parse(
    name: &str,
    text: &str,
    has_function: &dyn Fn(&str) -> bool,
    set: &mut TreeSet,
) -> Result<(), ParseError> {
    let mut found = TreeSet::new();
    let mut parser = Parser {
        name: name.into(),
        text: text.into(),
        lexer: Lexer::new(text),
        pending: Vec::new(),
        current_line: 1,
        action_line: 0,
        variables: vec!["$".into()],
        has_function,
        range_depth: 0,
        depth: 0,
        set: &mut found,
    };
    parser.file()?;
    merge(set, found);
    Ok(())
}

/// Adds templates to others: they replace those of their names, unless they have nothing to say.
pub fn merge(set: &mut TreeSet, found: TreeSet) {
    for (name, tree) in found {
        if !ast::is_empty(&tree.root, &tree.text) || !set.contains_key(&name) {
            set.insert(name, tree);
        }
    }
}

struct Parser<'a> {
    name: Rc<str>,
    text: Rc<str>,
    lexer: Lexer<'a>,
    /// Tokens that were pushed back, last first.
    pending: Vec<Token<'a>>,
    current_line: usize,
    action_line: usize,
    variables: Vec<Rc<str>>,
    has_function: &'a dyn Fn(&str) -> bool,
    range_depth: usize,
    depth: usize,
    set: &'a mut TreeSet,
}

/// What ends a list.
enum End {
    End,
    Else,
}

/// A node, or what ends the list that it would have been in.
enum Item {
    Node(Node),
    End(End),
}

type Parsed<T> = Result<T, ParseError>;

impl<'a> Parser<'a> {
    fn next(&mut self) -> Token<'a> {
        self.pending.pop().unwrap_or_else(|| {
            let token = self.lexer.next();
            self.current_line = token.line;
            token
        })
    }

    fn back(&mut self, token: Token<'a>) {
        self.pending.push(token);
    }

    fn peek(&mut self) -> &Token<'a> {
        if self.pending.is_empty() {
            let token = self.next();
            self.pending.push(token);
        }
        &self.pending[self.pending.len() - 1]
    }

    fn next_non_space(&mut self) -> Token<'a> {
        loop {
            let token = self.next();
            if token.kind != Kind::Space {
                return token;
            }
        }
    }

    fn peek_non_space(&mut self) -> &Token<'a> {
        let token = self.next_non_space();
        self.pending.push(token);
        &self.pending[self.pending.len() - 1]
    }

    fn error<T>(&self, message: impl std::fmt::Display) -> Parsed<T> {
        Err(ParseError(format!(
            "template: {}:{}: {message}",
            self.name, self.current_line
        )))
    }

    fn unexpected<T>(&self, token: &Token<'a>, context: &str) -> Parsed<T> {
        if token.kind != Kind::Error {
            return self.error(format!("unexpected {} in {context}", token.describe()));
        }
        let mut extra = String::new();
        if self.action_line != 0 && self.action_line != token.line {
            let action = if token.text.ends_with(" action") {
                ""
            } else {
                " in action"
            };
            extra = format!("{action} started at {}:{}", self.name, self.action_line);
        }
        self.error(format!("{}{extra}", token.text))
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Parsed<Token<'a>> {
        let token = self.next_non_space();
        if token.kind == kind {
            Ok(token)
        } else {
            self.unexpected(&token, context)
        }
    }

    fn add(&mut self, name: Rc<str>, root: List) -> Parsed<()> {
        let replaces = self
            .set
            .get(&name)
            .is_none_or(|tree| ast::is_empty(&tree.root, &tree.text));
        if replaces {
            let tree = Tree {
                name: name.clone(),
                parse_name: self.name.clone(),
                text: self.text.clone(),
                root,
            };
            self.set.insert(name, Rc::new(tree));
        } else if !ast::is_empty(&root, &self.text) {
            return self.error(format!(
                "template: multiple definition of template {}",
                quote(&name)
            ));
        }
        Ok(())
    }

    fn file(&mut self) -> Parsed<()> {
        let mut root = List::new();
        while self.peek().kind != Kind::Eof {
            if self.peek().kind == Kind::LeftDelim {
                let delim = self.next();
                let word = self.next_non_space();
                if word.kind == Kind::Define {
                    self.definition()?;
                    continue;
                }
                self.back(word);
                self.back(delim);
            }
            match self.text_or_action()? {
                Item::Node(node) => root.push(node),
                Item::End(End::End) => return self.error("unexpected {{end}}"),
                Item::End(End::Else) => return self.error("unexpected {{else}}"),
            }
        }
        let name = self.name.clone();
        self.add(name, root)
    }

    fn definition(&mut self) -> Parsed<()> {
        const CONTEXT: &str = "define clause";
        let token = self.next_non_space();
        let name = self.template_name(&token, CONTEXT)?;
        self.expect(Kind::RightDelim, CONTEXT)?;
        self.body(name, CONTEXT)
    }

    /// Reads what is defined up to its end; outer variables are out of reach in it.
    fn body(&mut self, name: Rc<str>, context: &str) -> Parsed<()> {
        let variables = std::mem::replace(&mut self.variables, vec!["$".into()]);
        let range_depth = std::mem::take(&mut self.range_depth);
        let (root, end) = self.item_list()?;
        if let End::Else = end {
            return self.error(format!("unexpected {{{{else}}}} in {context}"));
        }
        self.variables = variables;
        self.range_depth = range_depth;
        self.add(name, root)
    }

    fn item_list(&mut self) -> Parsed<(List, End)> {
        if self.depth >= MAX_DEPTH {
            return self.error("max expression depth exceeded");
        }
        self.depth += 1;
        let mut list = List::new();
        while self.peek_non_space().kind != Kind::Eof {
            match self.text_or_action()? {
                Item::Node(node) => list.push(node),
                Item::End(end) => {
                    self.depth -= 1;
                    return Ok((list, end));
                }
            }
        }
        self.next();
        self.error("unexpected EOF")
    }

    fn text_or_action(&mut self) -> Parsed<Item> {
        let token = self.next_non_space();
        match token.kind {
            Kind::Text => {
                let end = token.at + token.text.len();
                Ok(Item::Node(Node::Text(token.at, end)))
            }
            Kind::LeftDelim => {
                self.action_line = token.line;
                let item = self.action();
                if item.is_ok() {
                    self.action_line = 0;
                }
                item
            }
            _ => self.unexpected(&token, "input"),
        }
    }

    fn action(&mut self) -> Parsed<Item> {
        let token = self.next_non_space();
        let node = match token.kind {
            Kind::Block => self.block()?,
            Kind::Break => self.jump(Node::Break, "{{break}}")?,
            Kind::Continue => self.jump(Node::Continue, "{{continue}}")?,
            Kind::Else => {
                let next = self.peek_non_space().kind;
                if next != Kind::If && next != Kind::With {
                    self.expect(Kind::RightDelim, "else")?;
                }
                return Ok(Item::End(End::Else));
            }
            Kind::End => {
                self.expect(Kind::RightDelim, "end")?;
                return Ok(Item::End(End::End));
            }
            Kind::If => Node::If(Box::new(self.control("if")?)),
            Kind::Range => Node::Range(Box::new(self.control("range")?)),
            Kind::Template => self.template()?,
            Kind::With => Node::With(Box::new(self.control("with")?)),
            _ => {
                self.back(token);
                Node::Action(self.pipeline("command", Kind::RightDelim)?)
            }
        };
        Ok(Item::Node(node))
    }

    fn jump(&mut self, node: Node, context: &str) -> Parsed<Node> {
        self.expect(Kind::RightDelim, context)?;
        if self.range_depth == 0 {
            return self.error(format!("{context} outside {{{{range}}}}"));
        }
        Ok(node)
    }

    fn control(&mut self, context: &str) -> Parsed<Branch> {
        let variables = self.variables.len();
        let pipe = self.pipeline(context, Kind::RightDelim)?;
        let in_range = usize::from(context == "range");
        self.range_depth += in_range;
        let (list, end) = self.item_list()?;
        self.range_depth -= in_range;
        let otherwise = match end {
            End::End => None,
            End::Else => Some(self.otherwise(context)?),
        };
        self.variables.truncate(variables);
        Ok(Branch {
            pipe,
            list,
            otherwise,
        })
    }

    /// Reads what follows an `else`. `else if` is an `if` inside it that shares its end.
    fn otherwise(&mut self, context: &str) -> Parsed<List> {
        let next = self.peek().kind;
        let chained = match (context, next) {
            ("if", Kind::If) => Some(Node::If as fn(Box<Branch>) -> Node),
            ("with", Kind::With) => Some(Node::With as fn(Box<Branch>) -> Node),
            _ => None,
        };
        if let Some(node) = chained {
            if self.depth >= MAX_DEPTH {
                return self.error("max expression depth exceeded");
            }
            self.depth += 1;
            self.next();
            let branch = self.control(context)?;
            self.depth -= 1;
            return Ok(vec![node(Box::new(branch))]);
        }
        let (list, end) = self.item_list()?;
        match end {
            End::End => Ok(list),
            End::Else => self.error("expected end; found {{else}}"),
        }
    }

    fn block(&mut self) -> Parsed<Node> {
        const CONTEXT: &str = "block clause";
        let token = self.next_non_space();
        let name = self.template_name(&token, CONTEXT)?;
        let pipe = self.pipeline(CONTEXT, Kind::RightDelim)?;
        self.body(name.clone(), CONTEXT)?;
        Ok(Node::Template(Call {
            at: token.at,
            name,
            pipe: Some(pipe),
        }))
    }

    fn template(&mut self) -> Parsed<Node> {
        const CONTEXT: &str = "template clause";
        let token = self.next_non_space();
        let name = self.template_name(&token, CONTEXT)?;
        let next = self.next_non_space();
        let pipe = if next.kind == Kind::RightDelim {
            None
        } else {
            self.back(next);
            Some(self.pipeline(CONTEXT, Kind::RightDelim)?)
        };
        Ok(Node::Template(Call {
            at: token.at,
            name,
            pipe,
        }))
    }

    fn template_name(&mut self, token: &Token<'a>, context: &str) -> Parsed<Rc<str>> {
        match token.kind {
            Kind::String | Kind::RawString => Ok(self.string(token)?.into()),
            _ => self.unexpected(token, context),
        }
    }

    fn string(&self, token: &Token) -> Parsed<String> {
        unquote(&token.text).map_or_else(|| self.error("invalid syntax"), Ok)
    }

    fn pipeline(&mut self, context: &str, end: Kind) -> Parsed<Pipe> {
        let at = self.peek_non_space().at;
        let mut pipe = Pipe {
            at,
            is_assign: false,
            variables: Vec::new(),
            commands: Vec::with_capacity(1),
        };
        self.declarations(&mut pipe, context)?;
        loop {
            let token = self.next_non_space();
            match token.kind {
                kind if kind == end => break,
                Kind::Bool
                | Kind::CharConstant
                | Kind::Complex
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::RawString
                | Kind::String
                | Kind::Variable
                | Kind::LeftParen => {
                    self.back(token);
                    let command = self.command()?;
                    pipe.commands.push(command);
                }
                _ => return self.unexpected(&token, context),
            }
        }
        if pipe.commands.is_empty() {
            return self.error(format!("missing value for {context}"));
        }
        let constant = pipe
            .commands
            .iter()
            .skip(1)
            .position(|c| c.words[0].kind.is_constant());
        if let Some(stage) = constant {
            return self.error(format!(
                "non executable command in pipeline stage {}",
                stage + 2
            ));
        }
        Ok(pipe)
    }

    /// Reads `$x :=`, `$x =` and, for a range, `$i, $x :=`, where there are any.
    fn declarations(&mut self, pipe: &mut Pipe, context: &str) -> Parsed<()> {
        while self.peek_non_space().kind == Kind::Variable {
            let variable = self.next();
            let after = self.next();
            let next = if after.kind == Kind::Space {
                self.next_non_space()
            } else {
                after.clone()
            };
            let name: Rc<str> = variable.text.as_ref().into();
            match next.kind {
                Kind::Assign | Kind::Declare => {
                    pipe.is_assign = next.kind == Kind::Assign;
                    pipe.variables.push(name.clone());
                    self.variables.push(name);
                    return Ok(());
                }
                Kind::Char if next.text == "," => {
                    pipe.variables.push(name.clone());
                    self.variables.push(name);
                    if context != "range" || pipe.variables.len() >= 2 {
                        return self.error(format!("too many declarations in {context}"));
                    }
                    let follows = self.peek_non_space().kind;
                    if !matches!(
                        follows,
                        Kind::Variable | Kind::RightDelim | Kind::RightParen
                    ) {
                        return self.error("range can only initialize variables");
                    }
                }
                _ => {
                    self.back(next);
                    if after.kind == Kind::Space {
                        self.back(after);
                    }
                    self.back(variable);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Parsed<Command> {
        let mut command = Command {
            at: self.peek_non_space().at,
            words: Vec::with_capacity(2),
        };
        loop {
            self.peek_non_space();
            if let Some(word) = self.operand()? {
                command.words.push(word);
            }
            let token = self.next();
            match token.kind {
                Kind::Space => {}
                Kind::RightDelim | Kind::RightParen => {
                    self.back(token);
                    break;
                }
                Kind::Pipe => break,
                _ => return self.unexpected(&token, "operand"),
            }
        }
        if command.words.is_empty() {
            self.error("empty command")
        } else {
            Ok(command)
        }
    }

    fn operand(&mut self) -> Parsed<Option<Word>> {
        let Some(word) = self.term()? else {
            return Ok(None);
        };
        if self.peek().kind != Kind::Field {
            return Ok(Some(word));
        }
        // The position of a longer chain is that of its second part, as Go has it.
        let at = self.peek().at;
        let mut names: Vec<Rc<str>> = Vec::new();
        while self.peek().kind == Kind::Field {
            names.push(self.next().text[1..].into());
        }
        let kind = match word.kind {
            WordKind::Field(mut first) => {
                first.extend(names);
                WordKind::Field(first)
            }
            WordKind::Variable(name, mut first) => {
                first.extend(names);
                WordKind::Variable(name, first)
            }
            kind if kind.is_constant() => {
                let word = Word { at: word.at, kind };
                return self.error(format!(
                    "unexpected . after term {}",
                    quote(&word.to_string())
                ));
            }
            kind => WordKind::Chain(Box::new(Word { at: word.at, kind }), names),
        };
        Ok(Some(Word { at, kind }))
    }

    fn term(&mut self) -> Parsed<Option<Word>> {
        let token = self.next_non_space();
        let kind = match token.kind {
            Kind::Identifier if !(self.has_function)(&token.text) => {
                return self.error(format!("function {} not defined", quote(&token.text)));
            }
            Kind::Identifier => WordKind::Identifier(token.text.into()),
            Kind::Dot => WordKind::Dot,
            Kind::Nil => WordKind::Nil,
            Kind::Variable => {
                if !self.variables.iter().any(|name| **name == *token.text) {
                    return self.error(format!("undefined variable {}", quote(&token.text)));
                }
                WordKind::Variable(token.text.into(), Vec::new())
            }
            Kind::Field => WordKind::Field(vec![token.text[1..].into()]),
            Kind::Bool => WordKind::Bool(token.text == "true"),
            Kind::CharConstant | Kind::Complex | Kind::Number => {
                match Number::parse(&token.text, token.kind) {
                    Ok(number) => WordKind::Number(Box::new(number)),
                    Err(message) => return self.error(message),
                }
            }
            Kind::LeftParen => {
                if self.depth >= MAX_DEPTH {
                    return self.error("max expression depth exceeded");
                }
                self.depth += 1;
                let pipe = self.pipeline("parenthesized pipeline", Kind::RightParen)?;
                self.depth -= 1;
                // A parenthesised pipeline stands where its first operand does.
                let at = pipe.at;
                return Ok(Some(Word {
                    at,
                    kind: WordKind::Pipe(Box::new(pipe)),
                }));
            }
            Kind::String | Kind::RawString => {
                let value = self.string(&token)?;
                WordKind::String(token.text.into(), value.into())
            }
            _ => {
                self.back(token);
                return Ok(None);
            }
        };
        Ok(Some(Word { at: token.at, kind }))
    }
}
