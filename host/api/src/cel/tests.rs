//! Tables of expressions: what they come to, and what they say where they fail.

#![allow(clippy::unwrap_used, reason = "a test may")]

use serde_json::{Value, json};

use super::*;

fn data() -> Value {
    json!({
        "metadata": { "name": "web", "generation": 3, "labels": { "a/b": "1" } },
        "spec": { "replicas": 2, "ratio": 0.5, "paused": false, "none": null },
        "status": {
            "replicas": 2,
            "at": "2026-11-29T10:20:30Z",
            "conditions": [
                { "type": "Ready", "status": "True", "reason": "Done" },
                { "type": "Synced", "status": "False" },
            ],
        },
    })
}

fn of(text: &str) -> Result<bool, String> {
    let read = Expression::parse(text).map_err(|error| error.to_string())?;
    read.is_true_of(&data()).map_err(|error| match error {
        CelError::Evaluate { problem, .. } => problem,
        other => other.to_string(),
    })
}

#[test]
fn expressions_are_true() {
    for text in [
        // The examples of Flux's documentation.
        "status.conditions.filter(e, e.type == 'Ready').all(e, e.status == 'True')",
        "status.conditions.exists(e, e.type == 'Synced' && e.status == 'False')",
        "has(status.conditions) && status.conditions.exists_one(c, c.type == 'Ready')",
        "!has(status.failed) && metadata.labels['a/b'] == '1' && !('x' in metadata.labels)",
        "status.replicas == spec.replicas && metadata.generation - 1 >= 2",
        // Operators and their order.
        "1 + 2 * 3 == 7 && (1 + 2) * 3 == 9 && 7 / 2 == 3 && -7 % 3 == -1 && 5u + 1u == 6u",
        "1 == 1.0 && 1u == 1 && 2 > 1.5 && 1 in [1.0, 2.0] && 'a' < 'b' && 0x10 == 16",
        "1.5e3 == 1500.0 && .5 == 0.5 && spec.ratio < 1 && -9223372036854775808 < 0",
        "true || false && false",
        "(spec.paused ? 'a' : 'b') == 'b'",
        "1 != 'a' && null == spec.none && spec.none != 0 && {'a': 1} == {'a': 1.0}",
        // A side that decides makes up for an error.
        "nothing.at.all || true",
        "!(1 / 0 == 1 && false)",
        "[1, 0].exists(x, 1 / x == 1) && ![0, 1].all(x, 1 / x == 2)",
        // Texts.
        r#"'\u00fc\x41\n\'' == "üA\n'" && r'\n' == '\\n' && b'\xff' != b'' && '''a'b''' == "a'b""#,
        "'hello'.contains('ell') && 'hello'.startsWith('he') && 'hello'.endsWith('lo')",
        "'hello'.matches('^h.*o$') && matches('a1', '[a-z][0-9]') && !'abc'.matches('^b')",
        "'a-b-c'.split('-') == ['a', 'b', 'c'] && 'a-b-c'.split('-', 2) == ['a', 'b-c']",
        "'abc'.split('') == ['a', 'b', 'c'] && 'abc'.split('', 2) == ['a', 'bc'] && 'a'.split(',', 0) == []",
        "['a', 'b'].join(', ') == 'a, b' && 'aXbX'.replace('X', '', 1) == 'abX'",
        "'tacocat'.substring(4) == 'cat' && 'tacocat'.substring(0, 4) == 'taco'",
        "'über'.indexOf('e') == 2 && 'hello'.lastIndexOf('l') == 3 && 'hello'.indexOf('z') == -1",
        "'hello mellow'.lastIndexOf('ello', 6) == 1 && 'hello'.indexOf('l', 3) == 3",
        "' a '.trim() == 'a' && 'aB'.upperAscii() == 'AB' && 'aB'.lowerAscii() == 'ab' && 'ab'.reverse() == 'ba'",
        "'tacocat'.charAt(3) == 'o' && 'tacocat'.charAt(7) == '' && size('über') == 4",
        r#""%s=%d %.2f %x %X %o %b %e%%".format(["a", 1, 1.5, 255, 255, 8, 5, 1234.5]) == "a=1 1.50 ff FF 10 101 1.234500e+03%""#,
        "'%s'.format([[1, 'a', {'b': true}]]) == '[1, a, {b: true}]'",
        r#"strings.quote("a\"b") == '"a\\"b"'"#,
        // Lists and maps.
        "[1, 2, 3].map(x, x * 2) == [2, 4, 6] && [1, 2, 3].map(x, x > 1, x + 1) == [3, 4]",
        "[1, 2] + [3] == [1, 2, 3] && size({'a': 1}) == 1 && [[1]][0][0] == 1",
        "{'a': 1, 'b': 2}.all(key, key in ['a', 'b']) && {1: 'x'}[1] == 'x'",
        "[3, 1].exists(x, [1].exists(y, x == y)) && [1].all(x, x == 1 && [2].all(x, x == 2))",
        // Optionals.
        "status.?missing.orValue(7) == 7 && status.?replicas.orValue(7) == 2",
        "!status.?missing.deeper.hasValue() && status.?replicas.value() == 2",
        "status.conditions[?9].optMap(c, c.type).orValue('none') == 'none'",
        "status.conditions.first().value().type == 'Ready' && [].last() == optional.none()",
        "[?status.?missing, 1] == [1] && {?'a': status.?missing, 'b': 2} == {'b': 2}",
        "optional.ofNonZeroValue('').or(optional.of('x')).value() == 'x'",
        "optional.of(1).optFlatMap(x, optional.none()) == optional.none()",
        // Types and conversions.
        "type(1) == int && type('a') == string && type([]) == list && type(status) == map",
        "int('7') == 7 && int(7.9) == 7 && uint(3) == 3u && double('1.5') == 1.5 && string(1) == '1'",
        "string(true) == 'true' && bool('true') && bytes('a') == b'a' && dyn(1) == 1",
        // Sets and encoders.
        "sets.contains([1, 2], [2]) && sets.equivalent([1, 1], [1]) && !sets.intersects([1], [2])",
        "base64.encode(b'hello') == 'aGVsbG8=' && base64.decode('aGVsbG8') == b'hello'",
        // Times.
        "timestamp(status.at).getFullYear() == 2026 && timestamp(status.at).getMonth() == 10",
        "timestamp(status.at).getDate() == 29 && timestamp(status.at).getDayOfMonth() == 28",
        "timestamp(status.at).getDayOfWeek() == 0 && timestamp(status.at).getHours('+02:00') == 12",
        "timestamp(status.at) + duration('1h') > timestamp('2026-11-29T11:00:00Z')",
        "timestamp(status.at) - timestamp('2026-11-29T10:00:00Z') == duration('20m30s')",
        "duration('1h30m').getMinutes() == 90 && string(duration('90s')) == '90s'",
        // What looks odd.
        "// a remark\n true",
        "{'in': 1}.in == 1 && {'a': {'b': 1}}.a.b == 1 && metadata.labels.`a/b` == '1'",
    ] {
        assert_eq!(of(text), Ok(true), "{text}");
    }
}

