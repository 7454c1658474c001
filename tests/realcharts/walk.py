"""Takes real charts through the life of a release, with `helm` as the witness of each step.

walk.py BULKHEAD CLUSTER CHARTS [CHART...]. Each chart is installed by a HelmRelease, upgraded by other
values and by another version, made to fail, which is rolled back; then `helm` rolls back and upgrades,
and the controller takes the release over again; half of them `helm` uninstalls, and the controller
brings them back; at the end the object is deleted, and nothing may be left. A third of the releases are
`helm`'s from the start. Ends with `N passed, M failed`, and 1 where any did.
"""

import base64
import json
import lzma
import os
import queue
import sys
import threading
import time

import yaml

from world import World

# Charts that do not render without values.
VALUES = {"prometheus-postgres-exporter": {"config": {"datasource": {"password": "secret"}}}}
SOURCE = "/apis/source.toolkit.fluxcd.io/v1/namespaces/default/helmrepositories"
RELEASES = "/apis/helm.toolkit.fluxcd.io/v2/namespaces/{}/helmreleases"
# An image that the API server refuses.
REFUSED = [{"kustomize": {"patches": [
    {"target": {"kind": kind}, "patch": "- {op: replace, path: /spec/template/spec/containers/0/image, value: ''}"}
    for kind in ("Deployment", "StatefulSet", "DaemonSet")
]}}]
GOOD = ("InstallSucceeded", "UpgradeSucceeded", "TestSucceeded")


def pack(world, charts, only):
    """Packs each chart in its version and the next; returns their names and versions."""
    found = []
    for line in lzma.open(charts, "rt", encoding="utf-8"):
        case = json.loads(line)
        about = yaml.safe_load(case["files"]["Chart.yaml"])
        name, version = about["name"], about["version"]
        if only and name not in only:
            continue
        for file, text in case["files"].items():
            path = f"{world.folder}/src/{name}/{file}"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as out:
                packed = file in (case.get("base64") or [])
                out.write(base64.b64decode(text) if packed else text.encode())
        major, minor, patch = version.split(".")
        after = f"{major}.{minor}.{int(patch) + 1}"
        for one in (version, after):
            world.helm("package", f"{world.folder}/src/{name}", "--version", one, "-d", world.charts)
        found.append((name, version, after))
    world.helm("repo", "index", world.charts)
    return found


