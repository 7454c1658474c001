//! Comments, and the blanks between tokens. go-yaml's heuristics, kept to the letter: which
//! comment is a head, which a foot, decides where kustomize prints it.

use crate::scanner::Scanner;
use crate::token::{Comment, Mark, Result, TokenKind};

/// go-yaml looks this many bytes ahead for a comment, and no further.
const PEEK: usize = 512;

impl Scanner<'_> {
    /// Steps over blanks, breaks and comments to where the next token starts.
    pub(crate) fn scan_to_next_token(&mut self) -> Result<()> {
        let scan_mark = self.mark;
        loop {
            let tabs = self.flow_level > 0 || !self.simple_key_allowed;
            while self.at(0) == b' ' || tabs && self.at(0) == b'\t' {
                self.skip();
            }
            if self.keeps_comments() {
                self.raise_entry_comment();
            }
            if self.at(0) == b'#' {
                if self.keeps_comments() {
                    self.scan_comments(scan_mark);
                } else {
                    self.skip_to_break();
                }
            }
            if !self.is_break(0) {
                return Ok(());
            }
            self.skip_line();
            if self.flow_level == 0 {
                self.simple_key_allowed = true;
            }
        }
    }

    /// Makes the line comment behind the first `-` of a sequence the head of what follows.
    fn raise_entry_comment(&mut self) {
        let count = self.tokens.len();
        if count < 2
            || self.tokens[count - 2].kind != TokenKind::BlockSequenceStart
            || self.tokens[count - 1].kind != TokenKind::BlockEntry
            || self.is_break(0)
        {
            return;
        }
        let mark = self.mark;
        if let Some(comment) = self
            .comments
            .back_mut()
            .filter(|comment| !comment.line.is_empty())
        {
            comment.head = std::mem::take(&mut comment.line);
            if comment.start_mark.line == mark.line - 1 {
                comment.token_mark = mark;
            }
        }
    }

    /// Appends the rest of the line to `text`, having stepped `ahead` bytes forward. Gives the
    /// place where the text began.
    fn read_comment(&mut self, ahead: usize, text: &mut String) -> Mark {
        let seen = self.mark.index + ahead as i32;
        while self.mark.index < seen {
            if self.is_break(0) {
                self.skip_line();
            } else if self.at(0) == 0 {
                break;
            } else {
                self.skip();
            }
        }
        let (start, from) = (self.mark, self.pos);
        self.skip_to_break();
        text.push_str(&self.text[from..self.pos]);
        start
    }

    /// Takes the comment behind a token, on its line.
    pub(crate) fn scan_line_comment(&mut self, token_mark: Mark) {
        if self.newlines > 0 {
            return;
        }
        let blanks = (0..PEEK).take_while(|ahead| self.is_blank(*ahead)).count();
        if blanks == PEEK || self.at(blanks) != b'#' {
            return;
        }
        let mut line = String::new();
        let start_mark = self.read_comment(blanks, &mut line);
        self.comments.push_back(Comment {
            token_mark,
            start_mark,
            line,
            ..Comment::default()
        });
    }

    /// Takes a block of comment lines, and splits it into feet of what was and heads of what comes.
    fn scan_comments(&mut self, scan_mark: Mark) {
        let Some(mut block) = Block::new(self, scan_mark) else {
            return;
        };
        let mut peek = 0;
        while peek < PEEK {
            block.column += 1;
            if self.is_blank(peek) {
                peek += 1;
                continue;
            }
            let byte = self.at(peek);
            let here = block.here(self.mark, peek);
            let close_flow = self.flow_level > 0 && matches!(byte, b']' | b'}');
            if close_flow || self.is_breakz(peek) {
                if close_flow || !block.recent_empty {
                    let foot = block.line_end(close_flow, here, byte == 0);
                    self.comments.extend(foot);
                }
                if !self.is_break(peek) {
                    break;
                }
                block.empty_line();
                peek += 1;
                continue;
            }
            if block.is_dedented_from_start() {
                self.comments.extend(block.take_foot(here));
            }
            if byte != b'#' {
                break;
            }
            block.start_line(here);
            self.read_comment(peek, &mut block.text);
            // As go-yaml's loop: the count starts over, and its step skips the break's byte.
            peek = 1;
            block.column = 0;
            block.line = self.mark.line;
        }
        let mut end_mark = block.here(self.mark, peek);
        end_mark.index -= 1;
        self.comments.extend(block.into_head(end_mark));
    }
}

