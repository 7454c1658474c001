//! How comments are put into characters.

use crate::emitter::Emitter;
use crate::shape::is_break;
use crate::token::width;

impl Emitter<'_> {
    pub(crate) fn write_head_comment(&mut self) {
        if !self.tail_comment.is_empty() {
            self.write_indent();
            let comment = std::mem::take(&mut self.tail_comment);
            self.write_comment(comment);
            self.foot_indent = self.indent.max(0);
        }
        if !self.head_comment.is_empty() {
            self.write_indent();
            let comment = std::mem::take(&mut self.head_comment);
            self.write_comment(comment);
        }
    }

    pub(crate) fn write_line_comment(&mut self) {
        if self.line_comment.is_empty() {
            return;
        }
        if !self.whitespace {
            self.put(b' ');
        }
        let comment = std::mem::take(&mut self.line_comment);
        self.write_comment(comment);
    }

    pub(crate) fn write_line_comment_or_break(&mut self) {
        if self.line_comment.is_empty() {
            self.put_break();
        } else {
            self.write_line_comment();
        }
    }

    pub(crate) fn write_foot_comment(&mut self) {
        if self.foot_comment.is_empty() {
            return;
        }
        self.write_indent();
        let comment = std::mem::take(&mut self.foot_comment);
        self.write_comment(comment);
        self.foot_indent = self.indent.max(0);
    }

    /// Writes comment lines, and the `#` that one may lack.
    fn write_comment(&mut self, comment: &str) {
        let bytes = comment.as_bytes();
        let (mut breaks, mut pound) = (false, false);
        let mut at = 0;
        while at < bytes.len() {
            if is_break(bytes, at) {
                at += self.write_break(comment, at);
                (breaks, pound) = (true, false);
                continue;
            }
            if breaks {
                self.write_indent();
            }
            if !pound {
                if bytes[at] != b'#' {
                    self.put_text("# ");
                }
                pound = true;
            }
            let mut end = at;
            while end < bytes.len() && !is_break(bytes, end) {
                end += width(bytes[end]);
            }
            self.put_text(&comment[at..end]);
            self.indention = false;
            breaks = false;
            at = end;
        }
        if !breaks {
            self.put_break();
        }
        self.whitespace = true;
    }
}
