#!/usr/bin/env python3
"""Writes tests/cases/helm/functions: every function that Helm exposes, with arguments of several kinds.

  table.py --oracle PROGRAM --out DIR

Expressions come from the fuzzer's grammar with fixed seeds, results from Helm's own engine.
"""
import argparse, base64, json, os, re
import fuzz, grammar

PER_SIGNATURE = 6


def case(expression):
    files = {"Chart.yaml": "apiVersion: v2\nname: c\nversion: 0.1.0\n", "values.yaml": grammar.VALUES,
             "templates/a.yaml": "v: {{ printf \"%%v\" (%s) | b64enc }}\n" % expression}
    return {"files": files}


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--oracle", required=True)
    a.add_argument("--out", required=True)
    a = a.parse_args()
    expressions = []
    for index, (name, kinds, _) in enumerate(sorted(grammar.ALL, key=lambda known: (known[0], known[1]))):
        if name in ("include", "tpl", "call"):
            continue
        for at in range(PER_SIGNATURE):
            maker = grammar.Maker(1000 * index + at)
            expression = maker.call(name, kinds, 1)
            if not re.search(r"[$.](Files|Capabilities|Subcharts|Template)|\$|\(\.\)| \.( |\)|$)|toml|Toml|now", expression):
                expressions.append(expression)
    oracle, cases = fuzz.Program(a.oracle), [case(one) for one in expressions]
    first, second = oracle.ask(cases), oracle.ask(cases)
    with open(os.path.join(a.out, "expected.jsonl"), "w", encoding="utf-8") as out:
        for expression, want, again in zip(expressions, first, second):
            if want != again or fuzz.unstable(want) or want.get("error") == "CRASH":
                continue
            if "error" in want:
                found = {"error": want["error"]}
            else:
                text = base64.b64decode(want["texts"]["c/templates/a.yaml"]).decode()
                found = {"base64": text.removeprefix("v: ").strip()}
            out.write(json.dumps(dict({"expression": expression}, **found), ensure_ascii=False) + "\n")
    with open(os.path.join(a.out, "values.yaml"), "w", encoding="utf-8") as out:
        out.write(grammar.VALUES)


main()
