//! The text of a scalar, put together from pieces of the input.

use std::borrow::Cow;

/// Text that is being put together: a piece of the input, until something differs from it.
pub(crate) struct Pieces<'a> {
    text: &'a str,
    owned: Option<String>,
    start: usize,
}

impl<'a> Pieces<'a> {
    pub(crate) fn new(text: &'a str, start: usize) -> Self {
        Self {
            text,
            owned: None,
            start,
        }
    }

    /// Ends the current piece at `end`, appends `extra`, and starts the next piece at `next`.
    pub(crate) fn cut(&mut self, end: usize, extra: &str, next: usize) {
        let piece = &self.text[self.start..end];
        let owned = self.owned.get_or_insert_default();
        owned.push_str(piece);
        owned.push_str(extra);
        self.start = next;
    }

    pub(crate) fn finish(self, end: usize) -> Cow<'a, str> {
        let piece = &self.text[self.start..end.max(self.start)];
        match self.owned {
            None => Cow::Borrowed(piece),
            Some(mut owned) => {
                owned.push_str(piece);
                Cow::Owned(owned)
            }
        }
    }
}

/// The breaks between two lines of a folded scalar.
#[derive(Default)]
pub(crate) struct Breaks {
    pub(crate) leading: String,
    pub(crate) trailing: String,
    pub(crate) seen: bool,
}

impl Breaks {
    /// What the breaks become: a single one is a blank.
    pub(crate) fn fold(&mut self, out: &mut String) {
        if self.leading.starts_with('\n') {
            out.push_str(if self.trailing.is_empty() {
                " "
            } else {
                &self.trailing
            });
        } else {
            out.push_str(&self.leading);
            out.push_str(&self.trailing);
        }
        self.leading.clear();
        self.trailing.clear();
        self.seen = false;
    }
}
