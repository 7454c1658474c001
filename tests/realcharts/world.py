"""A cluster with the controllers in it, a repository of charts, and the `helm` command."""

import base64
import http.server
import json
import os
import shutil
import signal
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

import yaml

HELM = os.environ.get("HELM", "helm")
# What the charts of Prometheus make objects of, and do not bring themselves.
MONITORING = {
    "Alertmanager": "alertmanagers", "PodMonitor": "podmonitors", "Probe": "probes",
    "Prometheus": "prometheuses", "PrometheusRule": "prometheusrules",
    "ServiceMonitor": "servicemonitors", "ThanosRuler": "thanosrulers",
}
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


class Api:
    """Talks to the API server of a kubeconfig with a token."""

    def __init__(self, kubeconfig):
        with open(kubeconfig, encoding="utf-8") as file:
            config = yaml.safe_load(file)
        cluster = config["clusters"][0]["cluster"]
        authority = ssl.create_default_context()
        authority.load_verify_locations(
            cadata=base64.b64decode(cluster["certificate-authority-data"]).decode()
        )
        self.url, self.authority = cluster["server"], authority
        self.token = config["users"][0]["user"]["token"]
        self.served = {}

    def ask(self, method, path, body=None, kind="application/json"):
        """Returns the answer; None where there is no such object."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": kind}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, context=self.authority, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise RuntimeError(f"{method} {path}: {error.read().decode()[:600]}") from error

    def get(self, path):
        return self.ask("GET", path)

    def merge(self, path, body):
        return self.ask("PATCH", path, body, "application/merge-patch+json")

    def path(self, item, namespace):
        """Returns the path of an object of a manifest."""
        version = item["apiVersion"]
        group = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if (version, item["kind"]) not in self.served:
            for one in (self.get(group) or {"resources": []})["resources"]:
                if "/" not in one["name"]:
                    self.served[version, one["kind"]] = (one["name"], one["namespaced"])
        plural, namespaced = self.served[version, item["kind"]]
        namespace = item["metadata"].get("namespace", namespace)
        within = f"/namespaces/{namespace}" if namespaced else ""
        return f"{group}{within}/{plural}/{item['metadata']['name']}"


class World:
    """Starts everything; ends it by `close`."""

    def __init__(self, bulkhead, cluster):
        self.folder = tempfile.mkdtemp(prefix="bulkhead-charts-")
        self.charts = os.path.join(self.folder, "charts")
        os.mkdir(self.charts)
        self.programs = []
        out = self.start([cluster], "cluster", subprocess.PIPE)
        line = out.stdout.readline().decode()
        self.kubeconfig = line.strip().split("=", 1)[1]
        self.api = Api(self.kubeconfig)
        self.define(bulkhead)
        serve = lambda *a: Quiet(*a, directory=self.charts)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=self.play, daemon=True).start()
        self.start(
            [bulkhead, "run", f"--kubeconfig={self.kubeconfig}", "--allow-private-networks",
             f"--storage-path={self.folder}/data", "--storage-addr=127.0.0.1:0",
             "--health-addr=127.0.0.1:0", "--metrics-addr=127.0.0.1:0"], "bulkhead")

    def start(self, command, name, stdout=None):
        with open(f"{self.folder}/{name}.log", "wb") as log:
            program = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout or log, stderr=log)
        self.programs.append(program)
        return program

    def define(self, bulkhead):
        """Installs the custom resources."""
        export = subprocess.run([bulkhead, "install", "--export", "--output=json"],
                                capture_output=True, text=True, check=True).stdout
        objects = [json.loads(line) for line in export.splitlines() if line]
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        for kind, plural in MONITORING.items():
            version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
            spec = {"group": "monitoring.coreos.com", "scope": "Namespaced", "versions": [version],
                    "names": {"kind": kind, "plural": plural}}
            metadata = {"name": f"{plural}.monitoring.coreos.com"}
            objects.append({"kind": "CustomResourceDefinition", "metadata": metadata, "spec": spec})
        for item in objects:
            if item["kind"] == "CustomResourceDefinition":
                item["apiVersion"] = "apiextensions.k8s.io/v1"
                self.api.ask("POST", CRDS, item)
        while not all(is_established(item) for item in self.api.get(CRDS)["items"]):
            time.sleep(0.1)

    def play(self):
        """Does what neither kwok nor the controller manager does: tests end, claims are bound."""
        while True:
            try:
                self.end_tests()
                self.bind_claims()
            except (RuntimeError, OSError):
                pass
            time.sleep(0.4)

    def end_tests(self):
        for pod in self.api.get("/api/v1/pods")["items"]:
            metadata, status = pod["metadata"], pod.get("status", {})
            hook = (metadata.get("annotations") or {}).get("helm.sh/hook", "")
            if hook.startswith("test") and status.get("phase") == "Running":
                path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/status"
                self.api.merge(path, {"status": {"phase": "Succeeded"}})

    def bind_claims(self):
        for claim in self.api.get("/api/v1/persistentvolumeclaims")["items"]:
            metadata, spec = claim["metadata"], claim["spec"]
            if claim["status"].get("phase") != "Pending" or spec.get("volumeName"):
                continue
            reference = {key: metadata[key] for key in ("namespace", "name", "uid")}
            name = f"pv-{metadata['uid']}"
            if self.api.get(f"/api/v1/persistentvolumes/{name}"):
                continue
            self.api.ask("POST", "/api/v1/persistentvolumes", {
                "metadata": {"name": name},
                "spec": {
                    "capacity": {"storage": spec["resources"]["requests"]["storage"]},
                    "accessModes": spec["accessModes"], "hostPath": {"path": "/nowhere"},
                    "storageClassName": spec.get("storageClassName") or "", "claimRef": reference,
                },
            })

    def helm(self, *arguments, given=None):
        command = [HELM, *arguments, f"--kubeconfig={self.kubeconfig}"]
        done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            raise RuntimeError(f"helm {' '.join(arguments)}: {done.stderr[-600:]}")
        return done.stdout

    def close(self):
        for program in reversed(self.programs):
            program.send_signal(signal.SIGINT)
            try:
                program.wait(30)
            except subprocess.TimeoutExpired:
                program.kill()
        shutil.rmtree(self.folder)


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves the charts, and says nothing."""

    def log_message(self, *_):
        pass


def is_established(definition):
    conditions = definition.get("status", {}).get("conditions", [])
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)