/// A block of comment lines that is being read.
struct Block {
    scan_mark: Mark,
    /// The start of the token that a foot comment belongs to.
    token_mark: Mark,
    token_is_value: bool,
    start_mark: Mark,
    next_indent: i32,
    /// Whether the line before was empty.
    recent_empty: bool,
    /// Whether no line was empty so far.
    first_empty: bool,
    /// The line where a comment must start to still be a foot of the content before it.
    foot_line: i32,
    line: i32,
    column: i32,
    text: String,
}

impl Block {
    fn new(scanner: &Scanner<'_>, scan_mark: Mark) -> Option<Self> {
        let count = scanner.tokens.len();
        let mut token = scanner.tokens.back()?;
        if token.kind == TokenKind::FlowEntry && count > 1 {
            token = &scanner.tokens[count - 2];
        }
        let Mark { line, column, .. } = scanner.mark;
        let mut foot_line = -1;
        if scan_mark.line > 0 {
            foot_line = line - scanner.newlines + 1;
            if scanner.newlines == 0 && column > 1 {
                foot_line += 1;
            }
        }
        Some(Self {
            scan_mark,
            token_mark: token.start,
            token_is_value: token.kind == TokenKind::Value,
            start_mark: Mark::default(),
            next_indent: scanner.indent.max(0),
            recent_empty: false,
            first_empty: scanner.newlines <= 1,
            foot_line,
            line,
            column,
            text: String::new(),
        })
    }

    fn here(&self, mark: Mark, peek: usize) -> Mark {
        Mark {
            index: mark.index + peek as i32,
            line: self.line,
            column: self.column,
        }
    }

    /// What the end of a line, of a flow collection or of the text means for the lines so far.
    fn line_end(&mut self, close_flow: bool, here: Mark, at_end: bool) -> Option<Comment> {
        let dedented = self.start_mark.column - 1 < self.next_indent;
        let touches = self.start_mark.line == self.foot_line && !self.token_is_value;
        if close_flow || self.first_empty && (touches || dedented) {
            if dedented && !self.text.is_empty() {
                self.token_mark = self.start_mark;
            }
            return self.take_foot(here);
        }
        if !self.text.is_empty() && !at_end {
            self.text.push('\n');
        }
        None
    }

    /// Makes the lines so far a foot comment.
    fn take_foot(&mut self, here: Mark) -> Option<Comment> {
        if self.text.is_empty() {
            return None;
        }
        let foot = std::mem::take(&mut self.text);
        let (scan_mark, token_mark) = (self.scan_mark, self.token_mark);
        (self.scan_mark, self.token_mark) = (here, here);
        let start_mark = self.start_mark;
        Some(Comment {
            scan_mark,
            token_mark,
            start_mark,
            end_mark: here,
            foot,
            ..Comment::default()
        })
    }

    fn empty_line(&mut self) {
        self.first_empty = false;
        self.recent_empty = true;
        self.column = 0;
        self.line += 1;
    }

    /// Whether what stands here is left of the lines so far: those are a foot of what was then.
    fn is_dedented_from_start(&self) -> bool {
        !self.text.is_empty()
            && self.column - 1 < self.next_indent
            && self.column != self.start_mark.column
    }

    fn start_line(&mut self, here: Mark) {
        if self.text.is_empty() {
            self.start_mark = here;
        } else {
            self.text.push('\n');
        }
        self.recent_empty = false;
    }

    /// Makes the lines that are left a head comment.
    fn into_head(self, end_mark: Mark) -> Option<Comment> {
        let (scan_mark, start_mark) = (self.scan_mark, self.start_mark);
        (!self.text.is_empty()).then(|| Comment {
            scan_mark,
            token_mark: start_mark,
            start_mark,
            end_mark,
            head: self.text,
            ..Comment::default()
        })
    }
}
