#!/usr/bin/env python3
"""Renders every case of a corpus twice, from two folders of different names, and compares the bytes.

  twice.py BULKHEAD CASES.jsonl.xz

Nothing of a render may depend on time, chance or the place of the files. Messages of errors name
places, so that of a failure only the status is compared. The exit status is 1 when two differ.
"""
import base64, json, lzma, os, subprocess, sys, tempfile


def lay(folder, case):
    for path, text in case["files"].items():
        file = os.path.join(folder, path.lstrip("/"))
        os.makedirs(os.path.dirname(file), exist_ok=True)
        packed = path in case.get("base64", [])
        content = base64.b64decode(text) if packed else text.encode()
        with open(file, "wb") as out:
            out.write(content)
    for path in case.get("dirs", []):
        os.makedirs(os.path.join(folder, path.lstrip("/")), exist_ok=True)
    return os.path.join(folder, case["path"].lstrip("/"))


def main():
    bulkhead, cases = os.path.realpath(sys.argv[1]), sys.argv[2]
    seen = wrong = 0
    for case in map(json.loads, lzma.open(cases, "rt")):
        if case.get("subst"):
            continue  # its files name the folder they lie in
        results = []
        for prefix in ["a", "another-name-of-a-folder"]:
            with tempfile.TemporaryDirectory(prefix=prefix) as folder:
                path = lay(os.path.realpath(folder), case)
                flags = case.get("flags", [])
                flags = flags.split() if isinstance(flags, str) else flags
                command = [bulkhead, "render", "kustomize", path, *flags]
                done = subprocess.run(command, capture_output=True)
                results.append((done.returncode, done.stdout))
        seen += 1
        if results[0] != results[1]:
            wrong += 1
            print("differs:", case["id"])
    print("%d cases twice, %d differ" % (seen, wrong))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
