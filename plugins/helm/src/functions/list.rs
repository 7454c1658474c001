//! Sprig's functions on lists. None changes the list that it is given.

use bulkhead_template::{ANY, Error, Function, IntType, List, Param, Run, Value, fixed, variadic};

use super::{Answer, NIL_POINTER, deep_equal, elements, int_of, is_empty, strval, to_int};

const I: Param = Param::Int;
const A: Param = Param::Any;

/// Longest list that is made.
const MAX_ITEMS: usize = 1_000_000;

pub(super) const TABLE: &[(&str, Function)] = &[
    ("list", variadic(&[], A, |_, a| Ok(Value::list(a.to_vec())))),
    (
        "tuple",
        variadic(&[], A, |_, a| Ok(Value::list(a.to_vec()))),
    ),
    ("append", fixed(&[A, A], push)),
    ("push", fixed(&[A, A], push)),
    ("mustAppend", fixed(&[A, A], push)),
    ("mustPush", fixed(&[A, A], push)),
    ("prepend", fixed(&[A, A], prepend)),
    ("mustPrepend", fixed(&[A, A], prepend)),
    (
        "first",
        fixed(&[A], |_, a| {
            Ok(items(&a[0], "find first on")?
                .first()
                .cloned()
                .unwrap_or(Value::Nil))
        }),
    ),
    (
        "mustFirst",
        fixed(&[A], |_, a| {
            Ok(items(&a[0], "find first on")?
                .first()
                .cloned()
                .unwrap_or(Value::Nil))
        }),
    ),
    (
        "last",
        fixed(&[A], |_, a| {
            Ok(items(&a[0], "find last on")?
                .last()
                .cloned()
                .unwrap_or(Value::Nil))
        }),
    ),
    (
        "mustLast",
        fixed(&[A], |_, a| {
            Ok(items(&a[0], "find last on")?
                .last()
                .cloned()
                .unwrap_or(Value::Nil))
        }),
    ),
    ("rest", fixed(&[A], rest)),
    ("mustRest", fixed(&[A], rest)),
    ("initial", fixed(&[A], initial)),
    ("mustInitial", fixed(&[A], initial)),
    ("reverse", fixed(&[A], reverse)),
    ("mustReverse", fixed(&[A], reverse)),
    ("compact", fixed(&[A], compact)),
    ("mustCompact", fixed(&[A], compact)),
    ("uniq", fixed(&[A], uniq)),
    ("mustUniq", fixed(&[A], uniq)),
    ("without", variadic(&[A], A, without)),
    ("mustWithout", variadic(&[A], A, without)),
    ("has", fixed(&[A, A], has)),
    ("mustHas", fixed(&[A, A], has)),
    ("slice", variadic(&[A], A, slice)),
    ("mustSlice", variadic(&[A], A, slice)),
    ("concat", variadic(&[], A, concat)),
    ("chunk", fixed(&[I, A], chunk)),
    ("mustChunk", fixed(&[I, A], chunk)),
    ("sortAlpha", fixed(&[A], sort_alpha)),
    (
        "until",
        fixed(&[I], |_, a| {
            let count = int_of(&a[0]);
            Ok(ints(steps(0, count, if count < 0 { -1 } else { 1 })?))
        }),
    ),
    (
        "untilStep",
        fixed(&[I, I, I], |_, a| {
            Ok(ints(steps(int_of(&a[0]), int_of(&a[1]), int_of(&a[2]))?))
        }),
    ),
    ("seq", variadic(&[], I, seq)),
];

fn items(value: &Value, verb: &str) -> Result<Vec<Value>, Error> {
    if value.is_nil() {
        return Err(NIL_POINTER.into());
    }
    elements(value).ok_or_else(|| format!("Cannot {verb} type {}", value.kind()).into())
}

fn nil_list() -> Value {
    Value::nil_list(ANY)
}

fn push(_: &mut Run<'_>, args: &[Value]) -> Answer {
    let mut list = items(&args[0], "push on")?;
    list.push(args[1].clone());
    Ok(Value::list(list))
}

fn prepend(_: &mut Run<'_>, args: &[Value]) -> Answer {
    let mut list = items(&args[0], "prepend on")?;
    list.insert(0, args[1].clone());
    Ok(Value::list(list))
}

fn rest(_: &mut Run<'_>, args: &[Value]) -> Answer {
    let mut list = items(&args[0], "find rest on")?;
    if list.is_empty() {
        return Ok(nil_list());
    }
    list.remove(0);
    Ok(Value::list(list))
}

fn initial(_: &mut Run<'_>, args: &[Value]) -> Answer {
    let mut list = items(&args[0], "find initial on")?;
    if list.pop().is_none() {
        return Ok(nil_list());
    }
    Ok(Value::list(list))
}

fn reverse(_: &mut Run<'_>, args: &[Value]) -> Answer {
    let mut list = items(&args[0], "find reverse on")?;
    list.reverse();
    Ok(Value::list(list))
}

fn compact(_: &mut Run<'_>, args: &[Value]) -> Answer {
    let mut list = items(&args[0], "compact on")?;
    list.retain(|item| !is_empty(item));
    Ok(Value::list(list))
}

fn uniq(run: &mut Run<'_>, args: &[Value]) -> Answer {
    let mut found: Vec<Value> = Vec::new();
    let mut texts = std::collections::HashSet::new();
    for item in items(&args[0], "find uniq on")? {
        run.step()?;
        let is_new = match &item {
            Value::String(text) => texts.insert(text.clone()),
            item => !found.iter().any(|known| deep_equal(item, known)),
        };
        if is_new {
            found.push(item);
        }
    }
    Ok(Value::list(found))
}

