"""A renderer: returns every .yaml file of the directory, with ${environment} replaced by what the
configuration says."""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports.bulkhead_base_types import Diagnostic, Location, Severity
from wit_world.imports.bulkhead_renderer_types import Document, Error_Invalid, Output

PLACEHOLDER = "${environment}"


class Render(exports.Render):
    def render(self, source, req):
        # The tree is borrowed; componentize-py gives it back when the call returns.
        return render(source, req)


def render(source, req):
    environment = json.loads(req.config).get("environment")
    documents = []
    # The root has an empty path.
    folder = req.path and f"{req.path}/"
    for entry in source.glob(f"{folder}*.yaml"):
        text = source.read(entry.path).decode()
        at = text.find(PLACEHOLDER)
        if at >= 0 and not environment:
            raise Err(Error_Invalid([missing(entry.path, text.count("\n", 0, at) + 1)]))
        text = text.replace(PLACEHOLDER, environment or "")
        documents.append(Document(text, Location(entry.path, None, None)))
    return Output(documents, [], [])


def missing(path, line):
    return Diagnostic(
        severity=Severity.ERROR,
        code="EnvironmentMissing",
        message=f"`{path}` needs an environment, and the configuration names none",
        at=Location(path, line, None),
        object=None,
        help="set `environment` in the configuration",
    )
