//! YAML: the parser's events, of which the builder gets those of one piece at a time.

use std::collections::HashSet;
use std::io::BufRead;

use granit_parser::Parser;

use super::text::{Chars, Failure};
use super::{Collection, Look, Meter, PieceError, Sink, Step};
use crate::yaml::build::{self, Builder};
use crate::yaml::{MAX_DEPTH, Part, YamlError, event_of, scan_error};

pub(super) fn read(
    reader: impl BufRead,
    meter: Meter,
    sink: &mut impl Sink,
) -> Result<(), PieceError> {
    let options = granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH + 1,
        block_nesting_limit: MAX_DEPTH + 1,
        block_scalar_eof_without_line_feed: true,
    };
    let failure = Failure::default();
    let chars = Chars::new(reader, meter.clone(), failure.clone());
    let mut walk = Walk {
        open: Vec::new(),
        path: Vec::new(),
        builder: Builder::of_pieces(),
        deep: 0,
        is_over: false,
        sink,
        meter: &meter,
    };
    for event in Parser::new_from_fallible_iter_with_options(chars, options) {
        let (event, span) = event.map_err(|error| match failure.take() {
            Some(_) if meter.is_over() => PieceError::TooLarge {
                line: error.marker().line(),
                allowed: meter.allowed,
            },
            Some(failure) => PieceError::Read(failure),
            None => PieceError::Text(scan_error(&error)),
        })?;
        let (line, column) = (span.start.line(), span.start.col() + 1);
        let more = walk.step(event_of(event), line).map_err(|message| {
            PieceError::Text(YamlError {
                line,
                column,
                message,
            })
        })?;
        if !more {
            break;
        }
    }
    Ok(())
}

enum Open {
    List(usize),
    Mapping {
        names: HashSet<String>,
        has_key: bool,
    },
}

struct Walk<'a, S> {
    open: Vec<Open>,
    path: Vec<Step>,
    builder: Builder,
    /// How many collections of the present piece are open.
    deep: usize,
    /// Whether that piece is read over.
    is_over: bool,
    sink: &'a mut S,
    meter: &'a Meter,
}

impl<S: Sink> Walk<'_, S> {
    /// Takes one part; `false` at the end of the first document.
    fn step(&mut self, part: Part<'_>, line: usize) -> Result<bool, String> {
        match part {
            Part::End => return Ok(false),
            Part::Start | Part::Nothing => {
                self.builder.take(part, line)?;
            }
            part if self.deep > 0 => self.build(part, line)?,
            Part::Close => {
                self.open.pop();
                self.leave();
            }
            part if self.wants_key() => self.key(part)?,
            Part::OpenMapping { anchor } => {
                self.collection(part, Collection::Mapping, anchor, line)?;
            }
            Part::OpenSequence { anchor } => {
                self.collection(part, Collection::List, anchor, line)?;
            }
            part => self.build(part, line)?,
        }
        Ok(true)
    }

    fn wants_key(&self) -> bool {
        matches!(self.open.last(), Some(Open::Mapping { has_key: false, .. }))
    }

    fn key(&mut self, part: Part<'_>) -> Result<(), String> {
        let Part::Scalar {
            text, plain, tag, ..
        } = part
        else {
            return Err("a key must be a scalar".to_owned());
        };
        let key = build::plain_key(&text, plain && tag.is_none())?;
        if let Some(Open::Mapping { names, has_key }) = self.open.last_mut() {
            if !names.insert(key.clone()) {
                return Err(format!("the key `{key}` is there twice"));
            }
            *has_key = true;
        }
        self.path.push(Step::Key(key));
        Ok(())
    }

    fn collection(
        &mut self,
        part: Part<'_>,
        collection: Collection,
        anchor: usize,
        line: usize,
    ) -> Result<(), String> {
        self.enter();
        match self.sink.opens(&self.path, collection)? {
            Look::Inside => {}
            Look::Whole => return self.build_entered(part, line),
            Look::Over => {
                self.is_over = true;
                self.meter.turn(false);
                return self.build_entered(part, line);
            }
        }
        if anchor != 0 {
            return Err("an anchor on this part is not supported: it is read in pieces".to_owned());
        }
        self.meter.reset();
        self.open.push(match collection {
            Collection::List => Open::List(0),
            Collection::Mapping => Open::Mapping {
                names: HashSet::new(),
                has_key: false,
            },
        });
        Ok(())
    }

    fn build(&mut self, part: Part<'_>, line: usize) -> Result<(), String> {
        if self.deep == 0 {
            self.enter();
        }
        self.build_entered(part, line)
    }

    fn build_entered(&mut self, part: Part<'_>, line: usize) -> Result<(), String> {
        match part {
            Part::OpenMapping { .. } | Part::OpenSequence { .. } => self.deep += 1,
            Part::Close => self.deep -= 1,
            _ => {}
        }
        if self.is_over {
            if self.deep == 0 {
                self.is_over = false;
                self.meter.turn(true);
                self.leave();
            }
            return Ok(());
        }
        self.builder.take(part, line)?;
        if self.deep == 0 {
            let value = self.builder.take_root();
            self.sink.take(&self.path, value)?;
            self.meter.reset();
            self.leave();
        }
        Ok(())
    }

    /// Steps to the next item of the list that is open; a mapping's key was stepped to before.
    fn enter(&mut self) {
        if let Some(Open::List(next)) = self.open.last_mut() {
            self.path.push(Step::Item(*next));
            *next += 1;
        }
    }

    fn leave(&mut self) {
        if let Some(Open::Mapping { has_key, .. }) = self.open.last_mut() {
            *has_key = false;
        }
        self.path.pop();
    }
}
