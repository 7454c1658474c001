#!/usr/bin/env python3
"""Compares our Helm renderer with Helm's own engine on made-up charts.

  fuzz.py --oracle PROGRAM --ours PROGRAM [--seconds N] [--seed N] [--keep DIR] [--only FUNCTION] [--errors]

ORACLE is the Go program in `oracle`, OURS the example `fuzz-serve`; both answer a case a line. A difference
in bytes, or in whether there is an error, is made as small as it gets and written below DIR with the seed
that makes it again; the exit status is 1 when there was one. Errors that differ in their texts alone are
counted, and written with --errors.
"""
import argparse, base64, json, os, re, resource, subprocess, sys, threading, time
from concurrent.futures import ThreadPoolExecutor

import grammar

# Cases that are sent at once.
BATCH = 128

# Most memory of a renderer, in bytes.
MEMORY = 5 << 29


class Program:
    """A renderer that answers lines; started again when it dies."""

    def __init__(self, path):
        self.path, self.process = path, None

    def ask(self, lines):
        """The answers to lines. They are written by a thread: many at once fill the pipe."""
        found = []
        while len(found) < len(lines):
            if self.process is None:
                self.process = subprocess.Popen([self.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=dict(os.environ, TZ="UTC"), preexec_fn=limited)
            writer = threading.Thread(target=self.write, args=(lines[len(found):],))
            writer.start()
            for line in self.process.stdout:
                found.append(json.loads(line))
                if len(found) == len(lines):
                    break
            else:
                self.process.kill()
                self.process.wait()
                self.process = None
                found.append({"error": "CRASH"})
            writer.join()
        return found

    def write(self, lines):
        try:
            self.process.stdin.write(b"".join(lines))
            self.process.stdin.flush()
        except (BrokenPipeError, AttributeError, ValueError):
            pass


def limited():
    """A list of all integers would take the machine's memory before Go gives up."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def answers(programs, cases):
    """Pairs of answers, the oracle's and ours."""
    lines = [json.dumps(case).encode() + b"\n" for case in cases]
    with ThreadPoolExecutor() as pool:
        return list(zip(*pool.map(lambda program: program.ask(lines), programs)))


def unstable(answer):
    """Tells whether an answer has what changes from run to run: addresses."""
    texts = [base64.b64decode(text) for text in answer.get("texts", {}).values()]
    text = b"".join(texts).decode("utf-8", "replace") + answer.get("error", "")
    # A time by a verb that is not for times shows the address of its zone.
    if re.search(r"\{\S* ?-?\d+ \S*\d{8,} |time\.Location=|\{wall:", text):
        return True
    return re.search(r"0xc0[0-9a-f]{8}|0x[0-9a-f]{6,12}\b|goroutine", text)


def class_of(want, got):
    """`same`, `errors` for texts of errors that differ, or `different`."""
    if re.search(r"more than \d+ (bytes|steps|numbers|items|random)", got.get("error", "")):
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
    known = {name: re.sub(rb"(?i)toml:[ +]*(%20)*line.*?(?= \w+:|[\]}]|$)", b"TOML", text, flags=re.S) for name, text in texts.items()}
    return known if known != texts else None


def smaller(programs, files, pieces, flags, wanted):
    """Leaves out pieces, files and flags while the difference stays."""
    def differs(*parts):
        return class_of(*answers(programs, [grammar.case(*parts)])[0]) == wanted
    for at in reversed(range(len(pieces))):
        fewer = pieces[:at] + pieces[at + 1:]
        if differs(files, fewer, flags):
            pieces = fewer
    for name in sorted(flags):
        fewer = {key: value for key, value in flags.items() if key != name}
        if differs(files, pieces, fewer):
            flags = fewer
    for name in sorted(files):
        fewer = {key: value for key, value in files.items() if key != name}
        if name != "Chart.yaml" and differs(fewer, pieces, flags):
            files = fewer
    return files, pieces, flags


def is_unstable(programs, parts, want):
    """Tells whether the oracle itself says something else each time."""
    again = answers(programs[:1], [grammar.case(*parts)] * 3)
    return unstable(want) or any(one != want for (one,) in again)


def keep(programs, parts, found, path):
    case = grammar.case(*smaller(programs, *parts, found))
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
            maker = grammar.Maker(seed)
            if only:
                maker.only = maker.r.choice(only)
            batch.append((seed, maker.chart()))
        seed += 1
        for (made, parts), (want, got) in zip(batch, answers(programs, [grammar.case(*parts) for _, parts in batch])):
            tried += 1
            valid += "texts" in want
            found = class_of(want, got)
            if found != "same" and is_unstable(programs, parts, want):
                found = "same"
            counts[found] += 1
            if found == "different" or (found == "errors" and a.errors):
                keep(programs, parts, found, os.path.join(a.keep, "%s-%d.json" % (found, made)))
                print("%s: seed %d" % (found, made), flush=True)
    print("%d inputs from seed %d, %d valid, %d differ, %d errors differ in their texts" % (tried, first, valid, counts["different"], counts["errors"]))
    sys.exit(1 if counts["different"] else 0)


if __name__ == "__main__":
    main()
