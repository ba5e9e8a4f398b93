"""`headwater connectors new`: a package with a connector that works, and its tests."""

from __future__ import annotations

import ast
import keyword
import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import click

from connectors.registry import connector_names
from pipelines.cli.console import out

_TEMPLATES = Path(__file__).parent / "templates" / "connector"
_FILES = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    "init.py": "@module@/__init__.py",
    "connector.py": "@module@/connector.py",
    "test.py": "tests/test_@module@.py",
}
_NAME = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")


@click.command("new", short_help="Begin a connector of your own: a package with tests.")
@click.argument("name")
@click.option("--folder", metavar="DIR", default=".", type=click.Path(file_okay=False), help="Where.  [here]")
def command(name: str, folder: str) -> int:
    """Write a package NAME with a small connector that works, and its tests. Never overwrites a file.

    NAME has small letters, digits, and _ or - between them.
    """
    texts = connector_package(name)
    target = Path(folder) / name
    if target.exists() or target.is_symlink():
        raise click.UsageError(f"{target} is there already, and nothing is overwritten")
    for path, text in texts.items():
        file = target / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    module = name.replace("-", "_")
    out(
        f"a connector is in {target}; next:\n\n"
        f"  cd {shlex.quote(str(target))}\n"
        "  python -m pip install pytest  # once\n"
        "  python -m pytest\n"
        f"  headwater connectors ./{module}/connector.py\n\n"
        f"then change {module}/connector.py; README.md says how a project connects it"
    )
    return 0


def connector_package(name: str) -> dict[str, str]:
    """The files of a new connector's package, by path. Raises click's UsageError for a name that cannot be one."""
    module = name.replace("-", "_")
    cls = "".join(part.capitalize() for part in module.split("_"))
    if cause := _fault(name, module, cls):
        raise click.BadParameter(cause, param_hint="NAME")
    words = {
        "@name@": name,
        "@module@": module,
        "@Class@": cls,
        "@VARIABLE@": module.upper(),
    }

    def filled(text: str) -> str:
        for word, value in words.items():
            text = text.replace(word, value)
        return text

    texts = {filled(path): filled(_template(template)) for template, path in _FILES.items()}
    if any(_names(text).count(cls) > 1 for path, text in texts.items() if path.endswith(".py")):
        raise click.BadParameter(
            f"a class named {cls} would hide another one that connectors use", param_hint="NAME"
        )
    return texts


def _fault(name: str, module: str, cls: str) -> str | None:
    """Why a package cannot have this name, None when it can."""
    if not _NAME.fullmatch(name):
        return f"{name} is no name of a connector: write small letters and digits, with _ or - between them"
    if name in connector_names():
        return f"{name} is a connector that is installed already"
    found = find_spec(module)
    if keyword.iskeyword(module) or module == "tests" or (found and found.origin):
        return f"a package named {module} would hide another one of Python's or installed here"
    return None


def _names(code: str) -> list[str]:
    """The classes that Python code defines, and what it imports."""
    tree = list(ast.walk(ast.parse(code)))
    classes = [node.name for node in tree if isinstance(node, ast.ClassDef)]
    return classes + [one.name for node in tree if isinstance(node, ast.ImportFrom) for one in node.names]


def _template(name: str) -> str:
    return (_TEMPLATES / f"{name}.tmpl").read_text(encoding="utf-8")
