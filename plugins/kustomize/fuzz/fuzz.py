#!/usr/bin/env python3
"""Compares our kustomize with the real one on generated inputs.

  fuzz.py --oracle PROGRAM --ours PROGRAM [--corpus FILE.jsonl.xz] [--seconds N] [--seed N] [--keep DIR]

ORACLE is the Go program in `oracle`, OURS our example `kustomize-render --serve`; both answer a call a line. Inputs
are made from scratch and, with --corpus (lines of {"files": {path: text}, "path": …}), by changing real
ones. A difference in output, or in whether there is an error, is made as small as it gets and written
below DIR (default: differences) with the seed that makes it again; the exit status is 1 when there was one.
"""
import argparse, base64, json, lzma, os, random, re, shutil, sys, tempfile, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "fuzz"))
from grammar import Maker
from program import Program, answers

# Cases that are sent at once.
BATCH = 32

# What says nothing: the versions differ, and an oracle that panics or runs out of memory has no answer.
VERSION = re.compile(rb"managed-by: kustomize-\S+")


def mutate(rng, case):
    """A case of the corpus with a few scalars, keys or lines changed."""
    maker = Maker(rng)
    files = maker.files = dict(case["files"])
    texts = [p for p in files if p.endswith((".yaml", ".yml"))]
    for _ in range(rng.randint(1, 3)):
        if not texts:
            break
        path = rng.choice(texts)
        lines = files[path].split("\n")
        at = rng.randrange(len(lines))
        kind = rng.random()
        if "kustomization" in path and kind < .4:
            lines += maker.kustomization([], [], folder=os.path.dirname(path)).split("\n")
        elif kind < .75 and re.match(r"^\s*(- )?[\w./\"'-]+:\s+\S", lines[at]):
            lines[at] = re.sub(r":\s+.*$", lambda _: ": " + maker.scalar(), lines[at])
        elif kind < .85:
            del lines[at]
        elif kind < .93:
            lines.insert(at, lines[at])
        else:
            lines = maker.restyled("\n".join(lines)).split("\n")
        files[path] = "\n".join(lines)
    return files, case["path"].lstrip("/"), list(case.get("flags", []))


def lay(files, folder):
    for path, text in files.items():
        full = os.path.join(folder, path.lstrip("/"))
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as out:
            out.write(text.replace("@CASE_ROOT@", folder).encode("utf-8", "surrogateescape"))


def ask(programs, made):
    """The programs' answers to inputs, each laid in a folder of its own."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        folder, calls = os.path.realpath(folder), []
        for at, (files, path, flags) in enumerate(made):
            root = os.path.join(folder, str(at))
            lay(files, root)
            calls.append({"args": [os.path.join(root, path)] + flags})
        return answers(programs, calls)


def result(answer):
    """An answer as it is compared: bytes, or nothing for an error."""
    return None if "error" in answer else VERSION.sub(b"managed-by: kustomize", base64.b64decode(answer.get("out", "")))


def differ(want, got):
    if re.search(r"^panic|CRASH|timeout", want.get("error", "")):
        return False
    return result(want) != result(got)


def shape(want, got):
    """What must stay while an input is made smaller."""
    return "error" in want, "error" in got, "PANIC" in str(result(got))


def smaller(programs, made, budget=80):
    """Leaves out files and lines while the difference stays."""
    first = shape(*ask(programs, [made])[0])

    def stays(candidates):
        found = ask(programs, candidates)
        return next((at for at, (want, got) in enumerate(found) if differ(want, got) and shape(want, got) == first), None)

    files, path, flags = made
    changed = True
    while changed and budget > 0:
        changed = False
        candidates = [({k: v for k, v in files.items() if k != name}, path, flags) for name in files]
        candidates += [(files, path, flags[:at] + flags[at + 1:]) for at in range(len(flags))]
        for name, text in files.items():
            lines = text.split("\n")
            for size in (64, 16, 8, 4, 2, 1):
                if size < len(lines):
                    candidates += [(dict(files, **{name: "\n".join(lines[:at] + lines[at + size:])}), path, flags) for at in range(0, len(lines) - size + 1, size)]
        candidates = [c for c in candidates if c[0]]
        for start in range(0, len(candidates), 64):
            budget -= 1
            at = stays(candidates[start:start + 64])
            if at is not None:
                files, path, flags = candidates[start + at]
                changed = True
                break
            if budget <= 0:
                break
    return files, path, flags


def keep(programs, made, folder):
    shutil.rmtree(folder, ignore_errors=True)
    lay(made[0], os.path.join(folder, "whole"))
    made = smaller(programs, made)
    want, got = ask(programs, [made])[0]
    lay(made[0], os.path.join(folder, "in"))
    for name, answer in [("want", want), ("got", got)]:
        with open(os.path.join(folder, name), "wb") as out:
            out.write(base64.b64decode(answer.get("out", "")) + answer.get("error", "").encode())
    with open(os.path.join(folder, "call"), "w") as out:
        out.write(" ".join([made[1]] + made[2]) + "\n")


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--oracle", required=True)
    a.add_argument("--ours", required=True)
    a.add_argument("--corpus")
    a.add_argument("--seconds", type=float, default=60)
    a.add_argument("--seed", type=int, default=None)
    a.add_argument("--keep", default="differences")
    a.add_argument("--most", type=int, default=1 << 30, help="stop after so many differences")
    a = a.parse_args()
    programs, cases = [Program(a.oracle), Program(a.ours)], []
    if a.corpus:
        opened = lzma.open(a.corpus, "rt") if a.corpus.endswith(".xz") else open(a.corpus)
        cases = [c for c in map(json.loads, opened) if not c.get("base64") and "error" not in c["expect"]]
    first = a.seed if a.seed is not None else random.SystemRandom().randrange(1 << 32)
    end, seed, tried, valid, different = time.time() + a.seconds, first, 0, 0, 0
    while time.time() < end and different < a.most:
        made = []
        for seed in range(seed, seed + BATCH):
            rng = random.Random(seed)
            made.append(mutate(rng, rng.choice(cases)) if cases and rng.random() < .3 else Maker(rng).tree())
        for at, (want, got) in enumerate(ask(programs, made)):
            tried += 1
            valid += "error" not in want
            if differ(want, got):
                different += 1
                folder, number = os.path.join(a.keep, str(seed - BATCH + 1 + at)), seed - BATCH + 1 + at
                keep(programs, made[at], folder)
                print("differs: seed %d -> %s (%s / %s)" % (number, folder, *["error" if "error" in one else "ok" for one in (want, got)]), flush=True)
        seed += 1
    print("%d inputs from seed %d, %d valid, %d differ" % (tried, first, valid, different))
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
