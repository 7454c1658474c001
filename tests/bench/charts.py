#!/usr/bin/env python3
"""Charts, whole processes in turn: ours, the other's, ours, ...

charts.py OURS HELM [RUNS]   prints a line a chart: processor seconds and peak memory of both
(medians), and the median of the ratios ours/other, pair by pair. Fails when the outputs differ.

The charts are made here, from what `helm create` makes to an umbrella of thousands of lines; real
ones are added where ../shared/conformance lies beside the checkout.
"""
import base64
import io
import json
import lzma
import os
import pathlib
import statistics
import subprocess
import sys
import tarfile
import tempfile

from renders import deployment, peak, run, service

CONFORMANCE = pathlib.Path(__file__).resolve().parents[3] / "shared/conformance/open"

# Real charts to add, by parts of their names.
REAL = ["kube-prometheus-stack", "prometheus", "alertmanager"]


def metadata(name, more=""):
    return f"apiVersion: v2\nname: {name}\nversion: 1.0.0\nappVersion: \"2.0\"\n{more}"


HELPERS = """
{{- define "NAME.fullname" -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name (default .Chart.Name .Values.nameOverride) | trunc 63 | trimSuffix "-" }}{{ end }}
{{- end }}
{{- define "NAME.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}
"""

WORKLOAD = """
{{- range $index, $app := .Values.apps }}
{{- if $app.enabled }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "NAME.fullname" $ }}-{{ $app.name }}
  labels: {{- include "NAME.labels" $ | nindent 4 }}
  annotations:
    checksum: {{ toJson $app | sha256sum }}
spec:
  replicas: {{ $app.replicas | default 1 }}
  template:
    metadata:
      labels: {{- include "NAME.labels" $ | nindent 8 }}
    spec:
      containers:
        - name: {{ $app.name }}
          image: {{ printf "%s:%s" $app.image.repository ($app.image.tag | default $.Chart.AppVersion) | quote }}
          {{- with $app.env }}
          env:
            {{- range $name, $value := . }}
            - name: {{ $name | upper | replace "-" "_" }}
              value: {{ tpl (toString $value) $ | quote }}
            {{- end }}
          {{- end }}
          resources: {{- toYaml $app.resources | nindent 12 }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ include "NAME.fullname" $ }}-{{ $app.name }}
  labels: {{- include "NAME.labels" $ | nindent 4 }}
spec:
  ports: {{- toYaml $app.ports | nindent 4 }}
{{- end }}
{{- end }}
"""


def apps(count):
    app = {
        "enabled": True,
        "image": {"repository": "registry.example/app", "tag": "1.2"},
        "env": {"log-level": "info", "release": "{{ .Release.Name }}", "port": 8080},
        "resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "100m"}},
        "ports": [{"name": "http", "port": 80, "targetPort": 8080}, {"name": "metrics", "port": 9090}],
    }
    return [dict(app, name=f"app-{i}", replicas=i % 3 + 1) for i in range(count)]


def chart(name, count, more="", values=None):
    """A chart with `count` applications."""
    values = dict(values or {}, apps=apps(count), commonLabels={"team": "a", "tier": "web"})
    return {
        "Chart.yaml": metadata(name, more),
        "values.yaml": json.dumps(values, indent=1),
        "templates/_helpers.tpl": HELPERS.replace("NAME", name),
        "templates/apps.yaml": WORKLOAD.replace("NAME", name),
        "templates/NOTES.txt": "{{ .Release.Name }} is there.\n",
    }


def umbrella(count, each):
    names = [f"part-{i}" for i in range(count)]
    asked = "".join(f"  - {{name: {name}, version: 1.x, condition: {name}.enabled}}\n" for name in names)
    values = {name: {"enabled": True, "commonLabels": {"part": name}} for name in names}
    files = chart("umbrella", 1, f"dependencies:\n{asked}", dict(values, **{"global": {"region": "eu"}}))
    for name in names:
        files |= {f"charts/{name}/{path}": text for path, text in chart(name, each).items()}
    return files


def dashboards(count, lines):
    """What makes monitoring charts large: plain files and long templates with little logic."""
    files = {"Chart.yaml": metadata("dashboards"), "values.yaml": "grafana: {enabled: true, labels: {a: b}}\n"}
    body = "".join(f'    {{{{`"panel-{i}": {{"expr": "sum(rate(x{{a=\\"b\\"}}[5m]))", "legend": "{{{{instance}}}}"}},`}}}}\n' for i in range(lines))
    for i in range(count):
        files[f"templates/dashboard-{i}.yaml"] = (
            "{{- if and .Values.grafana.enabled (semverCompare \">=1.14.0-0\" .Capabilities.KubeVersion.Version) }}\n"
            f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: d-{i}\n  labels: {{{{- toYaml .Values.grafana.labels | nindent 4 }}}}\n"
            f"data:\n  d.json: |-\n{body}{{{{- end }}}}\n"
        )
    files |= {f"crds/crd-{i}.yaml": crd(i, 1_500) for i in range(4)}
    return files