class Walk:
    """One chart."""

    def __init__(self, world, index, chart):
        self.world, self.api, self.index = world, world.api, index
        self.chart, self.old, self.new = chart
        self.namespace, self.name = f"c-{self.chart}"[:60], f"r{index:02}"
        self.path = f"{RELEASES.format(self.namespace)}/app"
        self.values = VALUES.get(self.chart, {})
        self.version = 0

    def helm(self, action, *arguments, given=None):
        return self.world.helm(action, *arguments, "-n", self.namespace, given=given)

    def archive(self, version):
        return f"{self.world.charts}/{self.chart}-{version}.tgz"

    def change(self, **spec):
        self.api.merge(self.path, {"spec": spec})

    def settled(self, step, is_it, good=GOOD):
        """Waits until the controller is done and `is_it`, then has `helm` look."""
        limit = time.time() + 240
        while True:
            found = self.api.get(self.path)
            status = found.get("status", {})
            conditions = {one["type"]: one for one in status.get("conditions", [])}
            ready = conditions.get("Ready", {"status": "Unknown"})
            is_current = status.get("observedGeneration") == found["metadata"]["generation"]
            if is_current and ready["status"] != "Unknown" and status.get("history") and is_it(status["history"]):
                break
            if time.time() > limit:
                raise RuntimeError(f"{step}: {json.dumps(ready)[:900]}")
            time.sleep(0.4)
        if ready["reason"] not in good:
            raise RuntimeError(f"{step}: {ready['reason']}: {ready['message'][:600]}")
        self.witness(step)

    def went_on(self, step, good=GOOD, by=1):
        self.version += by
        self.settled(step, lambda history: history[0]["version"] == self.version, good)

    def witness(self, step):
        """Reads the release by `helm`, and finds the objects of its manifest in the cluster."""
        mine = [one for one in json.loads(self.world.helm("list", "-A", "-o", "json"))
                if (one["name"], one["namespace"]) == (self.name, self.namespace)]
        seen = [(one["revision"], one["status"]) for one in mine]
        if seen != [(str(self.version), "deployed")]:
            raise RuntimeError(f"{step}: helm list says {seen}, not version {self.version}")
        history = json.loads(self.helm("history", self.name, "-o", "json"))
        if (history[-1]["revision"], history[-1]["status"]) != (self.version, "deployed"):
            raise RuntimeError(f"{step}: helm history says {history[-1]}")
        for what in ("all", "values", "hooks", "metadata"):
            self.helm("get", what, self.name)
        lacking = [path for path in self.paths() if self.api.get(path) is None]
        if lacking:
            raise RuntimeError(f"{step}: helm names what is not there: {lacking}")

    def paths(self):
        objects = yaml.load_all(self.helm("get", "manifest", self.name), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        objects = [one for one in objects if one]
        items = [item for one in objects for item in one.get("items", [one])]
        return [self.api.path(item, self.namespace) for item in items]

    def run(self):
        self.api.ask("POST", "/api/v1/namespaces", {"metadata": {"name": self.namespace}})
        given = json.dumps(self.values)
        if self.index % 3 == 2:
            self.helm("install", self.name, self.archive(self.old), "-f", "-", "--wait", given=given)
            self.version = 1
        reference = {"kind": "HelmRepository", "name": "charts", "namespace": "default"}
        self.api.ask("POST", RELEASES.format(self.namespace), {
            "apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": {"name": "app"},
            "spec": {
                "interval": "1h", "timeout": "2m", "releaseName": self.name, "values": self.values,
                "chart": {"spec": {"chart": self.chart, "version": self.old, "sourceRef": reference}},
                "test": {"enable": True},
                "upgrade": {"remediation": {"retries": 0, "remediateLastFailure": True}},
            }})
        self.went_on("install")
        self.change(values={"podAnnotations": {"walk": "two"}})
        self.went_on("values")
        self.change(chart={"spec": {"version": self.new}})
        self.went_on("version")
        self.change(postRenderers=REFUSED)
        self.went_on("failure", ("RollbackSucceeded",), by=2)
        self.by_helm(given)
        self.change(suspend=False, postRenderers=None)
        self.went_on("taken over again")
        if self.index % 2:
            self.change(suspend=True)
            self.helm("uninstall", self.name, "--wait")
            self.version = 0
            self.change(suspend=False)
            self.went_on("installed again")
        self.remove()

    def by_helm(self, given):
        """`helm` rolls back and upgrades."""
        self.change(suspend=True)
        force = ("--force-conflicts", "--wait", "--timeout", "2m")
        self.helm("rollback", self.name, str(self.version - 3), *force)
        self.version += 1
        self.witness("helm rollback")
        self.helm("upgrade", self.name, self.archive(self.new), "-f", "-", *force, given=given)
        self.version += 1
        self.witness("helm upgrade")

    def remove(self):
        paths = self.paths()
        self.api.ask("DELETE", self.path)
        limit = time.time() + 120
        while self.api.get(self.path):
            if time.time() > limit:
                raise RuntimeError("uninstall: the object stays")
            time.sleep(0.3)
        left = [path for path in paths if self.api.get(path)]
        records = self.api.get(f"/api/v1/namespaces/{self.namespace}/secrets?labelSelector=owner%3Dhelm")
        left += [one["metadata"]["name"] for one in records["items"]]
        if left:
            raise RuntimeError(f"uninstall: left behind: {left}")


def work(world, charts, counts):
    while True:
        try:
            index, chart = charts.get_nowait()
        except queue.Empty:
            return
        started = time.time()
        try:
            Walk(world, index, chart).run()
            counts["passed"] += 1
            told = f"ok  {time.time() - started:.0f} s"
        except Exception as error:  # pylint: disable=broad-except
            counts["failed"] += 1
            told = f"FAILED  {error}"
        print(f"{chart[0]:44} {told}", flush=True)


def main():
    bulkhead, cluster, charts, *only = sys.argv[1:]
    world, counts = World(bulkhead, cluster), {"passed": 0, "failed": 0}
    try:
        found = queue.Queue()
        for numbered in enumerate(pack(world, charts, only)):
            found.put(numbered)
        world.api.ask("POST", SOURCE, {
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "HelmRepository",
            "metadata": {"name": "charts"}, "spec": {"interval": "1h", "url": world.url}})
        workers = [threading.Thread(target=work, args=(world, found, counts)) for _ in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    finally:
        world.close()
    print(f"{counts['passed']} passed, {counts['failed']} failed")
    sys.exit(counts["failed"] > 0)


if __name__ == "__main__":
    main()
