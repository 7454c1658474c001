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

    fn push_foot(&mut self, comment: Comment, mark: Mark) {
        self.comments.push_back(Comment {
            end_mark: mark,
            ..comment
        });
    }

    /// Takes a block of comment lines, and splits it into feet of what was and heads of what comes.
    fn scan_comments(&mut self, mut scan_mark: Mark) {
        let count = self.tokens.len();
        let Some(mut token) = self.tokens.back() else {
            return;
        };
        if token.kind == TokenKind::FlowEntry && count > 1 {
            token = &self.tokens[count - 2];
        }
        let token_is_value = token.kind == TokenKind::Value;
        let mut token_mark = token.start;
        let mut start_mark = Mark::default();
        let next_indent = self.indent.max(0);
        let mut recent_empty = false;
        let mut first_empty = self.newlines <= 1;
        let (mut line, mut column) = (self.mark.line, self.mark.column);
        let mut text = String::new();
        // The line where a comment must start to still be a foot of the content before it.
        let mut foot_line = -1;
        if scan_mark.line > 0 {
            foot_line = self.mark.line - self.newlines + 1;
            if self.newlines == 0 && self.mark.column > 1 {
                foot_line += 1;
            }
        }
        let mut peek = 0;
        while peek < PEEK {
            column += 1;
            let here = Mark {
                index: self.mark.index + peek as i32,
                line,
                column,
            };
            if self.is_blank(peek) {
                peek += 1;
                continue;
            }
            let byte = self.at(peek);
            let close_flow = self.flow_level > 0 && matches!(byte, b']' | b'}');
            if close_flow || self.is_breakz(peek) {
                if close_flow || !recent_empty {
                    let dedented = start_mark.column - 1 < next_indent;
                    let touches = start_mark.line == foot_line && !token_is_value;
                    if close_flow || first_empty && (touches || dedented) {
                        if !text.is_empty() {
                            if dedented {
                                token_mark = start_mark;
                            }
                            let foot = std::mem::take(&mut text);
                            let (scan, start) = (scan_mark, start_mark);
                            let comment = foot_comment(scan, token_mark, start, foot);
                            self.push_foot(comment, here);
                            (scan_mark, token_mark) = (here, here);
                        }
                    } else if !text.is_empty() && byte != 0 {
                        text.push('\n');
                    }
                }
                if !self.is_break(peek) {
                    break;
                }
                first_empty = false;
                recent_empty = true;
                column = 0;
                line += 1;
                peek += 1;
                continue;
            }
            if !text.is_empty() && column - 1 < next_indent && column != start_mark.column {
                // Another indentation: a foot of what was, not a head of what comes.
                let foot = std::mem::take(&mut text);
                let comment = foot_comment(scan_mark, token_mark, start_mark, foot);
                self.push_foot(comment, here);
                (scan_mark, token_mark) = (here, here);
            }
            if byte != b'#' {
                break;
            }
            if text.is_empty() {
                start_mark = here;
            } else {
                text.push('\n');
            }
            recent_empty = false;
            self.read_comment(peek, &mut text);
            // As go-yaml's loop: the count starts over, and its step skips the break's byte.
            peek = 1;
            column = 0;
            line = self.mark.line;
        }
        if !text.is_empty() {
            let index = self.mark.index + peek as i32 - 1;
            let end_mark = Mark {
                index,
                line,
                column,
            };
            let comment = Comment {
                scan_mark,
                token_mark: start_mark,
                start_mark,
                end_mark,
                ..Comment::default()
            };
            self.comments.push_back(Comment {
                head: text,
                ..comment
            });
        }
    }
}

fn foot_comment(scan_mark: Mark, token_mark: Mark, start_mark: Mark, foot: String) -> Comment {
    Comment {
        scan_mark,
        token_mark,
        start_mark,
        foot,
        ..Comment::default()
    }
}
