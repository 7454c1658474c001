#!/usr/bin/env python3
"""Compares our kustomize with the real one on generated inputs.

  fuzz.py --oracle KUSTOMIZE --ours RENDER [--corpus FILE.jsonl.xz] [--seconds N] [--seed N] [--keep DIR]

ORACLE is kustomize 5.8.2, RENDER our example `render` or `bulkhead render kustomize`. Inputs are made
from scratch and, with --corpus (lines of {"files": {path: text}, "path": …}), by changing real ones.
A difference in output, or in whether there is an error, is written below DIR (default: differences)
with the seed that makes it again; the exit status is 1 when there was one.
"""
import argparse, json, lzma, os, random, re, shutil, subprocess, sys, tempfile, time

SCALARS = ["yes", "no", "on", "n", "y", "true", "\"true\"", "'yes'", "0777", "0o17", "0x1F", "1_000", "1e3", "1.0", "1.50",
           ".5", "12", "\"12\"", "-3", "+4", "null", "~", "", "\"\"", "''", "2020-01-02", "2020-01-02T03:04:05Z", "12:30",
           "1:20:30", "abc", "a b", "\"a: b\"", "'it''s'", "\"tab\\tx\"", "a#b", "ünïcode", "\"\\u263a\"", "- x", "'- x'",
           "|\n      line1\n      line2\n", ">\n      folded\n      text\n", "|-\n      keep\n", "1234567", "12345678901234567890",
           "1e21", "0.1e-7", "=", "<<", "!!str 5", "!!int \"5\"", "$(VAR)", "@x", "\"{}\"", "long " + "word " * 30, "nginx:1.2",
           "\"nginx@sha256:ab\"", "[a, b]", "{a: 1}", "[]", "{}", "\"\\n\"", "trailing # comment"]
