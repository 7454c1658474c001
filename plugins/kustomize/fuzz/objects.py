"""Makes up manifests: kinds with references, odd scalars, the styles in which people write YAML."""
import re

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


class Objects:
    """Makes manifests from a source of chance."""

    def __init__(self, rng):
        self.r = rng

    def chance(self, p):
        return self.r.random() < p

    def scalar(self):
        s = self.r.choice(SCALARS)
        if s in ("- x", "@x", "<<", "!!int \"5\"") and self.r.random() < .98:
            s = "v"
        return s if "\n" not in s and "#" not in s else self.r.choice(["abc", "5", "yes"])

    def block(self):
        s = self.r.choice(SCALARS)
        return self.scalar() if s in ("- x", "@x", "<<", "!!int \"5\"") else s

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

    def many(self):
        """Manifests of a file, each with a name of its own most of the time."""
        r, objects, seen = self.r, [], set()
        for _ in range(r.choice([1, 1, 2, 3, 4, 5])):
            o = self.object()
            key = tuple(o.splitlines()[:4])
            if key not in seen or r.random() < .02:
                seen.add(key)
                objects.append(o)
        return objects

    def restyled(self, text):
        """The same or nearly the same YAML as another hand would have written it."""
        r = self.r
        lines = text.split("\n")
        for _ in range(r.randint(1, 4)):
            kind = r.random()
            at = r.randrange(len(lines))
            line = lines[at]
            margin = line[:len(line) - len(line.lstrip(" "))]
            if kind < .15:
                lines.insert(at, r.choice([margin, "", margin + "  "]) + r.choice(["# above", "#tight", "# two\n%s# lines" % margin, "#"]))
            elif kind < .3 and line.strip() and not line.rstrip().endswith(("|", ">", "|-", ">-")):
                lines[at] = line + r.choice([" # beside", "  # far", " #", "   "])
            elif kind < .38:
                lines.insert(at, r.choice(["", "", "\n", "  "]))
            elif kind < .5:
                found = re.match(r"^(\s*(?:- )?)([\w.\"/-]+):( .*)?$", line)
                if found and '"' not in found.group(2):
                    lines[at] = "%s%s:%s" % (found.group(1), r.choice(['"%s"', "'%s'", "? %s\n" + margin]) % found.group(2), found.group(3) or "")
            elif kind < .6:
                found = re.match(r"^(\s*(?:- )?[\w./-]+: )([^\s\[{|>&*!'\"#][^#]*)$", line)
                if found:
                    lines[at] = found.group(1) + r.choice(['"%s"', "'%s'", "&a%d %%s" % at, "!!str %s", "  %s", "\n" + margin + "    %s", ">-\n" + margin + "    %s", "|\n" + margin + "    %s", "|2-\n" + margin + "    %s\n\n"]) % found.group(2)
            elif kind < .7:
                lines = self.deeper(lines, at)
            elif kind < .78:
                lines = self.flow(lines, at)
            elif kind < .84:
                lines.insert(0, r.choice(["---", "# head\n", "# head", "--- # doc", "%YAML 1.1\n---", "\ufeff", "---\n---"]))
            elif kind < .9:
                lines.append(r.choice(["...", "---", "# foot", "\n# foot\n", "---\n# only a comment\n", "--- {}", "--- null", ""]))
            elif kind < .93:
                lines = "\r\n".join(lines).split("\n")
            elif kind < .96 and ": " in line:
                lines[at] = line + " " + "word " * 30
            else:
                lines[at] = line.replace(": ", ":\t", 1)
        return "\n".join(lines)

    def deeper(self, lines, at):
        """The block that begins after a key moved two columns in."""
        margin = len(lines[at]) - len(lines[at].lstrip(" "))
        if not lines[at].rstrip().endswith(":"):
            return lines
        end = at + 1
        while end < len(lines) and (not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip(" ")) > margin or lines[end][margin:].startswith("- ")):
            end += 1
        return lines[:at + 1] + ["  " + line if line.strip() else line for line in lines[at + 1:end]] + lines[end:]

    def flow(self, lines, at):
        """A short block of scalars as a flow collection."""
        if not lines[at].rstrip().endswith(":"):
            return lines
        end = at + 1
        margin = len(lines[at]) - len(lines[at].lstrip(" "))
        while end < len(lines) and lines[end].startswith(" " * (margin + 1)) and re.match(r"^\s+[\w./-]+: [^\[{|>&*!#]+$", lines[end]):
            end += 1
        if end == at + 1:
            return lines
        inner = self.r.choice([", ", ",", ",\n" + " " * (margin + 4)]).join(line.strip() for line in lines[at + 1:end])
        return lines[:at] + ["%s {%s}" % (lines[at].rstrip(), inner)] + lines[end:]