fn without(_: &mut Run<'_>, args: &[Value]) -> Answer {
    let mut list = items(&args[0], "find without on")?;
    list.retain(|item| !args[1..].iter().any(|omitted| deep_equal(item, omitted)));
    Ok(Value::list(list))
}

fn has(_: &mut Run<'_>, args: &[Value]) -> Answer {
    if args[1].is_nil() {
        return Ok(false.into());
    }
    let list = items(&args[1], "find has on")?;
    Ok(list.iter().any(|item| deep_equal(&args[0], item)).into())
}

fn slice(_: &mut Run<'_>, args: &[Value]) -> Answer {
    if args[0].is_nil() {
        return Err(NIL_POINTER.into());
    }
    let list = elements(&args[0]).ok_or_else(|| {
        Error::from(format!(
            "list should be type of slice or array but {}",
            args[0].kind()
        ))
    })?;
    if list.is_empty() {
        return Ok(Value::Nil);
    }
    let start = args.get(1).map_or(0, to_int);
    let end = args.get(2).map_or(list.len() as i64, to_int);
    let whole = |at: i64| usize::try_from(at).ok();
    let part = whole(start)
        .zip(whole(end))
        .and_then(|(start, end)| list.get(start..end));
    let part = part.ok_or("reflect.Value.Slice: slice index out of bounds")?;
    Ok(match &args[0] {
        Value::List(list) => Value::List(List {
            items: part.to_vec().into(),
            element: list.element,
            is_nil: false,
        }),
        _ => Value::list(part.to_vec()),
    })
}

fn concat(_: &mut Run<'_>, args: &[Value]) -> Answer {
    let mut all = Vec::new();
    for arg in args {
        if arg.is_nil() {
            return Err(NIL_POINTER.into());
        }
        let list = elements(arg)
            .ok_or_else(|| Error::from(format!("Cannot concat type {} as list", arg.kind())))?;
        all.extend(list);
        if all.len() > MAX_ITEMS {
            return Err(format!("concat: more than {MAX_ITEMS} items").into());
        }
    }
    if all.is_empty() {
        return Ok(nil_list());
    }
    Ok(Value::list(all))
}

fn chunk(_: &mut Run<'_>, args: &[Value]) -> Answer {
    if args[1].is_nil() {
        return Err(NIL_POINTER.into());
    }
    let list = elements(&args[1])
        .ok_or_else(|| Error::from(format!("Cannot chunk type {}", args[1].kind())))?;
    let size = match int_of(&args[0]) {
        size if size > 0 => usize::try_from(size).unwrap_or(usize::MAX),
        // Go counts the chunks with floats: of a negative size there is one, none or too few.
        size if size < -1 && list.len() == 1 => 1,
        size if list.len() > 1 && (list.len() as u64 - 1) <= size.unsigned_abs() => {
            return Ok(lists(Vec::new()));
        }
        _ => return Err("runtime error: makeslice: len out of range".into()),
    };
    let chunks = list
        .chunks(size)
        .map(|chunk| Value::list(chunk.to_vec()))
        .collect::<Vec<_>>();
    Ok(lists(chunks))
}

fn lists(items: Vec<Value>) -> Value {
    Value::List(List {
        items: items.into(),
        element: "[]interface {}",
        is_nil: false,
    })
}

fn sort_alpha(_: &mut Run<'_>, args: &[Value]) -> Answer {
    // Sprig sorts a `[]string` in place: one that is nil stays so.
    if matches!(&args[0], Value::List(list) if list.is_nil && list.element == "string") {
        return Ok(args[0].clone());
    }
    if elements(&args[0]).is_none() {
        return Ok(Value::strings([strval(&args[0])]));
    }
    let mut texts = super::text::strings(&args[0]);
    texts.sort();
    Ok(Value::strings(texts))
}

fn steps(start: i64, stop: i64, step: i64) -> Result<Vec<i64>, Error> {
    let mut found = Vec::new();
    let goes_up = stop >= start;
    if (goes_up && step <= 0) || (!goes_up && step >= 0) {
        return Ok(found);
    }
    let mut at = start;
    while if goes_up { at < stop } else { at > stop } {
        found.push(at);
        if found.len() > MAX_ITEMS {
            return Err(format!("more than {MAX_ITEMS} numbers").into());
        }
        at = at.saturating_add(step);
    }
    Ok(found)
}

fn ints(numbers: Vec<i64>) -> Value {
    let items: Vec<Value> = numbers
        .into_iter()
        .map(|n| Value::Int(n, IntType::Int))
        .collect();
    Value::List(List {
        items: items.into(),
        element: "int",
        is_nil: false,
    })
}

fn seq(_: &mut Run<'_>, args: &[Value]) -> Answer {
    let args: Vec<i64> = args.iter().map(int_of).collect();
    let toward = |start: i64, end: i64| if end < start { -1 } else { 1 };
    let numbers = match args.as_slice() {
        [end] => {
            let step = toward(1, *end);
            steps(1, end.saturating_add(step), step)?
        }
        [start, end] => {
            let step = toward(*start, *end);
            steps(*start, end.saturating_add(step), step)?
        }
        [start, step, end] => {
            if end < start && *step > 0 {
                return Ok("".into());
            }
            steps(*start, end.saturating_add(toward(*start, *end)), *step)?
        }
        _ => Vec::new(),
    };
    let texts: Vec<String> = numbers.iter().map(i64::to_string).collect();
    Ok(texts.join(" ").into())
}
