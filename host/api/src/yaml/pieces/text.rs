//! The characters of a reader, as the YAML parser wants them.

use std::cell::RefCell;
use std::io::{self, BufRead};
use std::rc::Rc;

use granit_parser::ErrorKind;

use super::Meter;

/// What went wrong while reading: the parser only passes on that something did.
pub(super) type Failure = Rc<RefCell<Option<io::Error>>>;

/// The characters of a reader of UTF-8; a byte-order mark in front is the parser's business.
pub(super) struct Chars<R> {
    reader: R,
    meter: Meter,
    failure: Failure,
    /// Bytes of a character that lies across two buffers.
    split: Vec<u8>,
    chunk: String,
    at: usize,
}

impl<R: BufRead> Chars<R> {
    pub(super) fn new(reader: R, meter: Meter, failure: Failure) -> Self {
        Self {
            reader,
            meter,
            failure,
            split: Vec::new(),
            chunk: String::new(),
            at: 0,
        }
    }

    /// Reads the next chunk; `false` at the end.
    fn fill(&mut self) -> io::Result<bool> {
        self.chunk.clear();
        self.at = 0;
        while self.chunk.is_empty() {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return match self.split.is_empty() {
                    true => Ok(false),
                    false => Err(not_utf8()),
                };
            }
            let length = buffer.len();
            self.split.extend_from_slice(buffer);
            self.reader.consume(length);
            self.meter.add(length)?;
            let valid = match std::str::from_utf8(&self.split) {
                Ok(text) => {
                    self.chunk.push_str(text);
                    self.split.len()
                }
                Err(error) if error.error_len().is_some() => return Err(not_utf8()),
                Err(error) => {
                    let valid = &self.split[..error.valid_up_to()];
                    self.chunk.push_str(&String::from_utf8_lossy(valid));
                    error.valid_up_to()
                }
            };
            self.split.drain(..valid);
        }
        Ok(true)
    }
}

impl<R: BufRead> Iterator for Chars<R> {
    type Item = Result<char, ErrorKind>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at == self.chunk.len() {
            match self.fill() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    *self.failure.borrow_mut() = Some(error);
                    let message = String::new();
                    return Some(Err(ErrorKind::InputDecoding { message }));
                }
            }
        }
        let next = self.chunk[self.at..].chars().next()?;
        self.at += next.len_utf8();
        Some(Ok(next))
    }
}

fn not_utf8() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the text is not UTF-8")
}
