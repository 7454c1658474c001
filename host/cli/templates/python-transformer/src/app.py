"""A transformer: labels every object with the team that the configuration names."""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports.bulkhead_base_types import Diagnostic, Severity
from wit_world.imports.bulkhead_renderer_types import Document, Error_Invalid, Output


class Transform(exports.Transform):
    def transform(self, req):
        team = json.loads(req.config).get("team")
        if not team:
            raise Err(Error_Invalid([missing()]))
        documents = []
        for document in req.documents:
            made = json.loads(document.text)
            made["metadata"].setdefault("labels", {})["team"] = team
            documents.append(Document(json.dumps(made), document.origin))
        return Output(documents, [], [])


def missing():
    return Diagnostic(
        severity=Severity.ERROR,
        code="TeamMissing",
        message="the configuration names no team",
        at=None,
        object=None,
        help="set `team` in the configuration",
    )