def crd(number, lines):
    properties = "".join(f"              field{i}: {{type: string, description: A field of the kind.}}\n" for i in range(lines))
    return (
        f"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: k{number}.x.example}}\n"
        f"spec:\n  versions:\n    - name: v1\n      schema:\n        openAPIV3Schema:\n          properties:\n            spec:\n              properties:\n{properties}"
    )


def packed(files, name):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(f"{name}/{path}")
            content = text.encode()
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return data.getvalue()


def created(helm):
    with tempfile.TemporaryDirectory() as root:
        subprocess.run([helm, "create", "web"], cwd=root, check=True, stdout=subprocess.DEVNULL)
        top = pathlib.Path(root, "web")
        return {str(path.relative_to(top)): path.read_text() for path in top.rglob("*") if path.is_file()}


def real():
    """Real charts of the conformance corpus: name, files, words."""
    files = CONFORMANCE / "real-charts-files.jsonl.xz"
    cases = CONFORMANCE / "real-charts.jsonl.xz"
    if not (files.exists() and cases.exists()):
        return
    contents = {}
    with lzma.open(files, "rt") as lines:
        for line in lines:
            one = json.loads(line)
            packed = set(one.get("base64", []))
            decode = lambda path, text: base64.b64decode(text) if path in packed else text.encode()
            contents[one["ref"]] = {path: decode(path, text) for path, text in one["files"].items()}
    seen = set()
    with lzma.open(cases, "rt") as lines:
        for line in lines:
            case = json.loads(line)
            ref = case["files_ref"]
            name = next((name for name in REAL if f"/{name}" in f"/{ref}" and name not in seen), None)
            if name and "error" not in case["expect"]:
                seen.add(name)
                yield f"real: {name}", contents[ref]


def cases(helm):
    yield "helm create", created(helm)
    yield "1 application", chart("one", 1)
    yield "20 applications", chart("twenty", 20)
    yield "200 applications", chart("many", 200)
    yield "library of 300 definitions", chart("library", 10) | {
        "templates/_many.tpl": "".join(f'{{{{ define "many.{i}" }}}}{{{{ .Values.apps | len }}}}-{i}{{{{ end }}}}\n' for i in range(300)),
    }
    yield "plain manifests, 300 objects", {
        "Chart.yaml": metadata("plain"),
        **{f"templates/{i}.yaml": deployment(f"app-{i}") + "---\n" + service(f"app-{i}") for i in range(150)},
    }
    yield "umbrella of 5 charts", umbrella(5, 4)
    yield "umbrella of 30 charts", umbrella(30, 10)
    yield "60 dashboards, 4 CRDs", dashboards(60, 120)
    yield "umbrella of 30 charts, packed", {"umbrella.tgz": packed(umbrella(30, 10), "umbrella")}
    yield from real()


def put(root, files):
    for name, content in files.items():
        path = pathlib.Path(root, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def main():
    ours, helm = os.path.realpath(sys.argv[1]), os.path.realpath(sys.argv[2])
    runs = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    print(f"{'chart':34} {'KiB out':>8} {'ours s':>8} {'helm s':>8} {'ratio':>7} {'ours MiB':>9} {'helm MiB':>9}")
    ratios, memories = [], []
    for name, files in cases(helm):
        with tempfile.TemporaryDirectory() as root:
            put(root, files)
            place = os.path.join(root, next(iter(files))) if len(files) == 1 else root
            words = ["bench", place, "--namespace", "ns", "--include-crds"]
            commands = [ours, "render", "helm", *words], [helm, "template", *words]
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
            size = len(pairs[0][0][0]) / 1024
            print(f"{name:34} {size:8.0f} {cpu[0]:8.4f} {cpu[1]:8.4f} {ratio:7.2f} {mib[0]:9.1f} {mib[1]:9.1f}", flush=True)
    print(f"median ratio of processor time: {statistics.median(ratios):.2f}, worst {max(ratios):.2f}")
    print(f"median ratio of peak memory: {statistics.median(memories):.2f}, worst {max(memories):.2f}")


if __name__ == "__main__":
    main()
