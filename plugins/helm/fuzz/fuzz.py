#!/usr/bin/env python3
"""Compares our Helm renderer with Helm's own engine on made-up charts.

  fuzz.py --oracle PROGRAM --ours PROGRAM [--seconds N] [--seed N] [--keep DIR] [--only FUNCTION] [--errors]

ORACLE is the Go program in `oracle`, OURS the example `fuzz-serve`; both answer a case a line. A difference
in bytes, or in whether there is an error, is made as small as it gets and written below DIR with the seed
that makes it again; the exit status is 1 when there was one. Errors that differ in their texts alone are
counted, and written with --errors.
"""
import argparse, base64, json, os, re, sys, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "fuzz"))
import charts
import grammar
from program import Program, answers

# Cases that are sent at once.
BATCH = 128

def unstable(answer):
    """Tells whether an answer has what changes from run to run: addresses."""
    texts = [base64.b64decode(text) for text in answer.get("texts", {}).values()]
    text = b"".join(texts).decode("utf-8", "replace") + answer.get("error", "")
    # A time by a verb that is not for times shows the address of its zone.
    if re.search(r"Location=&\{|[{ ]\S*\d+ +\S*\d+ +\S*57179392\}", text):
        return True
    if re.search(r"\{\S* ?-?\d+ \S*\d{8,} |time\.Location=|\{wall:", text):
        return True
    return re.search(r"0xc0[0-9a-f]{8}|0x[0-9a-f]{6,12}\b|goroutine", text)


def class_of(want, got):
    """`same`, `errors` for texts of errors that differ, or `different`."""
    # A chart without templates: Go leaves the empty field out.
    want = want if want else {"texts": {}}
    if re.search(r"more than \d+ (bytes|steps|numbers|items|random)|would hold itself", got.get("error", "")):
        return "same"  # A limit of ours.
    if "error" in want and "error" in got:
        if got["error"] == "CRASH" or want["error"] == "CRASH":
            return "same" if want["error"] == "CRASH" else "different"
        return "same" if want["error"] == got["error"] else "errors"
    if want == got or "CRASH" in want.get("error", ""):
        return "same"
    return "errors" if told_of_toml(want) and told_of_toml(want) == told_of_toml(got) else "different"


def told_of_toml(answer):
    """The texts without what fromToml says is wrong: it is data, but in the words of a reader's author."""
    texts = {name: base64.b64decode(text) for name, text in answer.get("texts", {}).items()}
    known = {name: re.sub(rb"(?i)toml:[ +]*(%20)*line.*", b"TOML", text, flags=re.S) for name, text in texts.items()}
    return known if known != texts else None


def fewer(case):
    """The case with one thing less, each way."""
    for name, text in case["files"].items():
        yield dict(case, files={key: value for key, value in case["files"].items() if key != name})
        lines = text.split("\n")
        for size in (16, 4, 1):
            if size < len(lines):
                for at in range(0, len(lines), size):
                    yield dict(case, files=dict(case["files"], **{name: "\n".join(lines[:at] + lines[at + size:])}))
    for name in case:
        if name in ("files", "whole"):
            continue
        yield {key: value for key, value in case.items() if key != name}
        for at in range(len(case[name])):
            yield dict(case, **{name: case[name][:at] + case[name][at + 1:]})


def smaller(programs, case, wanted, budget=60):
    """Leaves out files, lines and flags while the difference stays."""
    changed = True
    while changed and budget > 0:
        changed, candidates = False, list(fewer(case))
        for start in range(0, len(candidates), 32):
            budget -= 1
            part = candidates[start:start + 32]
            at = next((at for at, pair in enumerate(answers(programs, part)) if class_of(*pair) == wanted), None)
            if at is not None:
                case, changed = part[at], True
                break
    return case


def is_unstable(programs, case, want):
    """Tells whether the oracle itself says something else each time."""
    again = answers(programs[:1], [case] * 3)
    return unstable(want) or any(one != want for (one,) in again)


def keep(programs, case, found, path):
    case = smaller(programs, case, found)
    want, got = answers(programs, [case])[0]
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        json.dump({"case": case, "want": want, "got": got}, out, indent=1)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--oracle", required=True)
    a.add_argument("--ours", required=True)
    a.add_argument("--seconds", type=float, default=60)
    a.add_argument("--seed", type=int, default=None)
    a.add_argument("--keep", default="differences")
    a.add_argument("--only")
    a.add_argument("--errors", action="store_true")
    a.add_argument("--most", type=int, default=1 << 30, help="stop after so many differences")
    a = a.parse_args()
    programs = [Program(a.oracle), Program(a.ours)]
    only = [known for known in grammar.ALL if a.only and re.fullmatch(a.only, known[0])]
    first = a.seed if a.seed is not None else int.from_bytes(os.urandom(4), "big")
    end, seed, tried, valid, counts = time.time() + a.seconds, first, 0, 0, {"same": 0, "errors": 0, "different": 0}
    while time.time() < end and counts["different"] < a.most:
        batch = []
        for seed in range(seed, seed + BATCH):
            # Most cases are one template's text; the others are all that a chart comes to.
            if not only and seed % 4 == 0:
                batch.append((seed, charts.Maker(seed).whole()))
                continue
            maker = grammar.Maker(seed)
            if only:
                maker.only = maker.r.choice(only)
            batch.append((seed, grammar.case(*maker.chart())))
        seed += 1
        for (made, case), (want, got) in zip(batch, answers(programs, [case for _, case in batch])):
            tried += 1
            valid += "texts" in want
            found = class_of(want, got)
            if found != "same" and is_unstable(programs, case, want):
                found = "same"
            counts[found] += 1
            if found == "different" or (found == "errors" and a.errors):
                keep(programs, case, found, os.path.join(a.keep, "%s-%d.json" % (found, made)))
                print("%s: seed %d" % (found, made), flush=True)
    print("%d inputs from seed %d, %d valid, %d differ, %d errors differ in their texts" % (tried, first, valid, counts["different"], counts["errors"]))
    sys.exit(1 if counts["different"] else 0)


if __name__ == "__main__":
    main()
