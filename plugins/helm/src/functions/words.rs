//! Sprig's functions on words: letter case, wrapping, abbreviations.

use bulkhead_template::{Function, Param, Run, Value, bytes, fixed};

use super::{Answer, context, int_of, text_of};

const S: Param = Param::String;
const I: Param = Param::Int;

pub(super) const TABLE: &[(&str, Function)] = &[
    (
        "abbrev",
        fixed(&[I, S], |_, a| {
            Ok(abbreviate(0, int_of(&a[0]), text_of(&a[1])).into())
        }),
    ),
    (
        "abbrevboth",
        fixed(&[I, I, S], |_, a| {
            let (left, right) = (int_of(&a[0]), int_of(&a[1]));
            if right < 4 || left > 0 && right < 7 {
                return Ok(a[2].clone());
            }
            Ok(abbreviate(left, right, text_of(&a[2])).into())
        }),
    ),
    (
        "initials",
        fixed(&[S], |_, a| Ok(initials(text_of(&a[0])).into())),
    ),
    (
        "title",
        fixed(&[S], |_, a| Ok(title(&bytes::lossy(text_of(&a[0]))).into())),
    ),
    (
        "untitle",
        fixed(&[S], |_, a| {
            Ok(untitle(&bytes::lossy(text_of(&a[0]))).into())
        }),
    ),
    (
        "nospace",
        fixed(&[S], |_, a| Ok(nospace(text_of(&a[0])).into())),
    ),
    (
        "swapcase",
        fixed(&[S], |_, a| {
            Ok(swapcase(&bytes::lossy(text_of(&a[0]))).into())
        }),
    ),
    ("shuffle", fixed(&[S], shuffle)),
    (
        "snakecase",
        fixed(&[S], |_, a| Ok(lower_words(text_of(&a[0]), '_').into())),
    ),
    (
        "kebabcase",
        fixed(&[S], |_, a| Ok(lower_words(text_of(&a[0]), '-').into())),
    ),
    (
        "camelcase",
        fixed(
            &[S],
            |_, a| Ok(pascal(&bytes::lossy(text_of(&a[0]))).into()),
        ),
    ),
    (
        "wrap",
        fixed(&[I, S], |_, a| {
            Ok(wrap(text_of(&a[1]), int_of(&a[0]), "\n", false).into())
        }),
    ),
    (
        "wrapWith",
        fixed(&[I, S, S], |_, a| {
            Ok(wrap(text_of(&a[2]), int_of(&a[0]), text_of(&a[1]), true).into())
        }),
    ),
];

/// One character for one, as Go maps case.
fn to_upper(c: char) -> char {
    if bytes::stands_for(c).is_some() {
        return '\u{fffd}';
    }
    let mut mapped = c.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(upper), None) => upper,
        _ => c,
    }
}

/// `unicode.ToTitle`: apart from upper case for letters that are two, and for Georgian, which has none.
fn to_title(c: char) -> char {
    match c {
        'Ǆ'..='ǆ' => 'ǅ',
        'Ǉ'..='ǉ' => 'ǈ',
        'Ǌ'..='ǌ' => 'ǋ',
        'Ǳ'..='ǳ' => 'ǲ',
        'ა'..='ჺ' | 'ჽ'..='ჿ' => c,
        c => to_upper(c),
    }
}

fn to_lower(c: char) -> char {
    if bytes::stands_for(c).is_some() {
        return '\u{fffd}';
    }
    if c == 'İ' {
        return 'i';
    }
    let mut mapped = c.to_lowercase();
    match (mapped.next(), mapped.next()) {
        (Some(lower), None) => lower,
        _ => c,
    }
}

/// `strings.ToUpper`.
pub(super) fn upper(text: &str) -> String {
    text.chars().map(to_upper).collect()
}

/// `strings.ToLower`.
pub(super) fn lower(text: &str) -> String {
    text.chars().map(to_lower).collect()
}

fn is_upper(c: char) -> bool {
    c.is_uppercase()
}

