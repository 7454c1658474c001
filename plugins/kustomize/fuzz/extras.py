"""Makes up the parts of kustomizations that repositories use less often, and the files that they name."""
import json, re

from objects import KINDS, NAMES, Objects, indent

HEAD = re.compile(r"apiVersion: (.*)\nkind: (.*)\nmetadata:\n  name: (.*)\n(?:  namespace: (.*)\n)?")
FIELDS = ["metadata.name", "metadata.namespace", "metadata.labels.app", "metadata.labels.[a.b/c]", "metadata.annotations.note", "metadata.annotations.a\\.b/c", "spec.replicas", "spec.template.spec.containers.0.image",
          "spec.template.spec.containers.[name=c0].image", "spec.template.spec.containers.*.image", "spec.template.spec.containers.[name=c0].env.[name=E0].value", "spec.template.spec.containers.*.env.*.value",
          "data.a", "data.b\\.yaml", "data", "spec.ports.0.port", "spec.ports.*.targetPort", "spec.rules.0.host", "spec.rules.*.http.paths.*.backend.service.name", "webhooks.*.clientConfig.service.namespace",
          "spec.value", "spec.list.[name=a].v", "spec.list.*.v", "spec.list.-", "spec.new.deep.field", "spec.template.metadata.labels.app", "subjects.*.name", "subjects.[kind=ServiceAccount].namespace", "roleRef.name",
          "spec.selector.matchLabels.app", "spec.list.1", "spec.list.9", "spec.jobTemplate.spec.template.spec.containers.[name=c0].image", "kind", "apiVersion", "metadata", "spec", "spec.template.spec.volumes.0.configMap.name", "metadata.annotations", "stringData.a",
          "spec.list.[name=zz].v", "spec.template.spec.containers.[image=nginx].name", "spec.template.spec.containers.[name=new].image", "spec.*.name", "*", "", "spec..x", "spec.replicas.x", "spec.template.spec.containers.[name=c0].args.0"]
ENVS = ["A=1\nB=two words\n", "# comment\n\nA=1\n", "A\n", "A=x=y\n  B=1\n", "A=\"q\"\n", "\ufeffA=1\n", "1A=2\n", "A=1\r\nB=2\r\n", "A = 1\n", "=x\n", "a-b.c=1", "A=  padded  \n", "A=#x\n", "export A=1\n"]
TEXTS = ["plain\n", "no end", "", "tab\there\n", "trailing \n", "a\n\n\nb\n", " lead\n", "crlf\r\nx\r\n", "ünï\n", "\ufeffbom\n", "key: value\nlist:\n- a\n", "#!/bin/sh\nset -e\necho \"$HOME\"\n", "x" * 200 + "\n", "\x00bin", "\x7f\n", "\u2028\n", "'q' \"d\"\n", "- a\n", "---\n", "\n", "\n\nlead lines", "null", "true", "1e3", "{}", "bad \udcff byte"]
SCHEMA = {"definitions": {"v1.Thing": {
    "properties": {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}, "spec": {"$ref": "#/definitions/v1.ThingSpec"}},
    "type": "object", "x-kubernetes-group-version-kind": [{"group": "example.com", "kind": "Thing", "version": "v1"}]},
    "v1.ThingSpec": {"type": "object", "properties": {
        "list": {"type": "array", "items": {"$ref": "#/definitions/v1.Item"}, "x-kubernetes-patch-merge-key": "name", "x-kubernetes-patch-strategy": "merge"},
        "value": {"type": "string"}, "template": {"$ref": "#/definitions/io.k8s.api.core.v1.PodTemplateSpec"}}},
    "v1.Item": {"type": "object", "properties": {"name": {"type": "string"}, "v": {"type": "string"}}}}}
CRDS = {"v1.Thing": {"Schema": {"properties": {"spec": {"$ref": "v1.ThingSpec"}}}}, "v1.ThingSpec": {"Schema": {"properties": {
    "value": {"x-kubernetes-annotation": "", "type": "string"}, "ref": {"x-kubernetes-object-ref-api-version": "v1", "x-kubernetes-object-ref-kind": "Secret", "x-kubernetes-object-ref-name-key": "name"}}}}}