#[test]
fn failures_say_what_is_wrong() {
    for (text, told) in [
        ("foo", "no such attribute(s): foo"),
        ("status.foo", "no such key: foo"),
        ("status.conditions[5].type == ''", "index out of bounds: 5"),
        ("1 / 0 == 1", "division by zero"),
        ("9223372036854775807 + 1 > 0", "integer overflow"),
        ("'a' + 1 == 'a1'", "no such overload"),
        ("'a'.nope()", "unknown function 'nope'"),
        ("status.?foo.value() == 1", "optional.none() dereference"),
        ("'a'.matches('(')", "error parsing regexp: "),
        (
            "'some-value'",
            "failed to evaluate CEL expression as boolean: ''some-value''",
        ),
        (
            "foo.",
            "failed to parse the CEL expression 'foo.': ERROR: <input>:1:5: Syntax error: ",
        ),
        ("a &&", "Syntax error: mismatched input '<EOF>'"),
        ("'open", "unterminated string"),
        ("has(a)", "invalid argument to has() macro"),
        ("[1].all(1, true)", "argument must be a simple name"),
        ("Message{a: 1}", "messages cannot be made"),
    ] {
        let error = of(text).unwrap_err();
        assert!(error.contains(told), "{text}: {error}");
    }
    let error = of("true &&\n  foo bar").unwrap_err();
    assert!(
        error.ends_with(
            "ERROR: <input>:2:7: Syntax error: extraneous input 'bar'\n |   foo bar\n | ......^"
        ),
        "{error}"
    );
}