fn abbreviate(offset: i64, width: i64, text: &str) -> String {
    if width < 4 {
        return text.to_owned();
    }
    abbreviate_full(offset, width, text)
}

fn abbreviate_full(offset: i64, width: i64, text: &str) -> String {
    let length = bytes::len(text) as i64;
    if length == 0 || width < 4 {
        return String::new();
    }
    if length <= width {
        return text.to_owned();
    }
    let cut = |from: i64, to: i64| {
        let whole = |at: i64| usize::try_from(at).unwrap_or(0);
        bytes::slice(text, whole(from), whole(to)).unwrap_or_default()
    };
    let mut offset = offset.min(length);
    if length - offset < width - 3 {
        offset = length - (width - 3);
    }
    if offset <= 4 {
        return cut(0, width - 3) + "...";
    }
    if width < 7 {
        return String::new();
    }
    if offset + width - 3 < length {
        return format!("...{}", abbreviate_full(0, width - 3, &cut(offset, length)));
    }
    format!("...{}", cut(length - (width - 3), length))
}

/// Go reads these texts byte by byte: each byte is a character.
fn latin(text: &str) -> Vec<char> {
    bytes::of(text)
        .iter()
        .map(|byte| char::from(*byte))
        .collect()
}

fn initials(text: &str) -> String {
    let mut out = String::new();
    let mut after_gap = true;
    for c in latin(text) {
        if super::text::is_space(c) {
            after_gap = true;
        } else if after_gap {
            out.push(c);
            after_gap = false;
        }
    }
    out
}

fn nospace(text: &str) -> String {
    let chars = latin(text);
    if !chars.iter().any(|c| super::text::is_space(*c)) {
        return text.to_owned();
    }
    chars
        .into_iter()
        .filter(|c| !super::text::is_space(*c))
        .collect()
}

fn title(text: &str) -> String {
    let mut previous = ' ';
    let is_separator = |c: char| match c {
        c if c.is_ascii() => !(c.is_ascii_alphanumeric() || c == '_'),
        c if c.is_alphanumeric() => false,
        c => c.is_whitespace(),
    };
    let change = |c: char| {
        let after = is_separator(previous);
        previous = c;
        if after { to_title(c) } else { c }
    };
    text.chars().map(change).collect()
}

fn untitle(text: &str) -> String {
    let mut at_start = true;
    let change = |c: char| {
        if super::text::is_space(c) {
            at_start = true;
            return c;
        }
        if std::mem::take(&mut at_start) {
            to_lower(c)
        } else {
            c
        }
    };
    text.chars().map(change).collect()
}

fn swapcase(text: &str) -> String {
    let mut after_space = true;
    let change = |c: char| {
        if is_upper(c) {
            after_space = false;
            to_lower(c)
        } else if c.is_lowercase() {
            after_space = false;
            to_upper(c)
        } else {
            after_space = super::text::is_space(c);
            c
        }
    };
    text.chars().map(change).collect()
}

fn shuffle(run: &mut Run<'_>, args: &[Value]) -> Answer {
    let mut chars: Vec<char> = text_of(&args[0]).chars().collect();
    let mut random = context(run)?.random.borrow_mut();
    for at in (1..chars.len()).rev() {
        chars.swap(at, random.below(at as u64 + 1) as usize);
    }
    Ok(chars.into_iter().collect::<String>().into())
}

fn is_connector(c: char) -> bool {
    c == '-' || c == '_' || super::text::is_space(c)
}

fn pascal(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    let mut first_upper = false;
    let mut current = None;
    for c in chars.by_ref() {
        current = Some(c);
        if !is_connector(c) {
            first_upper = is_upper(c);
            current = Some(to_upper(c));
            break;
        }
        out.push(c);
    }
    let Some(mut current) = current else {
        return out;
    };
    if chars.as_str().is_empty() {
        // A text that ends here has its last character written twice if it is a connector.
        out.push(current);
        return out;
    }
    for c in chars {
        let previous = current;
        current = c;
        if is_connector(current) && is_connector(previous) {
            out.push(previous);
            continue;
        }
        if is_connector(previous) {
            first_upper = is_upper(current);
            current = to_upper(current);
            continue;
        }
        if first_upper {
            if is_upper(current) {
                current = to_lower(current);
            } else {
                first_upper = false;
            }
        }
        out.push(previous);
    }
    out.push(current);
    out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Invalid,
    Number,
    Upper,
    Alphabet,
    Connector,
    Punctuation,
    Other,
}

