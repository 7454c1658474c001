"""A renderer: every template of Jinja in the directory, `*.j2`, makes manifests. Those whose name
begins with `_` are there for others to include and import.

This module speaks to the host; `templates.py` is about Jinja alone.
"""

import json

from componentize_py_types import Err
from templates import Problem, Templates, merged, values_of
from wit_world import exports
from wit_world.imports import tree
from wit_world.imports.bulkhead_base_types import Diagnostic, Location, Severity
from wit_world.imports.bulkhead_renderer_types import Document, Error_Invalid, Output


class Render(exports.Render):
    def render(self, source, req):
        try:
            return Output(documents(source, req), [], [])
        except Problem as problem:
            raise Err(Error_Invalid([diagnostic(problem)])) from None


def documents(source, req):
    config = json.loads(req.config)
    folder = f"{req.path}/" if req.path else ""  # The root has an empty path.

    def read(path):
        try:
            return source.read(path).decode()
        except UnicodeDecodeError:
            raise Problem("NotText", "it is not UTF-8", path) from None
        except Err as error:
            if isinstance(error.value, (tree.Error_NotFound, tree.Error_InvalidPath)):
                return None
            raise Problem("ReadFailed", f"failed to read it: {error.value}", path) from None

    target = req.target
    context = {
        "values": values(config, folder, read),
        "inputs": {name: content.decode(errors="replace") for name, content in req.inputs},
        "target": {"name": target.name, "namespace": target.namespace, "kube_version": target.kube_version},
    }
    templates = Templates(read, req.path, context)
    paths = [entry.path for entry in source.glob(f"{folder}**/*.j2")]
    made = []
    for path in paths:
        if path.rsplit("/", 1)[-1].startswith("_"):
            continue
        text = templates.render(path)
        if text.strip():
            made.append(Document(text, Location(path, None, None)))
    if not paths:
        raise Problem("NoTemplates", f"there is no template in `{req.path or '.'}`", help="name one `*.j2`")
    return made


def values(config, folder, read):
    """The values of the files, and over them those of the configuration."""
    values = {}
    for name in config.get("valuesFiles", ["values.yaml"]):
        text = read(folder + name)
        if text is None and "valuesFiles" in config:
            raise Problem("ValuesMissing", f"there is no `{folder}{name}`", help="`valuesFiles` names it")
        values = merged(values, values_of(text or "", folder + name))
    return merged(values, config.get("values", {}))


def diagnostic(problem):
    return Diagnostic(
        severity=Severity.ERROR,
        code=problem.code,
        message=problem.message,
        at=Location(problem.path, problem.line, None) if problem.path else None,
        object=None,
        help=problem.help,
    )