class Extras(Objects):
    """Parts of kustomizations; `self.files` takes the files that they name."""

    files, generated, wild = {}, [], 1

    def rare(self, odd, usual):
        return odd if self.chance(.03) else usual

    def head(self, objects):
        """Version, kind, name and namespace of an object."""
        found = HEAD.match(self.r.choice(objects)) if objects else None
        return found.groups() if found else ("v1", "ConfigMap", "web", None)

    def json_object(self):
        r = self.r
        o = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "from-json", "labels": {"app": "web"}}, "data": {"a": "1", "b": r.choice(["x\ny", "true", "", "1e3", "é", "#"])}}
        if self.chance(.3):
            o = {"apiVersion": "v1", "kind": r.choice(["List", "ConfigMapList"]), "items": [o, dict(o, metadata={"name": "second"})]}
        return json.dumps(o, indent=r.choice([None, 2]))

    def selector(self, objects, depth=8):
        """Fields that choose objects."""
        r = self.r
        api, kind, name, space = self.head(objects)
        group, _, version = api.rpartition("/")
        t = ""
        for chance, line in [(.6, "kind: " + r.choice([kind, kind, "Deploy.*", ".*"])), (.5, "name: " + r.choice([name, name, "we.*", "w|d", "\"(web|db)\"", ".*", "nope"])),
                             (.15, "namespace: " + (space or r.choice(["ns1", "default", "\"ns.*\""]))), (.1, "version: " + version), (.1, "group: " + (group or '""')),
                             (.1, "labelSelector: " + r.choice(["app=web", "\"app in (web, db)\"", "\"!tier\"", "app!=web,tier", "app==db", "tier", "\"app notin (x)\"", "\"=\"", "\"app = web\""])),
                             (.05, "annotationSelector: " + r.choice(["app=web", "note", "\"x in (v1)\""]))]:
            if self.chance(chance):
                t += " " * depth + line + "\n"
        return t or " " * depth + "kind: %s\n" % kind

    def field(self):
        r = self.r
        path = r.choice(FIELDS[:30]) if self.chance(.8) else r.choice(FIELDS)
        return json.dumps(path) if re.search(r"^\*|^$|^\[|: |\\", path) else path

    def options(self, depth):
        r = self.r
        t = ""
        for chance, line in [(.5, "create: true"), (.3, "delimiter: %s" % r.choice(["':'", "/", "'-'", "\".\"", "\"\"", "ab"])), (.3, "index: %d" % r.choice([0, 1, 1, 2, -1, 9])), (.1, "encoding: " + r.choice(["base64", "hex", "\"\""]))]:
            if self.chance(chance):
                t += " " * (depth + 2) + line + "\n"
        return " " * depth + "options:\n" + t if t else ""

    def replacement(self, objects, margin=0):
        r = self.r
        api, kind, name, space = self.head(objects)
        if self.chance(.08):
            t = "- sourceValue: %s\n" % (self.scalar() if self.chance(.1) else self.r.choice(["text", '"1"', '"true"', "nginx:2", '"a: b"', '"yes"', "w-x"]))
        else:
            t = "- source:\n    kind: %s\n" % kind
            if self.chance(.85):
                t += "    name: %s\n" % name
            if self.chance(.1):
                t += "    namespace: %s\n" % (space or "ns1")
            if self.chance(.1):
                t += "    version: v1\n"
            if self.chance(.7):
                t += "    fieldPath: %s\n" % self.field()
            if self.chance(.2):
                t += self.options(4)
        t += "  targets:\n"
        for _ in range(r.choice([1, 1, 2])):
            t += "  - select:\n" + self.selector(objects, 6)
            if self.chance(.15):
                t += "    reject:\n" + "".join("    - " + self.selector(objects, 6).lstrip(" ") for _ in range(r.choice([1, 2])))
            if self.chance(.95):
                t += "    fieldPaths:\n" + "".join("    - %s\n" % self.field() for _ in range(r.choice([1, 1, 2])))
            if self.chance(.5):
                t += self.options(4)
        return indent(t, margin)

    def name_file(self, folder, name, text):
        self.files["%s/%s" % (folder, name)] = text
        return name

    def generator(self, which):
        """One entry of configMapGenerator or secretGenerator."""
        r = self.r
        known = [(name, space) for kind, name, space in self.generated if kind == which]
        if known and self.chance(.5):
            name, space = r.choice(known)
            behavior = r.choice(["merge", "replace", "merge", "create"])
        else:
            name, space = "g%d" % len(self.generated), r.choice(["", "", "", "  namespace: ns1\n"])
            behavior = "create"
            if self.chance(.03):
                name, behavior = r.choice(NAMES), r.choice(["merge", "replace", "create", "nope"])
            self.generated.append((which, name, space))
        t = "- name: %s\n%s" % (name, space)
        if behavior != "create" or self.chance(.3):
            t += "  behavior: %s\n" % behavior
        if self.chance(.8):
            t += "  literals:\n" + "".join("  - %s\n" % r.choice(["a=1", "k=yes", "x=x y", "q='q'", "w=\"\"", "v=v", "l=" + "long" * 30, "'c=a: b'", "e=", "\"n=a\\nb\"", "u=ünï", "z=#x", "'a=b=c'", "o=0777", "sp= lead", "\"t=a\\tb\"", "\"s=a \\n\\nb \\n\"", self.rare("bad", "ok=1"), self.rare("=x", "ok2=2"), "\"d=\\\"\"", "'j={\"a\": 1}'"]) for _ in range(r.choice([1, 2, 3])))
        if self.chance(.25):
            names = ["f.txt", "g.conf"]
            t += "  files:\n" + "".join("  - %s\n" % r.choice(["%s", "k=%s", "a.b=%s", "./%s", "x=./%s"]) % self.name_file(self.folder, n, r.choice(TEXTS)) for n in names[:r.choice([1, 1, 2])])
        if self.chance(.15):
            t += r.choice(["  envs:\n  - %s\n", "  env: %s\n"]) % self.name_file(self.folder, "vars.env", r.choice(ENVS))
        if which == "secretGenerator" and self.chance(.2):
            t += "  type: %s\n" % r.choice(["Opaque", "kubernetes.io/tls", "x"])
        if self.chance(.2):
            t += "  options:\n" + indent(self.generator_options() or "immutable: true\n", 4)
        return t

    def generator_options(self):
        r, t = self.r, ""
        for chance, line in [(.4, "disableNameSuffixHash: %s" % r.choice(["true", "false"])), (.3, "immutable: %s" % r.choice(["true", "false"])), (.4, "labels:\n  g: o"), (.3, "annotations:\n  note: %s" % r.choice(["g", "\"1\"", "\"true\""]))]:
            if self.chance(chance):
                t += line + "\n"
        return t

    def vars(self, objects):
        api, kind, name, _ = self.head(objects)
        t = "vars:\n"
        for at in range(self.r.choice([1, 2])):
            t += "- name: %s\n  objref:\n    kind: %s\n    apiVersion: %s\n    name: %s\n" % (self.r.choice(["V1", "VAR", "V%d" % at]), kind, api, name)
            if self.chance(.5):
                t += "  fieldref:\n    fieldpath: %s\n" % self.field()
        return t

    def configuration(self):
        """A file of transformer configuration."""
        r, t = self.r, ""
        spec = lambda path, kind="": "- path: %s\n%s%s" % (path, "  kind: %s\n" % kind if kind else "", r.choice(["", "  create: true\n"]) if kind or self.chance(.05) else known[path])
        known = {"metadata/name": "", "metadata/namespace": "  create: true\n", "metadata/labels": "  create: true\n", "metadata/annotations": "  create: true\n"}
        for field, lines in [("namePrefix", spec("metadata/name") + spec("spec/value", "Thing")), ("nameSuffix", spec("metadata/name", r.choice(["Deployment", "Thing"]))), ("namespace", spec("metadata/namespace") + spec("spec/ns", "Thing")),
                             ("commonLabels", spec("metadata/labels") + spec("spec/lbl", "Thing")), ("commonAnnotations", spec("metadata/annotations") + spec("spec/ann", "Thing")), ("images", spec("spec/value", "Thing") + spec("spec/list[]/v", "Thing")),
                             ("replicas", spec("spec/count", "Thing")), ("varReference", spec("spec/value", "Thing") + spec("spec/other", "Thing")),
                             ("nameReference", "- kind: %s\n  version: v1\n  fieldSpecs:\n  - path: spec/value\n    kind: Thing\n  - path: spec/list/name\n    kind: Thing\n" % r.choice(["ConfigMap", "Service", "Secret"])), ("templateLabels", spec("spec/tl", "Thing"))]:
            if self.chance(.3):
                t += "%s:\n%s" % (field, lines)
        return t or "{}\n"

    def plugin(self, objects):
        """An object that configures a built-in transformer or generator."""
        r = self.r
        specs = "fieldSpecs:\n- path: %s\n%s" % (r.choice(["metadata/name", "metadata/labels", "metadata/annotations", "spec/value", "spec/template/metadata/labels"]), r.choice(["", "  create: true\n", "  kind: Thing\n"]))
        kind, body = r.choice([
            ("PrefixTransformer", "prefix: t-\n" + r.choice(["", specs])), ("SuffixTransformer", "suffix: -t\n" + r.choice(["", specs])), ("PrefixSuffixTransformer", "prefix: t-\nsuffix: -u\n" + specs),
            ("NamespaceTransformer", r.choice(["", "unsetOnly: true\n", "setRoleBindingSubjects: %s\n" % r.choice(["none", "allServiceAccounts", "defaultOnly", "bad"])]) + r.choice(["", "fieldSpecs:\n- path: metadata/namespace\n  create: true\n"])),
            ("LabelTransformer", "labels:\n  t: l\n" + specs), ("AnnotationsTransformer", "annotations:\n  t: a\n" + specs), ("ImageTagTransformer", "imageTag:\n  name: nginx\n  newTag: t9\n" + r.choice(["", "fieldSpecs:\n- path: spec/value\n"])),
            ("ReplicaCountTransformer", "replica:\n  name: web\n  count: 7\n" + r.choice(["", "fieldSpecs:\n- path: spec/replicas\n  create: true\n"])), ("PatchTransformer", "patch: '[{\"op\": \"add\", \"path\": \"/metadata/labels\", \"value\": {\"pt\": \"1\"}}]'\ntarget:\n" + self.selector(objects, 2)),
            ("PatchStrategicMergeTransformer", "patches: |-\n" + indent(self.merge_patch(objects).rstrip("\n") + "\n", 2)), ("PatchJson6902Transformer", "target:\n  version: v1\n  kind: %s\n  name: %s\njsonOp: '[{\"op\": \"add\", \"path\": \"/x\", \"value\": 1}]'\n" % self.head(objects)[1:3]),
            ("ReplacementTransformer", "replacements:\n" + self.replacement(objects)), ("ValueAddTransformer", "value: added\ntargetFilePath: x\n"), ("HashTransformer", ""), ("SortOrderTransformer", "sortOptions:\n  order: %s\n" % r.choice(["legacy", "fifo"])),
            ("ConfigMapGenerator", "literals:\n- a=1\n"), ("SecretGenerator", "literals:\n- a=1\n"), ("LegacyOrderTransformer", ""), ("NopeTransformer", "")])
        space = r.choice(["", "  namespace: tns\n"]) if kind != "NamespaceTransformer" else "  namespace: tns\n"
        return kind, "apiVersion: builtin\nkind: %s\nmetadata:\n  name: n\n%s%s" % (kind, space, body)

    def merge_patch(self, objects):
        """A strategic-merge patch with directives."""
        r = self.r
        api, kind, name, space = self.head(objects)
        body = r.choice([
            "spec:\n  template:\n    spec:\n      containers:\n      - name: c0\n        image: patched:1\n", "spec:\n  template:\n    spec:\n      $setElementOrder/containers:\n      - name: c1\n      - name: c0\n      containers:\n      - name: c1\n        image: x\n",
            "spec:\n  template:\n    spec:\n      containers:\n      - $patch: replace\n      - name: only\n        image: y\n", "metadata:\n  $deleteFromPrimitiveList/finalizers:\n  - a\n", "spec:\n  strategy:\n    $retainKeys:\n    - type\n    type: Recreate\n",
            "spec:\n  $patch: replace\n  a: b\n", "spec:\n  list:\n  - name: a\n    v: merged\n  - name: c\n    v: new\n", "spec:\n  list:\n  - name: b\n    $patch: delete\n", "spec:\n  ports:\n  - port: 80\n    name: http\n  - port: 443\n    $patch: delete\n",
            "data:\n  a: patched\n  b.yaml: null\n", "data:\n  $patch: replace\n  only: x\n", "$patch: replace\nspec: {}\n", "$patch: delete\n", "spec:\n  template:\n    spec:\n      tolerations:\n      - key: b\n      volumes:\n      - name: v\n        emptyDir: null\n        secret:\n          secretName: s\n",
            "spec:\n  template:\n    spec:\n      containers:\n      - name: c0\n        ports:\n        - containerPort: 80\n          name: web\n        - containerPort: 9090\n        env:\n        - name: E0\n          $patch: delete\n        - name: NEW\n          value: \"1\"\n",
            "spec:\n  template:\n    spec:\n      initContainers:\n      - name: first\n        image: i\n      serviceAccountName: null\n", "metadata:\n  labels: null\n", "metadata:\n  annotations:\n    note: # comment\n      patched\n", "subjects:\n- kind: User\n  name: u\n",
            "spec:\n  rules:\n  - host: other\n", "webhooks:\n- name: w.x.y\n  failurePolicy: Ignore\n- name: new.x.y\n", "spec:\n  value: &p x\n  other: *p\n", "spec:\n  list: []\n", "spec:\n  list: null\n", "roleRef: null\nrules: []\n", "", "spec:\n"])
        meta = "metadata:\n  name: %s\n%s" % (name, "  namespace: %s\n" % space if space else "")
        if body.startswith("metadata:\n"):
            return "apiVersion: %s\nkind: %s\n%s%s" % (api, kind, meta, body[len("metadata:\n"):])
        return "apiVersion: %s\nkind: %s\n%s%s" % (api, kind, meta, body)

    def operations(self):
        """A JSON patch as YAML."""
        r, t = self.r, ""
        for _ in range(r.choice([1, 1, 2, 3])):
            op = r.choice(["add", "add", "add", "replace", "remove", "move", "copy", "test", "merge"] if self.chance(.1) else ["add"] * 5 + ["replace", "remove"])
            path = r.choice(["/metadata/labels", "/metadata/annotations", "/new", "/metadata/name", "/metadata/x", "/spec", "/kind"]) if self.chance(.6) else r.choice(["/metadata/labels/x", "/metadata/annotations/a~1b", "/metadata/name", "/spec/replicas", "/spec/template/spec/containers/0/image", "/spec/template/spec/containers/-", "/spec/template/spec/containers/0/env/0", "/data/a", "/spec/value", "/spec/list/-", "/spec/list/0", "/spec/list/1/v", "/spec/list/-1", "/spec/list/7", "/new", "", "/metadata/labels", "/spec/ports/0/port", "spec/x", "/a/b/c", "/metadata/labels/~0t", "/spec/template/spec/containers/00/image", "/spec"])
            t += "- op: %s\n  path: %s\n" % (op, path or '""')
            if op in ("move", "copy"):
                t += "  from: %s\n" % r.choice(["/metadata/name", "/spec/value", "/data", "/nope"])
            if op in ("add", "replace", "test") and self.chance(.97):
                t += "  value: %s\n" % r.choice([self.scalar(), "{a: 1, b: [x, yes]}", "[]", "\n    name: n\n    image: i", "null", "{}", "1.0", "\"1\"", "12345678901234567890", "1e3", "|\n    text\n    more"])
        return t

    def extras(self, objects, folder):
        """Some of the fields that name other files."""
        r, t = self.r, ""
        self.folder = folder
        chance = lambda p: self.chance(p * self.wild * 2)
        if chance(.15):
            t += "configurations:\n- %s\n" % self.name_file(folder, "conf.yaml", self.configuration())
        if chance(.1):
            t += "openapi:\n  path: %s\n" % self.name_file(folder, "schema.json", json.dumps(SCHEMA))
        if chance(.08):
            t += "crds:\n- %s\n" % self.name_file(folder, "crds.json", json.dumps(CRDS))
        for field in ["transformers", "generators", "validators"]:
            if chance(.12 if field != "validators" else .04):
                kind, text = self.plugin(objects)
                if field == "generators" and "Generator" not in kind and chance(.9):
                    text = "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata:\n  name: plug\nbehavior: %s\nliterals:\n- a=1\n" % self.rare("merge", "create")
                if chance(.4):
                    t += "%s:\n- |-\n%s" % (field, indent(text.rstrip("\n") + "\n", 2))
                else:
                    t += "%s:\n- %s\n" % (field, self.name_file(folder, field + ".yaml", text))
        if objects and chance(.15):
            t += "patchesStrategicMerge:\n" + r.choice(["- %s\n" % self.name_file(folder, "smp.yaml", "---\n".join(self.merge_patch(objects) for _ in range(r.choice([1, 2])))), "- |-\n" + indent(self.merge_patch(objects).rstrip("\n") + "\n", 2)])
        if objects and chance(.15):
            t += "patchesJson6902:\n- target:\n    version: v1\n    kind: %s\n    name: %s\n  %s" % (*self.head(objects)[1:3], r.choice(["path: %s\n" % self.name_file(folder, "ops.yaml", self.operations()), "patch: |-\n" + indent(self.operations(), 4)]))
        return t
