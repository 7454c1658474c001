"""Makes up whole charts for fuzz.py: subcharts with aliases, conditions and imports, values merged from
many places, schemas, hooks, several documents a file, notes, ignored files, and flags of `helm template`.
"""
import json, random

import grammar

VALUES = ["1", "true", "false", "null", "~", '"x"', "text", "[]", "{}", "[1, 2]", "{a: 1}", "{a: null, b: 2}", "1.5", "1e6", '"1"', "{a: {b: {c: 1}}}", "[{a: 1}, {b: 2}]", "0", '""', "yes", "0777", "2024-02-29", "12345678901", "|\n  line\n  two\n"]
NAMES = ["a", "b", "c", "on", "enabled", "global", "sub", "sub2", "alias", "data", "tags", "list", "exports", "nested"]
KINDS = ["ConfigMap", "Secret", "Deployment", "Service", "Namespace", "Job", "Pod", "CustomResourceDefinition", "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "Ingress", "PodDisruptionBudget", "Unknown", "StatefulSet", "PriorityClass", "NetworkPolicy",
         "ResourceQuota", "LimitRange", "HorizontalPodAutoscaler", "APIService", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "StorageClass", "PersistentVolume", "PersistentVolumeClaim", "DaemonSet", "CronJob", "ReplicaSet", "List", "IngressClass", "ClusterRoleBinding", "SecretList"]