#[test]
fn a_compiled_expression_is_checked_before() {
    let of = |text: &str| match Expression::compile(text, &["self", "dep"]) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    for text in [
        "dep.status.conditions.filter(e, e.type == 'Ready').all(e, e.status == 'True')",
        "dep.metadata.labels['version'] == self.metadata.labels['version']",
        "dep.status.observedGeneration == dep.metadata.generation && dep.spec.x == true",
        "has(dep.status) ? true : false",
        "dep.metadata.name.startsWith('a') || self.spec.n > 1",
    ] {
        assert_eq!(of(text), "", "{text}");
    }
    for (text, told) in [
        (
            "foo",
            "ERROR: <input>:1:1: undeclared reference to 'foo' (in container '')",
        ),
        (
            "dep == 'bar'",
            "ERROR: <input>:1:5: found no matching overload for '_==_' applied to '(map(string, dyn), string)'",
        ),
        (
            "'foo'",
            "CEL expression output type mismatch: expected bool, got string",
        ),
        (
            "dep.ready",
            "CEL expression output type mismatch: expected bool, got dyn",
        ),
        ("dep.a.nope()", "undeclared reference to 'nope'"),
        ("1 && true", "found no matching overload for '_&&_'"),
        ("'a'.b == 1", "does not support field selection"),
        (
            "1 + 'a' == 1",
            "found no matching overload for '_+_' applied to '(int, string)'",
        ),
    ] {
        let error = of(text);
        assert!(error.contains(told), "{text}: {error}");
    }
}

#[test]
fn no_expression_takes_long() {
    let list: Vec<i64> = (0..10_000).collect();
    let text = "a".repeat(1 << 20);
    let object = json!({ "list": list, "text": text });
    let budget = "operation cancelled: actual cost limit exceeded";
    for bomb in [
        "list.all(a, list.all(b, list.all(c, a + b + c >= 0)))",
        "list.map(a, list).map(b, b + b).size() > 0",
        "text.replace('a', text).size() > 0",
        "list.map(a, text).join(text).size() > 0",
        "list.all(a, text.matches('(a*)*$'))",
        "list.all(a, text == text)",
        "list.map(a, text + text).size() > 0",
        "list.all(a, '%s'.format([list]) != '')",
        "list.all(a, sets.contains(list, list))",
        // Nothing makes up for it.
        "list.all(a, list.all(b, list.all(c, true))) || true",
    ] {
        let read = Expression::parse(bomb).unwrap();
        let error = read.is_true_of(&object).unwrap_err().to_string();
        assert!(error.contains(budget), "{bomb}: {error}");
    }
    for deep in [
        "(".repeat(10_000),
        "!".repeat(10_000) + "true",
        "[".repeat(10_000),
        format!("1{}", " + 1".repeat(4_000)),
        format!("a{}", ".a".repeat(8_000)),
        "x".repeat(MAX_BYTES + 1),
    ] {
        assert!(Expression::parse(&deep).is_err());
    }
    let wide = format!("true{}", " && true".repeat(2_000));
    assert_eq!(of(&wide), Ok(true));
}
