//! From tokens to an expression, macros included.

use super::ast::{Entry, Expr, Fold, FoldKind, Item, Literal, Node, Operator};
use super::lexer::{Kind, Token, Wrong, tokens};

/// The deepest nesting: what fits on a stack many times over.
const MAX_DEPTH: usize = 64;

/// Reads an expression.
pub(super) fn parse(text: &str) -> Result<Node, Wrong> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
        depth: 0,
    };
    let node = parser.expression()?;
    match parser.peek() {
        Kind::End => Ok(node),
        _ => Err(parser.unexpected()),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

type Parsed = Result<Node, Wrong>;

impl Parser {
    fn token(&self) -> &Token {
        // The last one is the end, and is never passed.
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn peek(&self) -> &Kind {
        &self.token().kind
    }

    fn is(&self, sign: &str) -> bool {
        matches!(self.peek(), Kind::Sign(found) if *found == sign)
    }

    fn take(&mut self, sign: &str) -> Option<usize> {
        let at = self.token().at;
        self.is(sign).then(|| {
            self.at += 1;
            at
        })
    }

    fn expect(&mut self, sign: &str) -> Result<usize, Wrong> {
        self.take(sign).ok_or_else(|| self.unexpected())
    }

    fn unexpected(&self) -> Wrong {
        let Token { at, kind } = self.token();
        let told = match kind {
            Kind::End => "mismatched input '<EOF>'".to_owned(),
            Kind::Ident(word) => format!("extraneous input '{word}'"),
            Kind::Sign(sign) => format!("no viable alternative at input '{sign}'"),
            Kind::Literal(_) => "extraneous input of a literal".to_owned(),
        };
        (*at, told)
    }

    fn node(&self, at: usize, depth: usize, expr: Expr) -> Parsed {
        match depth > MAX_DEPTH {
            true => Err((at, format!("expression is nested deeper than {MAX_DEPTH}"))),
            false => Ok(Node { at, depth, expr }),
        }
    }

    fn expression(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let at = self.token().at;
            return Err((at, format!("expression is nested deeper than {MAX_DEPTH}")));
        }
        let condition = self.either()?;
        let node = match self.take("?") {
            None => condition,
            Some(at) => {
                let yes = self.either()?;
                self.expect(":")?;
                let no = self.expression()?;
                let depth = 1 + condition.depth.max(yes.depth).max(no.depth);
                let parts = Box::new([condition, yes, no]);
                self.node(at, depth, Expr::Conditional(parts))?
            }
        };
        self.depth -= 1;
        Ok(node)
    }

    fn either(&mut self) -> Parsed {
        let first = self.both()?;
        self.chain("||", first, Self::both, Expr::Or)
    }

    fn both(&mut self) -> Parsed {
        let first = self.binary(0)?;
        self.chain("&&", first, |parser| parser.binary(0), Expr::And)
    }

    fn chain(
        &mut self,
        sign: &str,
        first: Node,
        next: impl Fn(&mut Self) -> Parsed,
        make: fn(Vec<Node>) -> Expr,
    ) -> Parsed {
        if !self.is(sign) {
            return Ok(first);
        }
        let at = self.token().at;
        let mut parts = vec![first];
        while self.take(sign).is_some() {
            parts.push(next(self)?);
        }
        let depth = 1 + parts
            .iter()
            .map(|part| part.depth)
            .max()
            .unwrap_or_default();
        self.node(at, depth, make(parts))
    }

    fn operator(&self, level: usize) -> Option<Operator> {
        let Kind::Sign(sign) = self.peek() else {
            return None;
        };
        Some(match (level, *sign) {
            (0, "==") => Operator::Equal,
            (0, "!=") => Operator::NotEqual,
            (0, "<") => Operator::Less,
            (0, "<=") => Operator::LessEqual,
            (0, ">") => Operator::Greater,
            (0, ">=") => Operator::GreaterEqual,
            (0, "in") => Operator::In,
            (1, "+") => Operator::Add,
            (1, "-") => Operator::Subtract,
            (2, "*") => Operator::Multiply,
            (2, "/") => Operator::Divide,
            (2, "%") => Operator::Remainder,
            _ => return None,
        })
    }

    fn binary(&mut self, level: usize) -> Parsed {
        let operand = |parser: &mut Self| match level {
            2 => parser.unary(),
            _ => parser.binary(level + 1),
        };
        let mut left = operand(self)?;
        while let Some(operator) = self.operator(level) {
            let at = self.token().at;
            self.at += 1;
            let right = operand(self)?;
            let depth = 1 + left.depth.max(right.depth);
            left = self.node(at, depth, Expr::Binary(operator, Box::new([left, right])))?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed {
        let mut signs: Vec<(usize, bool)> = Vec::new();
        loop {
            if let Some(at) = self.take("!") {
                signs.push((at, false));
            } else if let Some(at) = self.take("-") {
                signs.push((at, true));
            } else {
                break;
            }
        }
        let mut node = self.member()?;
        for (at, is_minus) in signs.into_iter().rev() {
            let depth = node.depth + 1;
            node = match (&node.expr, is_minus) {
                (Expr::Literal(Literal::Int(value)), true) => {
                    let value = value.wrapping_neg();
                    self.node(at, 1, Expr::Literal(Literal::Int(value)))?
                }
                (Expr::Literal(Literal::Double(value)), true) => {
                    let value = -value;
                    self.node(at, 1, Expr::Literal(Literal::Double(value)))?
                }
                (_, true) => self.node(at, depth, Expr::Negate(Box::new(node)))?,
                (_, false) => self.node(at, depth, Expr::Not(Box::new(node)))?,
            };
        }
        Ok(node)
    }

    fn member(&mut self) -> Parsed {
        let mut node = self.primary()?;
        loop {
            let at = self.token().at;
            let is_optional = self.is(".?") || self.is("[?");
            if self.take(".").or_else(|| self.take(".?")).is_some() {
                let field = self.name()?;
                if !is_optional && self.is("(") {
                    node = self.method(at, node, field)?;
                    continue;
                }
                let depth = node.depth + 1;
                let operand = Box::new(node);
                node = self.node(
                    at,
                    depth,
                    Expr::Select {
                        operand,
                        field,
                        is_optional,
                    },
                )?;
            } else if self.take("[").or_else(|| self.take("[?")).is_some() {
                let index = self.expression()?;
                self.expect("]")?;
                let depth = 1 + node.depth.max(index.depth);
                let (operand, index) = (Box::new(node), Box::new(index));
                node = self.node(
                    at,
                    depth,
                    Expr::Index {
                        operand,
                        index,
                        is_optional,
                    },
                )?;
            } else if self.is("{") {
                return Err((at, "messages cannot be made".to_owned()));
            } else {
                return Ok(node);
            }
        }
    }

    fn name(&mut self) -> Result<String, Wrong> {
        match self.peek().clone() {
            Kind::Ident(name) => {
                self.at += 1;
                Ok(name)
            }
            // `in` may be a field.
            Kind::Sign("in") => {
                self.at += 1;
                Ok("in".to_owned())
            }
            _ => Err(self.unexpected()),
        }
    }

    fn args(&mut self) -> Result<Vec<Node>, Wrong> {
        self.expect("(")?;
        let mut args = Vec::new();
        while !self.is(")") {
            args.push(self.expression()?);
            if self.take(",").is_none() {
                break;
            }
        }
        self.expect(")")?;
        Ok(args)
    }

    fn method(&mut self, at: usize, target: Node, name: String) -> Parsed {
        let args = self.args()?;
        let deepest = args.iter().map(|arg| arg.depth).max().unwrap_or_default();
        let depth = 1 + target.depth.max(deepest);
        let kind = match (name.as_str(), args.len()) {
            ("all", 2) => Some(FoldKind::All),
            ("exists", 2) => Some(FoldKind::Exists),
            ("exists_one" | "existsOne", 2) => Some(FoldKind::ExistsOne),
            ("map", 2 | 3) => Some(FoldKind::Map),
            ("filter", 2) => Some(FoldKind::Filter),
            _ => None,
        };
        let is_flat = name == "optFlatMap";
        if kind.is_none() && !((is_flat || name == "optMap") && args.len() == 2) {
            let target = Some(Box::new(target));
            return self.node(at, depth, Expr::Call { target, name, args });
        }
        let mut args = args.into_iter();
        let variable = match args.next().map(|arg| (arg.at, arg.expr)) {
            Some((_, Expr::Ident(variable))) => variable,
            Some((at, _)) => return Err((at, "argument must be a simple name".to_owned())),
            None => return Err((at, "argument must be a simple name".to_owned())),
        };
        let (first, second) = (args.next(), args.next());
        let (filter, step) = match (first, second) {
            (Some(filter), Some(step)) => (Some(filter), step),
            (Some(step), None) => (None, step),
            (None, _) => return Err((at, "argument is missing".to_owned())),
        };
        let expr = match kind {
            Some(kind) => Expr::Fold(Box::new(Fold {
                kind,
                range: target,
                variable,
                filter,
                step,
            })),
            None => Expr::OptMap {
                operand: Box::new(target),
                variable,
                step: Box::new(step),
                is_flat,
            },
        };
        self.node(at, depth, expr)
    }

    fn primary(&mut self) -> Parsed {
        let Token { at, kind } = self.token().clone();
        match kind {
            Kind::Literal(literal) => {
                self.at += 1;
                self.node(at, 1, Expr::Literal(literal))
            }
            Kind::Sign("(") => {
                self.at += 1;
                let node = self.expression()?;
                self.expect(")")?;
                Ok(node)
            }
            Kind::Sign("[") => {
                self.at += 1;
                self.list(at, false)
            }
            // The first element is optional.
            Kind::Sign("[?") => {
                self.at += 1;
                self.list(at, true)
            }
            Kind::Sign("{") => self.map(at),
            Kind::Sign(".") => {
                self.at += 1;
                let name = self.name()?;
                self.named(at, name)
            }
            Kind::Ident(name) => {
                self.at += 1;
                self.named(at, name)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn named(&mut self, at: usize, name: String) -> Parsed {
        if !self.is("(") {
            return self.node(at, 1, Expr::Ident(name));
        }
        let open = self.token().at;
        let mut args = self.args()?;
        if name == "has" && args.len() == 1 {
            let Some(Node {
                depth,
                expr:
                    Expr::Select {
                        operand,
                        field,
                        is_optional: false,
                    },
                ..
            }) = args.pop()
            else {
                return Err((open, "invalid argument to has() macro".to_owned()));
            };
            return self.node(at, depth, Expr::Has { operand, field });
        }
        let depth = 1 + args.iter().map(|arg| arg.depth).max().unwrap_or_default();
        let target = None;
        self.node(at, depth, Expr::Call { target, name, args })
    }

    fn list(&mut self, at: usize, first_is_optional: bool) -> Parsed {
        let mut items: Vec<Item> = Vec::new();
        let mut is_optional = first_is_optional;
        while !self.is("]") {
            is_optional = self.take("?").is_some() || is_optional;
            let value = self.expression()?;
            items.push(Item { value, is_optional });
            is_optional = false;
            if self.take(",").is_none() {
                break;
            }
        }
        self.expect("]")?;
        let deepest = items.iter().map(|item| item.value.depth).max();
        self.node(at, 1 + deepest.unwrap_or_default(), Expr::List(items))
    }

    fn map(&mut self, at: usize) -> Parsed {
        self.expect("{")?;
        let mut entries: Vec<Entry> = Vec::new();
        while !self.is("}") {
            let is_optional = self.take("?").is_some();
            let key = self.expression()?;
            self.expect(":")?;
            let value = self.expression()?;
            entries.push(Entry {
                key,
                value,
                is_optional,
            });
            if self.take(",").is_none() {
                break;
            }
        }
        self.expect("}")?;
        let depth = |entry: &Entry| entry.key.depth.max(entry.value.depth);
        let deepest = entries.iter().map(depth).max();
        self.node(at, 1 + deepest.unwrap_or_default(), Expr::Map(entries))
    }
}