HOOKS = ["pre-install", "post-install", "pre-install,post-upgrade", "test", "test-success", "pre-delete", "post-rollback", "nope", "", "pre-upgrade, post-upgrade", "crd-install", "PRE-INSTALL"]
VERSIONS = ["0.1.0", "1.2.3", "v1.0.0", "1.0.0-rc.1", "1.2.3+build"]
RANGES = ["*", "~1.2", "^1.0.0", ">=0.1.0", "0.1.0", "1.x", ">=1.0.0-0", "2.0.0", "", "nope", "~0.1.0 || ^1"]
CONDITIONS = ["sub.enabled", "sub2.enabled", "alias.enabled", "sub.enabled,global.enabled", "enabled", "nope.x", "sub", "a.b.c", " sub.enabled ", "sub.data", ""]
SCHEMAS = [{"type": "object"}, {"type": "object", "required": ["a"]}, {"properties": {"a": {"type": "string"}}}, {"properties": {"a": {"type": ["integer", "null"]}, "b": {"minimum": 2}}}, {"additionalProperties": False, "properties": {"a": {}, "global": {}}},
           {"properties": {"list": {"type": "array", "items": {"type": "integer"}, "minItems": 1, "uniqueItems": True}}}, {"patternProperties": {"^a": {"enum": [1, "x", None]}}}, {"$ref": "#/definitions/x", "definitions": {"x": {"properties": {"b": {"const": 1}}}}}, {"$defs": {"x": {"type": "string", "maxLength": 3, "pattern": "^t"}}, "properties": {"a": {"$ref": "#/$defs/x"}}},
           {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"anyOf": [{"properties": {"a": {"type": "boolean"}}}, {"required": ["c"]}]}, {"allOf": [{"required": ["a"]}, {"not": {"required": ["b"]}}]}, {"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": {"required": ["c"]}}, {"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"sub": {"type": "object", "properties": {"a": {"type": "integer", "multipleOf": 2}}}}},
           {"$schema": "https://json-schema.org/draft/2020-12/schema", "dependentRequired": {"a": ["b"]}, "properties": {"list": {"prefixItems": [{"type": "integer"}], "contains": {"const": 1}}}}, {"propertyNames": {"maxLength": 4}, "minProperties": 2}, {"$schema": "http://json-schema.org/draft-04/schema#", "properties": {"b": {"maximum": 2, "exclusiveMaximum": True}}}, {"type": "nope"}, True, False, {"properties": {"a": {"format": "ipv4"}, "b": {"format": "date"}}}, {"unevaluatedProperties": False, "properties": {"a": True}, "$schema": "https://json-schema.org/draft/2020-12/schema"},
           {"$schema": "http://json-schema.org/draft-06/schema#", "properties": {"data": {"exclusiveMinimum": 0}}}, {"dependencies": {"a": ["b"], "b": {"required": ["c"]}}}, {"properties": {"a": {"default": 1, "title": "x", "description": "y", "examples": [1]}}}, {"$schema": "https://json-schema.org/draft/2019-09/schema", "dependentSchemas": {"a": {"required": ["c"]}}, "maxProperties": 3}]
FORMATS = {"format": ["date-time", "date", "time", "email", "hostname", "ipv4", "ipv6", "uri", "uri-reference", "regex", "uuid", "json-pointer", "duration", "nope"]}


class Maker(grammar.Maker):
    def odd(self, rare, usual):
        return rare if self.chance(.05) else usual

    def values(self, depth=0):
        """Text of a values file."""
        r, t = self.r, ""
        for name in r.sample(NAMES, r.choice([0, 1, 2, 3, 4])):
            if depth < 2 and (name in ("sub", "sub2", "alias", "global", "tags", "exports", "nested") or self.chance(.2)) and self.chance(.85):
                inner = self.values(depth + 1)
                t += "%s:%s\n" % (name, "\n" + "".join("  " + line + "\n" for line in inner.splitlines()) if inner else r.choice([" {}", "", " null"]))
            else:
                value = r.choice(VALUES[:-1]) if depth else r.choice(VALUES)
                if name == "enabled":
                    value = r.choice(["true", "false", "true", "null", '"true"'])
                t += "%s: %s\n" % (name, value.rstrip("\n"))
        return t

    def manifest(self):
        """One document of a template."""
        r = self.r
        if self.chance(.12):
            if self.chance(.8):
                return r.choice(["", "# only a comment\n", "{{/* nothing */}}\n", "\n\n", "kind: ConfigMap\n", "null\n", "apiVersion: v1\nmetadata:\n  name: no-kind\n", "---\n", "metadata:\n  annotations:\n    helm.sh/hook: test\n"])
            return r.choice(["", "# only a comment\n", "{{/* nothing */}}\n", "\n\n", "text\n", "[]\n", "a: [\n", "kind: ConfigMap\n", "null\n", "apiVersion: v1\nmetadata:\n  name: no-kind\n", "---\n", "kind: X\nmetadata: text\n", "apiVersion: 1\nkind: [a]\n", "kind: ConfigMap\nmetadata:\n  annotations: null\n  name: x\n", "metadata:\n  annotations:\n    helm.sh/hook: test\n"])
        t = "apiVersion: v1\nkind: %s\nmetadata:\n  name: {{ .Release.Name }}-%s\n" % (r.choice(KINDS), r.choice("abcd"))
        if self.chance(.3):
            t += "  annotations:\n    %shelm.sh/hook%s: %s\n" % (r.choice(["", "", '"'][:1]), "", r.choice(HOOKS) or '""')
            if self.chance(.5):
                t += "    helm.sh/hook-weight: %s\n" % r.choice(['"5"', '"-3"', '"0"', '"x"', "5", '"007"', '"1e3"', '" 2"'])
            if self.chance(.3):
                t += "    helm.sh/hook-delete-policy: %s\n" % r.choice(["hook-succeeded", "before-hook-creation,hook-failed", "nope", '""'])
            if self.chance(.1):
                t += "    helm.sh/hook-output-log-policy: %s\n" % r.choice(["hook-failed", "hook-succeeded"])
        elif self.chance(.2):
            t += "  annotations:\n    %s\n" % r.choice(["helm.sh/resource-policy: keep", "a: b", "x: {{ .Values.a | quote }}", "n: 1"])
        t += "data:\n"
        for at in range(r.choice([1, 1, 2, 3])):
            t += "  k%d: %s\n" % (at, r.choice(["{{ .Values.%s | toJson }}" % r.choice(NAMES), "{{ .Values | toJson | quote }}", "{{ .Values.global | toJson }}", "{{ .Chart.Name }}", "{{ .Chart.IsRoot }}-{{ .Template.BasePath }}", "{{ include \"t0\" .Values.a | quote }}", "{{ tpl \"{{ .Chart.Name }}\" . }}",
                                                "{{- toYaml .Values | nindent 4 }}", "{{ default \"d\" .Values.a }}", self.odd("{{ .Values.a.b.c }}", "{{ ((.Values.a | default dict | toJson) | fromJson).b }}"), "{{ .Files.Get \"f.txt\" | quote }}", "{{ (.Files.Glob \"conf/*\").AsConfig | nindent 4 }}", "{{ .Subcharts | keys | sortAlpha | join \",\" | quote }}", "{{ .Capabilities.KubeVersion.Minor }}", "{{ .Release.IsUpgrade }}",
                                                "{{ hasKey .Values \"%s\" }}" % r.choice(NAMES), "{{ range $k, $v := .Values }}{{ $k }};{{ end }}", "{{ .Chart.AppVersion | default \"none\" }}", "{{ .Capabilities.APIVersions.Has \"x/v1\" }}", self.odd("{{ required \"need a\" .Values.a | toJson }}", "{{ .Values.a | default .Values.b | toJson }}"), self.odd("{{ dig \"a\" \"b\" \"none\" (.Values | merge (dict)) | toJson }}", "{{ dig \"zz\" \"b\" \"none\" (.Values | merge (dict)) | toJson }}"),
                                                "{{ .Values.sub | toJson }}", "{{ $.Chart.Version }}", "{{ kindOf .Values.%s }}" % r.choice(NAMES), "{{ .Chart.Dependencies | len }}", "{{ range .Chart.Dependencies }}{{ .Name }}={{ .Enabled }};{{ end }}", self.odd("{{ (index .Values \"sub\").a | toJson }}", "{{ index .Values \"sub\" | toJson }}"), "{{ lookup \"v1\" \"Pod\" \"\" \"\" | toJson }}", "{{ .Release.Namespace }}/{{ .Release.Service }}"]))
        if self.chance(.03):
            t += self.alone(0).replace("---", "")
        return t

    def template(self):
        r = self.r
        joined = r.choice(["---\n", "\n---\n", "--- \n", "---\n# c\n", "---\n---\n", "\n--- # c\n"]).join(self.manifest() for _ in range(r.choice([1, 1, 1, 2, 3])))
        if self.chance(.2):
            joined = "{{- if %s }}\n%s{{- end }}\n" % (r.choice([".Values.enabled", ".Values.a", ".Values.sub", ".Values.global", "true", "not .Values.b"]), joined)
        return r.choice(["", "", "---\n", "# head\n", "\n"]) + joined

    def metadata(self, name, kinds=()):
        r = self.r
        t = "apiVersion: %s\nname: %s\nversion: %s\n" % (r.choice(["v2"] * 9 + ["v1", "v3"][:1]), name, r.choice(VERSIONS))
        for chance, line in [(.3, "appVersion: %s" % r.choice(['"1.0"', "1.0", "1", "v2", '""', "1.10"])), (.1, "kubeVersion: %s" % self.odd(r.choice(['"<1.10"', '"x"', '"1"']), r.choice(['">=1.20.0-0"', '">=1.31"', '""', '">1.2.x"', '"*"']))), (.1, "type: %s" % self.odd("library", r.choice(["application", "application", '""']))), (.05, "deprecated: true"), (.1, "description: d"), (.05, "keywords: [a]"),
                             (.05, "annotations: {a: b}"), (.03, "unknown: field"), (.05, "maintainers: [{name: n, email: e}]"), (.004, "type: nope"), (.004, "icon: [x]"), (.05, "home: h\nsources: [s]")]:
            if self.chance(chance):
                t += line + "\n"
        return t

    def dependency(self, name):
        r = self.r
        t = "- name: %s\n  version: %s\n" % (name, json.dumps(r.choice(RANGES[:7]) if self.chance(.8) else r.choice(RANGES)))
        for chance, line in [(.4, "repository: %s" % r.choice(["https://x.y/z", "file://../x", '""', "oci://r/x"])), (.4, "condition: %s" % json.dumps(r.choice(CONDITIONS))), (.2, "tags: [%s]" % r.choice(["front", "back", "front, back"])), (.25, "alias: %s" % self.alias()),
                             (.25, "import-values: %s" % r.choice(["[data]", "[data, a]", "[{child: exports.data, parent: b}]", "[{child: nested, parent: .}]", "[{child: a, parent: a.b}]", "[nope]", "[{child: global, parent: global}]", "[{child: nested.data, parent: c}, exports]", "[1]"])), (.03, "enabled: false")]:
            if self.chance(chance):
                t += "  %s\n" % line
        return t

    def alias(self):
        """A name for a dependency that no other has, most of the time."""
        known = [name for name in ["alias", "other", "a-b", "third", "fourth", "fifth"] if name not in self.aliases]
        name = self.odd("sub2", known[0]) if known else "last"
        self.aliases.append(name)
        return name

    def into(self, files, prefix, name, depth):
        """Writes a chart below prefix."""
        r = self.r
        text = self.metadata(name)
        known = [n for n in ("sub", "sub2", "lib") if self.chance(.5)] if depth < 2 else []
        if known and self.chance(.75):
            named = [n for n in known if self.chance(.9)] + (["missing"] if self.chance(.01) else [])
            if named and self.chance(.1):
                named.append(self.odd(r.choice(named), named[0] if len(named) > 1 else named[-1]))
            self.aliases = []
            if named:
                text += "dependencies:\n" + "".join(self.dependency(n) for n in named)
        files[prefix + "Chart.yaml"] = text
        for n in known:
            self.into(files, "%scharts/%s/" % (prefix, n if self.chance(.95) else n + "-1"), n, depth + 1)
            if n == "lib" and self.chance(.7):
                files[prefix + "charts/lib/Chart.yaml"] = "apiVersion: v2\nname: lib\nversion: 0.1.0\ntype: library\n"
        if self.chance(.9):
            files[prefix + "values.yaml"] = self.values()
        if self.chance(.08):
            files[prefix + "values.schema.json"] = json.dumps(r.choice(SCHEMAS)) if self.chance(.8) else json.dumps({"properties": {"a": {"format": r.choice(FORMATS["format"])}, "global": {"type": "object"}}})
        files[prefix + "templates/_h.tpl"] = "{{ define \"t0\" }}[{{ . }}]{{ end }}{{ define \"%s.n\" }}%s{{ end }}" % (name, name)
        for at in range(r.choice([1, 1, 2])):
            files[prefix + "templates/%s" % r.choice(["a.yaml", "b.yaml", "tests/t.yaml", "z/y.yaml", "A.yaml", "x.yml", "x.json", "plain.txt", "_p.yaml", "NOTES.txt", "z/NOTES.txt"] if self.chance(.5) else ["a.yaml", "b.yaml"])] = self.template()
        if self.chance(.15):
            files[prefix + "f.txt"] = r.choice(grammar.TEXTS)
            files[prefix + "conf/x.ini"] = "a=1\n"
            files[prefix + "conf/.y"] = "b\n"
        if self.chance(.1):
            files[prefix + "crds/crd.yaml"] = r.choice(["", "---\n"]) + "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: x.%s\n" % name + r.choice(["", "---\nkind: CustomResourceDefinition\nmetadata: {name: second}\n"])
        if self.chance(.08):
            files[prefix + ".helmignore"] = r.choice(["*.txt\n", "conf/\n", "templates/b.yaml\n", "# c\n\n!f.txt\n*.txt\n", "/templates/a.yaml\n", "charts/sub2\n", self.odd("**/x\n", "x*\n"), self.odd("a[\n", "?.txt\n"), "templates/*.yml\n", "*\n!templates\n"])
        if self.chance(.03):
            files[prefix + r.choice(["requirements.yaml", "Chart.lock", "values.yml", "README.md", "templates/.hidden", "charts/README.md", "charts/_x/Chart.yaml", "charts/.ignored/Chart.yaml", "LICENSE", "extra/values.yaml"])] = r.choice(["dependencies: []\n", "x\n", "name: y\n"])

    def whole(self):
        """A case: files, values, flags."""
        r, files = self.r, {}
        self.into(files, "", "c", 0)
        case = {"whole": True, "files": files}
        if self.chance(.6):
            case["values"] = [self.values() for _ in range(r.choice([1, 1, 2]))]
        if self.chance(.25):
            for name in ["set", "set-string", "set-json"]:
                if self.chance(.4):
                    pool = grammar.SETJSON if name == "set-json" else ["sub.enabled=true", "sub.a=null", "global.a=1", "a=null", "tags.front=false", "tags.back=true", "alias.enabled=false", "sub.global.x=1", "sub=null", "nested.a=1,nested.b=2", "list[0]=x", "sub.list={a,b}", "sub2.enabled=false"] + grammar.SETS[:12]
                    case[name] = [r.choice(pool) for _ in range(r.choice([1, 2]))]
        flags = [flag for flag in ["--include-crds", "--no-hooks", "--is-upgrade", "--kube-version=1.29.3", "--api-versions=x/v1"] if self.chance(.1)]
        if flags:
            case["flags"] = flags
        return case