/// `unicode.IsPunct`, for the characters that texts have.
fn is_punctuation(c: char) -> bool {
    match c {
        '$' | '+' | '<' | '=' | '>' | '^' | '`' | '|' | '~' => false,
        c if c.is_ascii() => c.is_ascii_punctuation(),
        c => matches!(c, '¡' | '§' | '«' | '¶' | '·' | '»' | '¿' | '\u{2010}'..='\u{2027}'
            | '\u{2030}'..='\u{205e}' | '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3011}'),
    }
}

fn is_alphabet(c: char) -> bool {
    let is_ideograph =
        matches!(c, '\u{4e00}'..='\u{9fcc}' | '\u{3400}'..='\u{4d85}' | '\u{20000}'..='\u{2b81d}');
    c.is_alphabetic() && !is_ideograph
}

/// The next character that is one, and its bytes with those before it that are none; `None` where
/// nothing but such bytes is left.
fn next_valid(text: &str) -> Option<(char, usize)> {
    let is_bad = |c: char| c == '\u{fffd}' || bytes::stands_for(c).is_some();
    let (at, c) = text.char_indices().find(|(_, c)| !is_bad(*c))?;
    Some((c, at + c.len_utf8()))
}

/// Bytes of a word that goes on from `offset` while its characters fit.
fn end_of_word(text: &str, mut offset: usize, fits: &dyn Fn(char) -> bool) -> usize {
    while let Some((c, size)) = next_valid(&text[offset..]) {
        if !fits(c) {
            return offset;
        }
        offset += size;
    }
    text.len()
}

fn next_word(text: &str) -> (Word, &str, &str) {
    let Some((first, size)) = next_valid(text) else {
        return (Word::Invalid, text, "");
    };
    let take = |fits: &dyn Fn(char) -> bool| end_of_word(text, size, fits);
    let small = |c: char| is_alphabet(c) && !is_upper(c);
    let (kind, end) = if is_connector(first) {
        (Word::Connector, take(&is_connector))
    } else if is_punctuation(first) {
        (Word::Punctuation, take(&is_punctuation))
    } else if is_upper(first) {
        match next_valid(&text[size..]) {
            Some((second, _)) if !is_upper(second) => (Word::Upper, take(&small)),
            _ => {
                let end = take(&is_upper);
                // In HTTPStatus the S belongs to the second word.
                let is_followed = next_valid(&text[end..]).is_some_and(|(c, _)| is_alphabet(c));
                let last = text[..end].chars().next_back().map_or(0, char::len_utf8);
                (
                    Word::Upper,
                    end - if is_followed && end > size { last } else { 0 },
                )
            }
        }
    } else if is_alphabet(first) {
        (Word::Alphabet, take(&small))
    } else if first.is_numeric() {
        (Word::Number, take(&char::is_numeric))
    } else {
        let other =
            |c: char| !(is_connector(c) || is_alphabet(c) || c.is_numeric() || is_punctuation(c));
        (Word::Other, take(&other))
    };
    (kind, &text[..end], &text[end..])
}

fn write_lower(out: &mut String, kind: Word, word: &str, connector: char) {
    if kind != Word::Upper && kind != Word::Connector {
        out.push_str(word);
        return;
    }
    out.extend(word.chars().map(|c| match c {
        c if is_connector(c) => connector,
        c if is_upper(c) || bytes::stands_for(c).is_some() => to_lower(c),
        c => c,
    }));
}

