"""Finds connectors: those installed, by name, and those in a Python file, by path."""

from __future__ import annotations

import ast
import difflib
import hashlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError, create_model

from connectors.connector import Connector, first_fault
from connectors.errors import ConfigError
from connectors.installed import cause_of, installed_names, load_installed

_GROUP = "headwater.connectors"
M = TypeVar("M", bound=BaseModel)


def connector_names() -> list[str]:
    """The names of the connectors that are installed, sorted. None of them is loaded."""
    return installed_names(_GROUP)


def is_path(connector: str) -> bool:
    """Whether a connection's `connector` is a Python file's path rather than a name."""
    return connector.endswith(".py") or "/" in connector or "\\" in connector


def load_connector(connector: str, folder: Path) -> type[Connector]:
    """The class for a connection's `connector`: an installed name, or the path of a Python file in `folder`.

    A file that imports `secodadk` is a Secoda integration and is not run here: it gets its own process. Any
    other holds exactly one concrete `Connector`. Raises `ConfigError`.
    """
    if is_path(connector):
        return _from_file(folder / Path(connector).expanduser())
    return load_installed(_GROUP, "connector", connector, Connector)


def configure(
    cls: type[Connector], config: Mapping[str, Any], credentials: Mapping[str, Any] | None = None
) -> BaseModel:
    """The connector's validated configuration, with the fields that the credential fills by its names.

    Raises `ConfigError` with one line for each fault, and no value; a name in both is a fault.
    """
    return fill_config(cls.Config, config, credentials if cls.merges_credential else None)


def fill_config(model: type[M], config: Mapping[str, Any], credentials: Mapping[str, Any] | None = None) -> M:
    """A validated configuration, of whatever has one: as `configure`."""
    fields = model.model_fields
    known = {field.alias or name for name, field in fields.items()} | set(fields)
    given = {name: value for name, value in (credentials or {}).items() if name in known}
    if clash := sorted(set(given) & set(config)):
        raise ConfigError(
            f"{', '.join(clash)}: given in the configuration and in the credential", hint="keep one of them"
        )
    try:
        return model.model_validate({**given, **config})
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        faults = tuple(f"{'.'.join(map(str, d['loc'])) or 'config'}: {d['msg']}" for d in details)
        raise ConfigError(first_fault(error), hint=_hint(model, details), faults=faults) from None


def _hint(model: type[BaseModel], details: list[Any]) -> str | None:
    names = list(model.model_fields)
    for detail in details:
        if detail["type"] == "extra_forbidden" and (
            near := difflib.get_close_matches(str(detail["loc"][-1]), names, 1)
        ):
            return f"did you mean {near[0]}?"
    return None


# -- Python files


def _from_file(file: Path) -> type[Connector]:
    if not file.is_file():
        near = difflib.get_close_matches(file.name, [p.name for p in file.parent.glob("*.py")], 1)
        hint = f"did you mean {near[0]}?" if near else "a path starts at the project's folder"
        raise ConfigError(f"{file} does not exist", hint=hint)
    try:
        tree = ast.parse(file.read_bytes(), filename=str(file))
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        cause = error.msg if isinstance(error, SyntaxError) else error
        raise ConfigError(f"{file}:{line}: not Python: {cause}") from None
    return _hosted(file) if _imports_secodadk(tree) else _in_process(file)


def _imports_secodadk(tree: ast.Module) -> bool:
    for node in ast.walk(tree):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        if any(name.partition(".")[0] == "secodadk" for name in names):
            return True
    return False


def _hosted(file: Path) -> type[Connector]:
    """A host for this script: `SecodaScript` whose configuration knows its file."""
    from connectors.hosts.secoda import SecodaScript

    config = create_model("Config", __base__=SecodaScript.Config, script=(str, str(file.resolve())))
    return type(
        file.stem, (SecodaScript,), {"Config": config, "platform": file.stem, "__doc__": SecodaScript.__doc__}
    )


def _in_process(file: Path) -> type[Connector]:
    name = f"headwater_connector_{file.stem}_{hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{file} is not a Python file", hint="its name ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(file)]
        where = f"{file}:{lines[-1]}" if lines else str(file)
        raise ConfigError(f"{where}: cannot be loaded: {cause_of(error)}") from error
    found = [
        value
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, Connector)
        and (value.extract is not Connector.extract or value.tables is not Connector.tables)
        and value.__module__ == name
    ]
    if len(set(found)) != 1:
        there = ", ".join(sorted({cls.__name__ for cls in found})) or "none"
        raise ConfigError(
            f"{file} must hold exactly one connector, and holds {there}",
            hint="a connector is a subclass of connectors.Connector that has an extract or tables",
        )
    cls: type[Connector] = found[0]
    return cls
