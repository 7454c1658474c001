"""Makes up trees of kustomizations: bases, components and overlays with every field in odd combinations."""
import json, re

from extras import Extras
from objects import NAMES, indent


class Maker(Extras):
    """Makes whole trees; what is random comes from one source."""

    def patch(self, objects, folder="top"):
        """A strategic-merge patch for one of the objects, or a JSON patch."""
        r = self.r
        if r.random() < .4:
            is_merge = r.random() < .6
            text = "---\n".join(self.merge_patch(objects) for _ in range(r.choice([1, 1, 1, 2]))) if is_merge else self.operations()
            if r.random() < .4:
                name = "patch%d.yaml" % r.randrange(100)
                entry = "- path: %s\n" % self.name_file(folder, name, self.restyled(text) if r.random() < .2 else text)
            else:
                entry = "- patch: |-\n" + indent(text.rstrip("\n") + "\n", 4)
            if not is_merge or (r.random() < .3 and "---" not in text):
                entry += "  target:\n" + self.selector(objects, 4)
            if r.random() < .15:
                entry += "  options:\n    %s: true\n" % r.choice(["allowNameChange", "allowKindChange"])
            return entry
        target = r.choice(objects) if objects else self.object()
        head = re.match(r"(apiVersion: .*\nkind: (.*)\nmetadata:\n  name: (.*)\n)(  namespace: .*\n)?", target)
        if r.random() < .3:
            ops = [r.choice([{"op": "add", "path": "/metadata/labels", "value": {"j": "1"}}, {"op": "replace", "path": "/metadata/name", "value": "new"},
                             {"op": "add", "path": "/spec/x", "value": r.choice([1, "1", 1234567, 1.5, True, None, [1], {"a": "yes"}])},
                             {"op": "add", "path": "/metadata/annotations", "value": {"k": "v"}}, {"op": "add", "path": "/metadata/" + self.rare("labels/z~1y", "z~1y"), "value": "2"},
                             {"op": "copy", "from": "/metadata/name", "path": "/copied"}, {"op": "remove", "path": self.rare("/spec/replicas", "/metadata/name")},
                             {"op": "add", "path": "/top", "value": {"b": "1", "a": [1e21, 1234567, "x\ny", "yes", None, {}]}},
                             {"op": "add", "path": self.rare("/spec/template/spec/containers/0/args", "/args"), "value": ["z"]},
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

    def kustomization(self, resources, objects, component=False, folder="top"):
        r = self.r
        self.folder = folder
        t = "kind: Component\napiVersion: kustomize.config.k8s.io/v1alpha1\n" if component else r.choice(["", "kind: Kustomization\napiVersion: kustomize.config.k8s.io/v1beta1\n"])
        if resources:
            t += "resources:\n" + "".join("- %s\n" % p for p in resources)
        chance = lambda p: self.chance(p * self.wild)
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
                t += generator + ":\n" + "".join(self.generator(generator) for _ in range(r.choice([1, 1, 2])))
        if chance(.1):
            t += "generatorOptions:\n" + indent(self.generator_options() or "immutable: true\n", 2)
        if objects and chance(.5):
            t += "patches:\n" + "".join(self.patch(objects, folder) for _ in range(r.randint(1, 2)))
        if objects and chance(.25):
            t += "replacements:\n" + "".join(self.replacement(objects) for _ in range(r.choice([1, 1, 2])))
        if chance(.05):
            t += self.vars(objects)
        if chance(.5):
            t += self.extras(objects, folder)
        if chance(.1):
            t += "buildMetadata: [%s]\n" % ", ".join(r.sample(["originAnnotations", "transformerAnnotations", "managedByLabel"], r.randint(1, 3)))
        if chance(.1):
            t += "sortOptions:\n  order: %s\n" % r.choice(["legacy", "fifo"])
        return t

    def tree(self):
        """Files, the folder to build, and flags."""
        r = self.r
        # Few fields at once: most trees that have many are errors.
        self.wild = r.choice([.3, .3, .5, 1])
        self.files, self.generated, roots, every = {}, [], [], []
        for b in range(r.choice([1, 1, 2])):
            folder = "base%d" % b
            objects = self.many()
            every += objects
            names = []
            if self.chance(.2):
                half = len(objects) // 2
                for name, part in [("one.yaml", objects[:half]), ("two.yml", objects[half:])]:
                    if part:
                        self.files["%s/%s" % (folder, name)] = "---\n".join(part)
                        names.append(name)
            else:
                self.files[folder + "/all.yaml"] = r.choice(["---\n", "# c\n---\n", "---\n---\n"]).join(objects)
                names.append("all.yaml")
            if self.chance(.1):
                self.files[folder + "/j.json"] = self.json_object()
                names.append("j.json")
            text = self.kustomization(names, objects, folder=folder)
            if self.chance(.15):
                self.files["%s-part/kustomization.yaml" % folder] = self.kustomization([], objects, True, folder + "-part")
                text += "components:\n- ../%s-part\n" % folder
            self.files[folder + r.choice(["/kustomization.yaml"] * 8 + ["/kustomization.yml", "/Kustomization"])] = text
            roots.append("../" + folder)
        if self.chance(.1):
            self.files["mid/kustomization.yaml"] = self.kustomization(roots, every, folder="mid")
            roots = ["../mid"]
        if self.chance(.1):
            extra = self.many()
            self.files["top/own.yaml"] = "---\n".join(extra)
            every, roots = every + extra, r.choice([roots + ["own.yaml"], ["own.yaml"] + roots])
        text = self.kustomization(roots, every)
        if self.chance(.3):
            self.files["comp/kustomization.yaml"] = self.kustomization([], every, True, "comp") + r.choice(["", "nameSuffix: -c\n"])
            text += "components:\n- ../comp\n"
        self.files["top/kustomization.yaml"] = text
        if self.chance(.35):
            for _ in range(r.randint(1, 2)):
                path = r.choice(sorted(self.files))
                if path.endswith((".yaml", ".yml")):
                    self.files[path] = self.restyled(self.files[path])
        flags = []
        if self.chance(.2):
            flags.append("--reorder=" + r.choice(["none", "legacy"]))
        if self.chance(.1):
            flags.append("--load-restrictor=LoadRestrictionsNone")
        return self.files, "top", flags