/// Words in lower case with a connector between them, as xstrings cuts them.
fn lower_words(text: &str, connector: char) -> String {
    let mut out = String::new();
    let is_letters = |kind| kind == Word::Alphabet || kind == Word::Number;
    let ends = |kind| matches!(kind, Word::Connector | Word::Punctuation);
    let (mut kind, mut word, mut rest) = next_word(text);
    while !rest.is_empty() {
        if kind != Word::Connector {
            write_lower(&mut out, kind, word, connector);
        }
        let (before, last) = (kind, word);
        (kind, word, rest) = next_word(rest);
        match before {
            Word::Number => {
                while is_letters(kind) {
                    write_lower(&mut out, kind, word, connector);
                    (kind, word, rest) = next_word(rest);
                }
                if kind != Word::Invalid && !ends(kind) {
                    out.push(connector);
                }
            }
            Word::Connector => write_lower(&mut out, before, last, connector),
            Word::Punctuation => {}
            _ if kind != Word::Number => {
                if !ends(kind) {
                    out.push(connector);
                }
            }
            _ if rest.is_empty() => {}
            _ => {
                let number = word;
                (kind, word, rest) = next_word(rest);
                if kind != Word::Alphabet {
                    // A number belongs to the word before it: bld4_floor.
                    out.push_str(number);
                    if !ends(kind) {
                        out.push(connector);
                    }
                    continue;
                }
                out.push(connector);
                out.push_str(number);
                while is_letters(kind) {
                    write_lower(&mut out, kind, word, connector);
                    (kind, word, rest) = next_word(rest);
                }
                if kind != Word::Invalid && !ends(kind) {
                    out.push(connector);
                }
            }
        }
    }
    write_lower(&mut out, kind, word, connector);
    out
}

fn wrap(text: &str, width: i64, line_break: &str, cuts_words: bool) -> String {
    let data = bytes::of(text);
    let line_break = if line_break.is_empty() {
        "\n"
    } else {
        line_break
    };
    let width = usize::try_from(width).unwrap_or(1).max(1);
    let mut out: Vec<u8> = Vec::new();
    let mut at = 0;
    while data.len() - at > width {
        if data[at] == b' ' {
            at += 1;
            continue;
        }
        let space = data[at..=at + width].iter().rposition(|byte| *byte == b' ');
        let end = match space {
            Some(space) => at + space,
            None if cuts_words => {
                out.extend_from_slice(&data[at..at + width]);
                out.extend_from_slice(line_break.as_bytes());
                at += width;
                continue;
            }
            None => match data[at + width..].iter().position(|byte| *byte == b' ') {
                Some(space) => at + width + space,
                None => break,
            },
        };
        out.extend_from_slice(&data[at..end]);
        out.extend_from_slice(line_break.as_bytes());
        at = end + 1;
    }
    out.extend_from_slice(&data[at.min(data.len())..]);
    bytes::to_text(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut_as_in_xstrings() {
        for (text, snake) in [
            ("FirstName", "first_name"),
            ("HTTPServer", "http_server"),
            ("NoHTTPS", "no_https"),
            ("GO_PATH", "go_path"),
            ("GO PATH", "go_path"),
            ("http2xx", "http_2xx"),
            ("HTTP20xOK", "http_20x_ok"),
            ("Duration2m3s", "duration_2m3s"),
            ("Bld4Floor3rd", "bld4_floor_3rd"),
        ] {
            assert_eq!(lower_words(text, '_'), snake);
        }
        assert_eq!(pascal("http_server"), "HttpServer");
        assert_eq!(pascal("some-words here"), "SomeWordsHere");
        assert_eq!(pascal("_complex__case_"), "_Complex_Case_");
    }

    #[test]
    fn texts_are_shortened_and_wrapped_as_in_goutils() {
        assert_eq!(abbreviate(0, 5, "hello world"), "he...");
        assert_eq!(abbreviate(5, 10, "1234 5678 9123"), "...5678...");
        assert_eq!(wrap("hello world foo", 5, "\n", false), "hello\nworld\nfoo");
        assert_eq!(wrap("abcdefgh", 3, "-", true), "abc-def-gh");
        assert_eq!(initials("First Try"), "FT");
        assert_eq!(swapcase("aLLo wORLD"), "AllO World");
    }
}
