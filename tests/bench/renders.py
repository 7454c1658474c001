#!/usr/bin/env python3
"""Renders of real-world size, whole processes in turn: ours, the other's, ours, ...

renders.py OURS KUSTOMIZE [RUNS [GUEST COMPONENT]]   prints a line a case: processor seconds and peak
memory of both (medians), and the medians of the ratios ours/other, pair by pair. Fails when the outputs
differ. GUEST (host/wasm/examples/guest.rs) adds the processor time of one render in a warm process.
"""
import os
import pathlib
import shutil
import statistics
import sys
import tempfile


def write(root, files):
    for name, text in files.items():
        path = pathlib.Path(root, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def deployment(name, more=""):
    return (
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\nspec:\n  replicas: 1\n"
        f"  selector:\n    matchLabels:\n      app: {name}\n  template:\n    metadata:\n      labels:\n"
        f"        app: {name}\n    spec:\n      containers:\n        - name: main\n          image: nginx:1.29\n"
        f"          env:\n            - name: LEVEL\n              value: info\n          ports:\n            - containerPort: 80\n{more}"
    )


def service(name):
    return f"apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\nspec:\n  selector:\n    app: {name}\n  ports:\n    - port: 80\n"


def many(count, extra):
    files = {f"r/{i}.yaml": deployment(f"app-{i}") + "---\n" + service(f"app-{i}") for i in range(count // 2)}
    names = "".join(f"  - r/{i}.yaml\n" for i in range(count // 2))
    files["kustomization.yaml"] = f"resources:\n{names}{extra}"
    return files


def patches(count):
    lines = ["patches:\n"]
    for i in range(count):
        lines.append(
            f"  - patch: |-\n      apiVersion: apps/v1\n      kind: Deployment\n      metadata:\n        name: app-{i}\n"
            f"      spec:\n        template:\n          spec:\n            containers:\n              - name: main\n"
            f"                env:\n                  - name: EXTRA\n                    value: \"{i}\"\n"
        )
    return "".join(lines)


def deep(levels):
    files = {"l0/kustomization.yaml": "resources: [a.yaml]\n", "l0/a.yaml": deployment("web") + "---\n" + service("web")}
    for level in range(1, levels):
        files[f"l{level}/kustomization.yaml"] = (
            f"resources: [../l{level - 1}]\nnamePrefix: l{level}-\ncommonAnnotations: {{level: \"{level}\"}}\n"
        )
    return files, f"l{levels - 1}"


def overlays(count):
    files = many(40, "labels:\n  - pairs: {team: a}\n    includeSelectors: true\n")
    files = {f"base/{name}": text for name, text in files.items()}
    for i in range(count):
        files[f"o{i}/kustomization.yaml"] = f"resources: [../base]\nnamePrefix: o{i}-\nnamespace: o{i}\n"
    files["all/kustomization.yaml"] = "resources: [" + ", ".join(f"../o{i}" for i in range(count)) + "]\n"
    return files, "all"


def config_maps(count, lines):
    text = "".join(f"line {i} of a long configuration file with some text in it\n" for i in range(lines))
    files = {f"f{i}.conf": text for i in range(count)}
    names = "".join(f"  - name: c{i}\n    files: [f{i}.conf]\n" for i in range(count))
    files["kustomization.yaml"] = f"configMapGenerator:\n{names}"
    return files, "."


def cases():
    yield "one object", {"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": service("web")}, "."
    yield "base and overlay", *deep(2)
    yield "10 objects, images and labels", many(10, "images:\n  - name: nginx\n    newTag: \"1.28\"\ncommonLabels:\n  team: a\n"), "."
    yield "50 objects with patches", many(50, patches(25)), "."
    yield "100 objects, namespace and prefix", many(100, "namespace: dev\nnamePrefix: dev-\n"), "."
    yield "300 objects, replicas", many(300, "replicas:\n  - name: app-1\n    count: 3\n"), "."
    yield "1,000 objects", many(1000, ""), "."
    yield "1,000 objects, labels and namespace", many(1000, "namespace: dev\nlabels:\n  - pairs: {team: a}\n    includeSelectors: true\n"), "."
    yield "12 overlays deep", *deep(12)
    yield "10 overlays of 40 objects", *overlays(10)
    yield "20 ConfigMaps of 2,000 lines", *config_maps(20, 2000)


def run(command):
    """Runs a command; returns its output, processor seconds and peak KiB."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(writer, 1)
        os.execvp(command[0], command)
    os.close(writer)
    with os.fdopen(reader, "rb") as out:
        output = out.read()
    _, status, used = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    return output, used.ru_utime + used.ru_stime, used.ru_maxrss


def peak(command):
    """Peak KiB of a command. What this interpreter itself has is the least that its own children show, so
    a small program starts the command, where there is one (Debian: `time`)."""
    time = shutil.which("time")
    if not time:
        return run(command)[2]
    with tempfile.NamedTemporaryFile("r") as told:
        run([time, "-f", "%M", "-o", told.name, *command])
        return int(told.read())


def warm(guest, root, path):
    """Processor seconds of one render in a process that goes on: its start and the compiler are taken off."""
    command = lambda calls: [*guest, str(calls), root, path]
    idle = run(command(1))[1]
    calls = 10
    while True:
        used = run(command(1 + calls))[1] - idle
        if used > 1.0 or calls >= 10_000:
            return used / calls
        calls *= 4


def main():
    ours, other = os.path.realpath(sys.argv[1]), sys.argv[2]
    runs = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    guest = sys.argv[4:6]
    print(
        f"{'case':40} {'ours s':>8} {'other s':>8} {'ratio':>7} {'ours MiB':>9} {'other MiB':>9} {'ratio':>7}"
        + (f" {'warm ms':>8} {'times':>6}" if guest else "")
    )
    ratios, memories, times = [], [], []
    for name, files, directory in cases():
        with tempfile.TemporaryDirectory() as root:
            write(root, files)
            path = os.path.join(root, directory)
            commands = [ours, "render", "kustomize", path], [other, "build", path]
            pairs = []
            for _ in range(runs + 1):
                a, b = (run(command) for command in commands)
                if a[0] != b[0]:
                    raise SystemExit(f"{name}: the outputs differ")
                pairs.append((a, b))
            pairs = pairs[1:]
            ratio = statistics.median(a[1] / max(b[1], 1e-6) for a, b in pairs)
            kib = [statistics.median(peak(command) for _ in range(3)) for command in commands]
            memory = kib[0] / kib[1]
            ratios.append(ratio)
            memories.append(memory)
            cpu = [statistics.median(pair[i][1] for pair in pairs) for i in (0, 1)]
            mib = [each / 1024 for each in kib]
            line = f"{name:40} {cpu[0]:8.4f} {cpu[1]:8.4f} {ratio:7.2f} {mib[0]:9.1f} {mib[1]:9.1f} {memory:7.2f}"
            if guest:
                one = warm(guest, root, directory)
                times.append(cpu[1] / one)
                line += f" {one * 1000:8.2f} {times[-1]:6.0f}"
            print(line, flush=True)
    print(f"median ratio of processor time: {statistics.median(ratios):.2f}, worst {max(ratios):.2f}")
    print(f"median ratio of peak memory: {statistics.median(memories):.2f}, worst {max(memories):.2f}")
    if guest:
        print(f"warm, in one process: {statistics.median(times):.0f} times less processor time, worst {min(times):.0f}")


if __name__ == "__main__":
    main()
