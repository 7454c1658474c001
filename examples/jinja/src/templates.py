"""Templates of Jinja over files that a function reads. Knows nothing of Bulkhead."""

import base64
import hashlib
import json
import posixpath
import traceback
from dataclasses import dataclass
from typing import Any, Callable

import yaml
from jinja2 import BaseLoader, StrictUndefined, TemplateError, TemplateNotFound, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment, SecurityError

# Reads a file of the source; None where nothing is.
Read = Callable[[str], str | None]


@dataclass
class Problem(Exception):
    """What the user has to mend, and where."""

    code: str
    message: str
    path: str | None = None
    line: int | None = None
    help: str | None = None


class Loader(BaseLoader):
    """Finds what a template includes or imports: below the directory, then from the root."""

    def __init__(self, read: Read, directory: str):
        self.read = read
        self.folders = [directory, ""] if directory else [""]

    def get_source(self, environment, template):
        for folder in self.folders:
            path = posixpath.normpath(posixpath.join(folder, template))
            text = self.read(path)
            if text is not None:
                return text, path, lambda: True
        raise TemplateNotFound(template)


class Missing(StrictUndefined):
    """What is not there: an error wherever it is used, in words for the author of the template."""

    @property
    def _undefined_message(self):
        if self._undefined_hint:
            return self._undefined_hint
        return f"there is no `{self._undefined_name}`, and nothing says what stands for it"


class Templates:
    """Renders templates of one directory with one set of values."""

    def __init__(self, read: Read, directory: str, context: dict[str, Any]):
        self.context = context
        self.environment = ImmutableSandboxedEnvironment(
            loader=Loader(read, directory),
            undefined=Missing,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        # The same in has to give the same out.
        del self.environment.filters["random"]
        del self.environment.globals["lipsum"]
        self.environment.filters.update(FILTERS)

    def render(self, path: str) -> str:
        """Renders one template, named from the root of the source."""
        try:
            # The root's loader: the path is whole already.
            return self.environment.get_template(path).render(self.context)
        except TemplateSyntaxError as error:
            raise Problem("TemplateInvalid", error.message, error.filename or path, error.lineno) from error
        except TemplateNotFound as error:
            at, line = place(error, path)
            help = "templates are named from the directory, or from the root of the source"
            raise Problem("TemplateMissing", f"there is no template `{error.name}`", at, line, help) from error
        except SecurityError as error:
            at, line = place(error, path)
            raise Problem("TemplateUnsafe", str(error), at, line) from error
        except (TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            at, line = place(error, path)
            message = getattr(error, "message", None) or str(error)
            raise Problem("TemplateFailed", message.removesuffix("."), at, line) from error


def place(error: Exception, path: str) -> tuple[str, int | None]:
    """Finds the innermost line of a template: Jinja puts them into the trace as if they were code."""
    walked = traceback.walk_tb(error.__traceback__)  # Other ways read the files, which are not there.
    lines = [(frame.f_code.co_filename, line) for frame, line in walked]
    lines = [(file, line) for file, line in lines if file.endswith(".j2")]
    return lines[-1] if lines else (path, None)


def merged(under: Any, over: Any) -> Any:
    """Lays values over values: mappings are joined, all else is replaced."""
    if isinstance(under, dict) and isinstance(over, dict):
        return {**under, **{key: merged(under.get(key), value) for key, value in over.items()}}
    return over


def values_of(text: str, path: str) -> dict[str, Any]:
    """Reads a file of values."""
    try:
        values = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise Problem("ValuesInvalid", error.problem or "it is not valid YAML", path, line) from error
    except yaml.YAMLError as error:
        raise Problem("ValuesInvalid", str(error), path) from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise Problem("ValuesInvalid", "values have to be a mapping", path)
    return values


def to_yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, default_flow_style=False).removesuffix("...\n").rstrip("\n")


FILTERS = {
    "to_yaml": to_yaml,
    "from_yaml": yaml.safe_load,
    "to_json": lambda value: json.dumps(value, separators=(",", ":")),
    "from_json": json.loads,
    "b64encode": lambda text: base64.b64encode(text.encode()).decode(),
    "b64decode": lambda text: base64.b64decode(text).decode(),
    "sha256": lambda text: hashlib.sha256(text.encode()).hexdigest(),
    "quote": json.dumps,
}


def warm_up() -> None:
    """Uses everything once. A plugin has no files, and so imports nothing when it runs: what Python
    and Jinja import late has to be there when the plugin is built."""
    files = {"a.j2": "{% include 'b.j2' %}{{ {'a': [1]} | to_yaml }}{{ 'a' | b64encode }}", "b.j2": "{{ x }}"}
    templates = Templates(files.get, "", {})
    for name in ["a.j2", "none.j2"]:
        try:
            templates.render(name)
        except Problem:
            pass


warm_up()
