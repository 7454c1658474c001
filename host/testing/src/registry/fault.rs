//! What a registry does wrong.

/// What the proxy does with a request instead of, or after, passing it on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Never answers.
    Silence,
    /// Answers with this status and a page for browsers.
    Page(u16),
    /// Answers with this status and a registry's error of this code.
    Code(u16, String),
    /// Answers with this status and a `Retry-After` of so many seconds.
    RetryAfter(u16, u64),
    /// Answers with this status and a `Location`: this base, and the request's path and query.
    Redirect(u16, String),
    /// Answers with this body and type instead of the right ones.
    Instead(String, Vec<u8>),
    /// Flips a bit in the middle of the body.
    Flip,
    /// Leaves out the last byte and announces the shorter length.
    Shorter,
    /// Adds a byte and announces the longer length.
    Longer,
    /// Adds bytes without announcing a length, and never ends.
    Endless,
    /// Sends so many bytes and then nothing more.
    Stall(usize),
    /// Sends so many bytes and then closes the connection.
    Cut(usize),
}

/// Which requests a fault is for.
pub(crate) struct Rule {
    pub(crate) part: String,
    pub(crate) fault: Fault,
    pub(crate) left: Option<usize>,
}

/// Returns the fault for a request, and counts it.
pub(crate) fn find(rules: &mut [Rule], request: &str) -> Option<Fault> {
    let rule = rules
        .iter_mut()
        .find(|rule| rule.left != Some(0) && request.contains(&rule.part))?;
    rule.left = rule.left.map(|left| left - 1);
    Some(rule.fault.clone())
}