KINDS = [("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"), ("apps/v1", "DaemonSet"), ("v1", "Service"), ("v1", "ConfigMap"),
         ("v1", "Secret"), ("batch/v1", "CronJob"), ("batch/v1", "Job"), ("v1", "Namespace"), ("v1", "ServiceAccount"),
         ("rbac.authorization.k8s.io/v1", "RoleBinding"), ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
         ("rbac.authorization.k8s.io/v1", "ClusterRole"), ("networking.k8s.io/v1", "Ingress"), ("example.com/v1", "Thing"),
         ("autoscaling/v2", "HorizontalPodAutoscaler"), ("v1", "PersistentVolumeClaim"), ("v1", "Pod"),
         ("apiextensions.k8s.io/v1", "CustomResourceDefinition"), ("networking.k8s.io/v1", "NetworkPolicy"),
         ("policy/v1", "PodDisruptionBudget"), ("apiregistration.k8s.io/v1", "APIService"),
         ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration")]
NAMES = ["web", "db", "cache", "a", "web-2", "x1"]


def indent(text, n):
    return "".join(" " * n + line if line.strip() else line for line in text.splitlines(True))


class Maker:
    def __init__(self, rng):
        self.r = rng

    def scalar(self):
        s = self.r.choice(SCALARS)
        if s in ("- x", "@x", "<<", "!!int \"5\"") and self.r.random() < .9:
            s = "v"
        return s if "\n" not in s and "#" not in s else self.r.choice(["abc", "5", "yes"])

    def block(self):
        return self.r.choice(SCALARS)

    def labels(self, n=3):
        keys = self.r.sample(["app", "tier", "team", "a.b/c", "on", "x"], self.r.randint(0, n))
        return "".join("%s: %s\n" % (k, self.r.choice(["web", "db", "\"1\"", "yes", "'on'", "v1", self.scalar()])) for k in keys)

    def container(self, i):
        r = self.r
        t = "- name: c%d\n  image: %s\n" % (i, r.choice(["nginx", "nginx:1.2", "gcr.io/a/b:v1", "nginx@sha256:aa", "host:5000/x:1", "redis"]))
        if r.random() < .5:
            t += "  env:\n" + "".join("  - name: E%d\n    value: %s\n" % (j, self.scalar()) for j in range(r.randint(1, 3)))
            if r.random() < .5:
                t += "  - name: F\n    valueFrom:\n      %s:\n        name: %s\n        key: k\n" % (
                    r.choice(["configMapKeyRef", "secretKeyRef"]), r.choice(NAMES))
        if r.random() < .5:
            t += "  ports:\n" + "".join("  - containerPort: %s\n%s" % (
                r.choice(["80", "8080", "\"80\""]), r.choice(["", "    protocol: TCP\n", "    protocol: UDP\n", "    name: p%d\n" % j]))
                for j in range(r.randint(1, 3)))
        if r.random() < .3:
            t += "  args: [%s]\n" % ", ".join(r.choice(["a", "\"$(V1)\"", "b=1", "yes", "1"]) for _ in range(r.randint(0, 3)))
        if r.random() < .3:
            t += "  envFrom:\n  - configMapRef:\n      name: %s\n" % r.choice(NAMES)
        if r.random() < .3:
            t += "  volumeMounts:\n  - mountPath: /%s\n    name: v\n" % r.choice("ab")
        return t

    def pod(self):
        r = self.r
        t = "containers:\n" + "".join(self.container(i) for i in range(r.randint(1, 2)))
        if r.random() < .3:
            t += "initContainers:\n" + self.container(9)
        if r.random() < .4:
            t += "volumes:\n- name: v\n  %s\n" % r.choice(["configMap:\n    name: " + r.choice(NAMES), "secret:\n    secretName: " +
                                                           r.choice(NAMES), "emptyDir: {}", "persistentVolumeClaim:\n    claimName: " + r.choice(NAMES)])
        if r.random() < .3:
            t += "serviceAccountName: %s\n" % r.choice(NAMES)
        if r.random() < .2:
            t += "tolerations:\n- key: a\n  operator: Exists\n"
        return t

    def template(self):
        labels = self.labels()
        return "metadata:\n%sspec:\n%s" % ("  labels:\n" + indent(labels, 4) if labels else "  name: t\n", indent(self.pod(), 2))

    def object(self, name=None, kind=None):
        r = self.r
        api, kind = kind or r.choice(KINDS)
        t = "apiVersion: %s\nkind: %s\nmetadata:\n  name: %s\n" % (api, kind, name or r.choice(NAMES))
        if r.random() < .3:
            t += "  namespace: %s\n" % r.choice(["default", "ns1", "ns2"])
        for field in ["labels", "annotations"]:
            labels = self.labels()
            if r.random() < .4 and labels:
                t += "  %s:\n%s" % (field, indent(labels, 4))
            elif r.random() < .05:
                t += "  %s: %s\n" % (field, r.choice(["{}", "null", ""]))
        return t + self.body(api, kind)

    def body(self, api, kind):
        r = self.r
        if kind in ("Deployment", "StatefulSet", "DaemonSet", "Job"):
            t = "spec:\n"
            if r.random() < .5:
                t += "  replicas: %s\n" % r.choice(["1", "3", "null", "\"2\""])
            if r.random() < .6 and kind != "Job":
                t += "  selector:\n    matchLabels:\n      app: %s\n" % r.choice(["web", "yes", "\"1\""])
            if kind == "StatefulSet" and r.random() < .5:
                t += "  serviceName: %s\n  volumeClaimTemplates:\n  - metadata:\n      name: d\n" % r.choice(NAMES)
            return t + "  template:\n" + indent(self.template(), 4)
        if kind == "CronJob":
            return "spec:\n  schedule: '* * * * *'\n  jobTemplate:\n    spec:\n      template:\n" + indent(self.template(), 8)
        if kind == "Pod":
            return "spec:\n" + indent(self.pod(), 2)
        if kind == "Service":
            return "spec:\n  ports:\n  - port: %s\n    targetPort: %s\n%s" % (
                r.choice(["80", "443"]), r.choice(["80", "http", "\"80\""]), r.choice(["", "  selector:\n    app: web\n", "  selector: {}\n"]))
        if kind in ("ConfigMap", "Secret"):
            keys = r.sample(["a", "b.yaml", "c", "yes", "\"1\"", "d"], r.randint(0, 4))
            body = "".join("  %s: %s" % (k, self.block().rstrip("\n").replace("\n      ", "\n    ") + "\n") for k in keys)
            return r.choice(["data", "stringData" if kind == "Secret" else "data"]) + ":\n" + body if keys else ""
        if kind in ("RoleBinding", "ClusterRoleBinding"):
            return "roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: ClusterRole\n  name: %s\nsubjects:\n- kind: ServiceAccount\n  name: %s\n%s" % (
                r.choice(NAMES), r.choice(NAMES + ["default"]), r.choice(["", "  namespace: ns1\n", "  namespace: default\n"]))
        if kind == "Ingress":
            return "spec:\n  rules:\n  - host: h\n    http:\n      paths:\n      - path: /\n        backend:\n          service:\n            name: %s\n" % r.choice(NAMES)
        if kind == "HorizontalPodAutoscaler":
            return "spec:\n  scaleTargetRef:\n    apiVersion: apps/v1\n    kind: Deployment\n    name: %s\n" % r.choice(NAMES)
        if kind == "Thing":
            t = "spec:\n  value: %s\n" % self.scalar()
            if r.random() < .5:
                t += "  list:\n  - name: a\n    v: %s\n  - name: b\n" % self.scalar()
            if r.random() < .3:
                t += "  template:\n    apiVersion: apps/v1\n    kind: Deployment\n    spec:\n      template:\n        spec:\n" + indent(self.pod(), 10)
            if r.random() < .3:
                t += "  anchored: &x\n    k: %s\n  alias: *x\n  merged:\n    <<: *x\n    z: 1\n" % self.scalar()
            return t
        if kind == "CustomResourceDefinition":
            return "spec:\n  group: example.com\n  names:\n    kind: Thing\n  conversion:\n    webhook:\n      clientConfig:\n        service:\n          name: web\n          namespace: old\n"
        if kind == "NetworkPolicy":
            return "spec:\n  podSelector:\n    matchLabels:\n      app: web\n  ingress:\n  - from:\n    - podSelector:\n        matchLabels:\n          a: b\n"
        if kind == "APIService":
            return "spec:\n  service:\n    name: %s\n    namespace: old\n" % r.choice(NAMES)
        if kind == "ValidatingWebhookConfiguration":
            return "webhooks:\n- name: w.x.y\n  clientConfig:\n    service:\n      name: %s\n      namespace: %s\n" % (r.choice(NAMES), r.choice(["ns1", "default"]))
        return ""

    def patch(self, objects):
        """A strategic-merge patch for one of the objects, or a JSON patch."""
        r = self.r
        target = r.choice(objects) if objects else self.object()
        head = re.match(r"(apiVersion: .*\nkind: (.*)\nmetadata:\n  name: (.*)\n)(  namespace: .*\n)?", target)
        if r.random() < .3:
            ops = [r.choice([{"op": "add", "path": "/metadata/labels", "value": {"j": "1"}}, {"op": "replace", "path": "/metadata/name", "value": "new"},
                             {"op": "add", "path": "/spec/x", "value": r.choice([1, "1", 1234567, 1.5, True, None, [1], {"a": "yes"}])},
                             {"op": "add", "path": "/metadata/annotations", "value": {"k": "v"}}, {"op": "add", "path": "/metadata/labels/z~1y", "value": "2"},
                             {"op": "copy", "from": "/metadata/name", "path": "/copied"}, {"op": "remove", "path": r.choice(["/spec", "/metadata/labels", "/spec/replicas"])},
                             {"op": "add", "path": "/top", "value": {"b": "1", "a": [1e21, 1234567, "x\ny", "yes", None, {}]}},
                             {"op": "add", "path": "/spec/template/spec/containers/0/" + r.choice(["args", "command"]), "value": ["z"]},
                             {"op": "test", "path": "/kind", "value": head.group(2)}]) for _ in range(r.randint(1, 2))]
            text, wants_target = json.dumps(ops), True
        else:
            kind = head.group(2)
            body = r.choice([self.body("", kind), "spec:\n  extra: %s\n" % self.scalar(), "spec:\n  replicas: %s\n" % self.scalar(), "$patch: delete\n",
                             "spec:\n  template:\n    spec:\n      containers:\n      - name: c0\n        $patch: %s\n" % r.choice(["delete", "replace", "merge"]),
                             "data:\n  a: %s\n" % self.scalar(), "data: null\n", "spec: null\n",
                             "spec:\n  template:\n    spec:\n      $patch: replace\n      containers: []\n",
                             "spec:\n  template:\n    spec:\n      containers:\n      - name: c1\n        env:\n        - name: E0\n          value: null\n      - $patch: replace\n"])
            meta = "".join("  %s:\n%s" % (f, indent("%s: %s\n" % (r.choice(["app", "p"]), r.choice([self.scalar(), "null"])), 4))
                           for f in ["labels", "annotations"] if r.random() < .3)
            namespace = head.group(4) or ""
            if r.random() < .03:
                namespace = "  namespace: ns1\n"
            text, wants_target = head.group(1) + namespace + meta + body, r.random() < .3
        entry = "- patch: |-\n" + indent(text.rstrip("\n") + "\n", 4)
        if wants_target:
            entry += "  target:\n" + r.choice(["    kind: %s\n" % head.group(2), "    name: %s\n" % r.choice([head.group(3), "we.*", ".*"]),
                                               "    labelSelector: app=web\n", "    kind: %s\n    name: %s\n" % (head.group(2), head.group(3))])
        if r.random() < .15:
            entry += "  options:\n    allowNameChange: true\n    allowKindChange: true\n"
        return entry

    def kustomization(self, resources, objects, component=False):
        r = self.r
        t = "kind: Component\napiVersion: kustomize.config.k8s.io/v1alpha1\n" if component else r.choice(["", "kind: Kustomization\napiVersion: kustomize.config.k8s.io/v1beta1\n"])
        if resources:
            t += "resources:\n" + "".join("- %s\n" % p for p in resources)
        chance = lambda p: r.random() < p
        if chance(.3):
            t += "namePrefix: %s\n" % r.choice(["p-", "\"1\"", "x."])
        if chance(.2):
            t += "nameSuffix: -s\n"
        if chance(.3):
            t += "namespace: %s\n" % r.choice(["ns1", "other", "default"])
        if chance(.25):
            t += "commonLabels:\n  app: %s\n%s" % (r.choice(["web", "\"yes\"", "\"1\"", "v"]), r.choice(["", "  z: w\n"]))
        if chance(.25):
            t += "labels:\n- pairs:\n    l: v\n%s" % r.choice(["", "  includeSelectors: true\n", "  includeTemplates: true\n",
                                                             "  fields:\n  - path: spec/lbl\n    create: true\n"])
        if chance(.2):
            t += "commonAnnotations:\n  note: %s\n" % r.choice(["x", "\"1\"", "\"true\"", "\"a: b\""])
        if chance(.3):
            t += "images:\n- name: %s\n%s" % (r.choice(["nginx", "gcr.io/a/b", "redis", "host:5000/x"]), r.choice(
                ["  newTag: \"2\"\n", "  newName: other/y\n", "  digest: sha256:bb\n", "  newTag: v2\n  newName: z\n", "  tagSuffix: -x\n"]))
        scaled = [m.group(1) for m in (re.match(r"apiVersion: .*\nkind: (?:Deployment|StatefulSet)\nmetadata:\n  name: (.*)\n", o) for o in objects) if m]
        if scaled and chance(.3):
            t += "replicas:\n- name: %s\n  count: 5\n" % r.choice(scaled)
        for generator in ["configMapGenerator", "secretGenerator"]:
            if chance(.25):
                t += generator + ":\n- name: %s\n" % r.choice(NAMES) + r.choice(["", "", "", "", "", "  behavior: create\n", "  behavior: merge\n", "  namespace: ns1\n"]) + \
                     "  literals:\n  - a=%s\n  - k=%s\n" % (r.choice(["1", "yes", "x y", "'q'", "\"\""]), r.choice(["v", "long" * 30]))
        if chance(.1):
            t += "generatorOptions:\n  disableNameSuffixHash: %s\n  labels:\n    g: o\n" % r.choice(["true", "false"])
        if objects and chance(.5):
            t += "patches:\n" + "".join(self.patch(objects) for _ in range(r.randint(1, 2)))
        if objects and chance(.15):
            source = re.match(r"apiVersion: .*\nkind: (.*)\nmetadata:\n  name: (.*)\n", r.choice(objects))
            t += "replacements:\n- source:\n    kind: %s\n    name: %s\n%s  targets:\n  - select:\n      kind: %s\n    fieldPaths:\n    - %s\n%s" % (
                source.group(1), source.group(2), r.choice(["", "    fieldPath: metadata.name\n", "    fieldPath: spec.replicas\n"]),
                r.choice(["Deployment", "ConfigMap", "Thing"]), r.choice(["metadata.labels.app", "spec.template.spec.containers.[name=c0].image", "data.a", "metadata.annotations.note"]),
                r.choice(["", "    options:\n      create: true\n", "    options:\n      delimiter: ':'\n      index: 1\n"]))
        if chance(.03):
            t += "vars:\n- name: V1\n  objref:\n    kind: %s\n    apiVersion: %s\n    name: %s\n" % (*reversed(r.choice(KINDS)), r.choice(NAMES))
        if chance(.1):
            t += "buildMetadata: [%s]\n" % ", ".join(r.sample(["originAnnotations", "transformerAnnotations", "managedByLabel"], r.randint(1, 3)))
        if chance(.1):
            t += "sortOptions:\n  order: %s\n" % r.choice(["legacy", "fifo"])
        return t

    def tree(self):
        r = self.r
        files, roots, every = {}, [], []
        for b in range(r.randint(1, 2)):
            objects, seen = [], set()
            for _ in range(r.randint(1, 5)):
                o = self.object()
                key = tuple(o.splitlines()[:4])
                if key not in seen or r.random() < .02:
                    seen.add(key)
                    objects.append(o)
            files["base%d/all.yaml" % b] = r.choice(["---\n", "# c\n---\n"]).join(objects)
            files["base%d/kustomization.yaml" % b] = self.kustomization(["all.yaml"], objects)
            roots.append("../base%d" % b)
            every += objects
        if r.random() < .3:
            files["comp/kustomization.yaml"] = self.kustomization([], every, True) + "\nnameSuffix: -c\n"
            files["top/kustomization.yaml"] = self.kustomization(roots, every) + "components:\n- ../comp\n"
        else:
            files["top/kustomization.yaml"] = self.kustomization(roots, every)
        return files, "top"


def mutate(rng, case):
    """A case of the corpus with a few scalars, keys or lines changed."""
    files, maker = dict(case["files"]), Maker(rng)
    texts = [p for p in files if p.endswith((".yaml", ".yml"))]
    for _ in range(rng.randint(1, 3)):
        if not texts:
            break
        path = rng.choice(texts)
        lines = files[path].split("\n")
        at = rng.randrange(len(lines))
        kind = rng.random()
        if "kustomization" in path and kind < .4:
            lines += maker.kustomization([], []).split("\n")
        elif kind < .75 and re.match(r"^\s*(- )?[\w./\"'-]+:\s+\S", lines[at]):
            lines[at] = re.sub(r":\s+.*$", lambda _: ": " + maker.scalar(), lines[at])
        elif kind < .85:
            del lines[at]
        else:
            lines.insert(at, lines[at])
        files[path] = "\n".join(lines)
    return files, case["path"].lstrip("/")


def run(command):
    try:
        p = subprocess.run(command, capture_output=True, timeout=60)
        return p.returncode == 0, p.stdout, p.stderr.decode("utf-8", "replace")
    except subprocess.TimeoutExpired:
        return False, b"", "timeout"


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--oracle", required=True)
    a.add_argument("--ours", required=True)
    a.add_argument("--corpus")
    a.add_argument("--seconds", type=float, default=60)
    a.add_argument("--seed", type=int, default=None)
    a.add_argument("--keep", default="differences")
    a = a.parse_args()
    cases = []
    if a.corpus:
        opened = lzma.open(a.corpus, "rt") if a.corpus.endswith(".xz") else open(a.corpus)
        cases = [c for c in map(json.loads, opened) if not c.get("base64") and "error" not in c["expect"]]
    first = a.seed if a.seed is not None else random.SystemRandom().randrange(1 << 32)
    end, seed, tried, valid, different = time.time() + a.seconds, first, 0, 0, 0
    while time.time() < end:
        rng = random.Random(seed)
        files, path = mutate(rng, rng.choice(cases)) if cases and rng.random() < .5 else Maker(rng).tree()
        with tempfile.TemporaryDirectory() as d:
            d = os.path.realpath(d)
            for p, text in files.items():
                f = os.path.join(d, p.lstrip("/"))
                os.makedirs(os.path.dirname(f), exist_ok=True)
                with open(f, "w", encoding="utf-8") as out:
                    out.write(text.replace("@CASE_ROOT@", d))
            target = os.path.join(d, path)
            want, got = run([a.oracle, "build", target]), run([*a.ours.split(), target])
            tried += 1
            valid += want[0]
            if (want[0], want[1]) != (got[0], got[1]) and not re.search("timeout|panic", want[2]):
                different += 1
                keep = os.path.join(a.keep, str(seed))
                shutil.rmtree(keep, ignore_errors=True)
                shutil.copytree(d, os.path.join(keep, "in"))
                for name, result in [("want", want), ("got", got)]:
                    with open(os.path.join(keep, name), "wb") as out:
                        out.write(result[1] + result[2].encode())
                with open(os.path.join(keep, "path"), "w") as out:
                    out.write(path)
                print("differs: seed %d -> %s (%s / %s)" % (seed, keep, "ok" if want[0] else "error", "ok" if got[0] else "error"), flush=True)
        seed += 1
    print("%d inputs from seed %d, %d valid, %d differ" % (tried, first, valid, different))
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
