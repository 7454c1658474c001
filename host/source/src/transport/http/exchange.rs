//! One request and its answer, as gix reads and writes them.

use std::cell::RefCell;
use std::io::{self, BufRead, Cursor, Read, Write};
use std::rc::Rc;

use bytes::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Method, Response};

use super::send::Sender;

const RESULT: &str = "application/x-git-upload-pack-result";

/// A request; its body is written before it is sent.
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// A request is sent when its answer is first read: gix writes the body in between.
pub(super) enum Exchange {
    Pending(Call),
    Answered(Response),
    Failed,
}

impl Exchange {
    fn answer(&mut self, sender: &Sender) -> io::Result<&mut Response> {
        if matches!(self, Self::Pending(_))
            && let Self::Pending(call) = std::mem::replace(self, Self::Failed)
        {
            let (response, _) = sender.send(call, RESULT)?;
            *self = Self::Answered(response);
        }
        match self {
            Self::Answered(response) => Ok(response),
            _ => Err(io::Error::other("the request has failed before")),
        }
    }
}

/// Takes the body of a request.
pub(crate) struct PostBody(pub(super) Rc<RefCell<Exchange>>);

impl Write for PostBody {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut *self.0.borrow_mut() {
            Exchange::Pending(call) => {
                call.body.extend_from_slice(bytes);
                Ok(bytes.len())
            }
            _ => Err(io::Error::other("the request has been sent")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Gives the headers of an answer as lines.
pub(crate) struct Headers {
    pub(super) exchange: Rc<RefCell<Exchange>>,
    pub(super) sender: Rc<Sender>,
    pub(super) text: Option<Cursor<Vec<u8>>>,
}

impl Headers {
    fn text(&mut self) -> io::Result<&mut Cursor<Vec<u8>>> {
        if self.text.is_none() {
            let mut exchange = self.exchange.borrow_mut();
            let response = exchange.answer(&self.sender)?;
            let mut text = Vec::new();
            for (name, value) in response.headers() {
                text.extend_from_slice(name.as_str().as_bytes());
                text.extend_from_slice(b": ");
                text.extend_from_slice(value.as_bytes());
                text.push(b'\n');
            }
            self.text = Some(Cursor::new(text));
        }
        self.text
            .as_mut()
            .ok_or_else(|| io::Error::other("no headers"))
    }
}

impl Read for Headers {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.text()?.read(buffer)
    }
}

impl BufRead for Headers {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.text()?.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        if let Some(text) = &mut self.text {
            text.consume(bytes);
        }
    }
}

/// Gives the body of an answer as it arrives.
pub(crate) struct Body {
    pub(super) exchange: Rc<RefCell<Exchange>>,
    pub(super) sender: Rc<Sender>,
    pub(super) chunk: Bytes,
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(buffer)?;
        self.consume(length);
        Ok(length)
    }
}

impl BufRead for Body {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.chunk.is_empty() {
            let mut exchange = self.exchange.borrow_mut();
            let response = exchange.answer(&self.sender)?;
            let meter = &self.sender.meter;
            match meter.wait(response.chunk())? {
                Ok(Some(chunk)) => {
                    meter.count(chunk.len())?;
                    self.chunk = chunk;
                }
                Ok(None) => break,
                Err(error) => return Err(meter.fail(self.sender.broken(error))),
            }
        }
        Ok(&self.chunk)
    }

    fn consume(&mut self, bytes: usize) {
        let _ = self.chunk.split_to(bytes.min(self.chunk.len()));
    }
}
