"""What the API may create. Its users are trusted with less than who writes headwater.yaml: they may neither run code
nor reach the server's own files, environment or logins.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel, SecretStr

from connectors.config.secrets import may_be_secret
from connectors.registry import is_path
from pipelines.project.loader import FILE, ProjectFile

ONLY_IN_FILE = f"only {FILE} may say so"
_RUNS_CODE = ("transport", "plugin", "python", "spec")
_HOSTS = frozenset({"cloudquery"})  # connectors that run what their configuration names
# What libpq and others look up on the server when an address names it.
_LOOKED_UP = frozenset({"service", "servicefile", "passfile", "sslkey", "sslpassword"})
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(//|/|\\)")
_WILD = re.compile(r"[*?\[]")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


def refusal(kind: str, settings: Mapping[str, Any], file: ProjectFile) -> str | None:
    """Why the API may not have created an object of a kind; None where it may."""
    return next(_refusals(kind, settings, file), None)


def refusal_of_values(values: Mapping[str, Any], file: ProjectFile) -> str | None:
    """Why the API may not have given a credential; None where it may. No value is in it."""
    for path, text in _texts(values, ()):
        # A password may look like a path, and is not one; but a URL may be secret and name a file.
        if "://" in text or not any(map(may_be_secret, path)):
            for fault in _faults_of_text(text, file):
                return f"{'.'.join(path)} {fault}"
    return None


def login_refusal(config: BaseModel, credentials: Mapping[str, Any]) -> str | None:
    """Why a configuration would use a login of the server's own; None where it brings its own."""
    for part in (config, *(value for _, value in config if isinstance(value, BaseModel))):
        given = {**credentials, **{name: _plain(value) for name, value in part if value is not None}}
        fields = type(part).model_fields
        if {"password", "host", "url"} <= fields.keys() and not _has_password(given):
            return "it gives no password, and the server's own logins are not for what the API creates"
        if "secret_access_key" in fields:
            place = next((given[name] for name in ("uri", "path") if name in given), "")
            own = given.get("access_key_id") and given.get("secret_access_key")
            if "://" in str(place) and not (own and str(place).startswith(("s3://", "s3a://"))):
                return (
                    "it gives no login of an S3 store, and the server's own is not for what the API creates"
                )
    return None


def _refusals(kind: str, settings: Mapping[str, Any], file: ProjectFile) -> Iterator[str]:
    if kind == "dataset":
        validation = settings.get("validation")
        schema = validation.get("schema") if isinstance(validation, Mapping) else None
        if isinstance(schema, str):
            yield from (f"validation.schema {fault}" for fault in _faults_of_text(schema, file))
    if kind not in ("connection", "sink"):
        return
    connector = settings.get("connector")
    if isinstance(connector, str) and (is_path(connector) or connector in _HOSTS):
        yield f"the connector {connector} runs code: {ONLY_IN_FILE}"
    for key in _RUNS_CODE:
        if settings.get(key) is not None:
            yield f"{key} says what code runs: {ONLY_IN_FILE}"
    if settings.get("renamed_from") is not None:
        yield f"renamed_from takes over what another connection has stored: {ONLY_IN_FILE}"
    credential = settings.get("credential")
    if credential is not None and not isinstance(credential, str):
        yield "a credential is given by name: create it first"
    http = settings.get("http")
    for key in ("transport", "proxy", "endpoints"):
        if isinstance(http, Mapping) and http.get(key) is not None:
            yield f"http.{key} is not for the API: {ONLY_IN_FILE}"
    for part in ("config", "endpoints", "http"):
        for path, text in _texts(settings.get(part), (part,)):
            yield from (f"{'.'.join(path)} {fault}" for fault in _faults_of_text(text, file))
            if kind == "sink":
                yield from (f"{'.'.join(path)} {fault}" for fault in _faults_of_target(text, file))
    if isinstance(credential, str) and not _may_borrow(kind, credential, settings, file):
        yield (
            f"the credential {credential} stands in {FILE}: the API may use it only as a {kind} there does, with the "
            "same connector, config, endpoints and http"
        )


def _may_borrow(kind: str, credential: str, settings: Mapping[str, Any], file: ProjectFile) -> bool:
    """Whether a credential goes nowhere but where the file sends it."""
    model = file.project.model
    if credential not in model.credentials:
        return True
    known = model.connections.values() if kind == "connection" else model.sinks.values()
    for one in known:
        there = one.model_dump(include={"connector", "credential", "config", "endpoints", "http"})
        given = {key: settings.get(key) or None for key in there}
        if given == {key: value or None for key, value in there.items()} and "$" not in repr(given):
            return True
    return False


def _texts(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _texts(one, (*path, str(key)))
    elif isinstance(value, list):
        for at, one in enumerate(value):
            yield from _texts(one, (*path, str(at)))


def _faults_of_text(text: str, file: ProjectFile) -> Iterator[str]:
    """What is wrong with a text, should it be taken for a path or an address."""
    if _DRIVE.match(text) or not _URL.match(text):
        yield from _faults_of_path(text, file)
        return
    try:
        parts = urlsplit(text)
    except ValueError:
        yield "is an address that cannot be read"
        return
    if not parts.netloc or parts.scheme.lower() in ("file", "local"):
        yield "is the address of a file of the server; write a path in the project's folder"
    if parts.scheme.lower() in ("http", "https"):
        return
    for name, value in parse_qsl(parts.query):
        if name.lower() in _LOOKED_UP or _leads_out(value):
            yield f"has {name}, which names a file of the server; leave it out"


def _faults_of_path(text: str, file: ProjectFile) -> Iterator[str]:
    folder = file.project.folder
    if _leads_out(text):
        yield "leads out of the project's folder; write a path below it"
        return
    try:
        target, root = (folder / text).resolve(), folder.resolve()
    except (OSError, ValueError, RuntimeError):  # no path at all
        return
    if not target.is_relative_to(root):
        yield "leads out of the project's folder; write a path below it"
    elif text and target == root:
        yield f"is the project's folder itself, in which {FILE} lies; write a path below it"
    elif _WILD.search(text) and "." in text and "**" not in text and PurePath(FILE).match(text):
        yield f"is a pattern of {FILE} too; write another one"
    elif target == root / FILE or any(part.startswith(".") for part in _parts_below(target, root)):
        yield f"is a hidden file, or {FILE} itself; write another path"
    elif (storage := _storage(file)) and target.is_relative_to(storage):
        yield "lies in the project's storage; write another path"


def _faults_of_target(text: str, file: ProjectFile) -> Iterator[str]:
    """A sink's tables lie below its folder: what is there already must not be taken for one."""
    try:
        target = (file.project.folder / text).resolve()
    except (OSError, ValueError, RuntimeError):
        return
    storage = _storage(file)
    if storage and storage.is_relative_to(target):
        yield "holds the project's storage; name a folder of its own"


def _parts_below(target: Path, root: Path) -> tuple[str, ...]:
    parts = target.relative_to(root).parts
    # A name that merely begins with a dot may be a file's ending; a path is there, or has several parts.
    return parts if len(parts) > 1 or target.exists() else ()


def _leads_out(text: str) -> bool:
    return text.startswith(("/", "\\", "~")) or bool(_DRIVE.match(text)) or ".." in re.split(r"[\\/]", text)


def _storage(file: ProjectFile) -> Path | None:
    text = file.project.storage
    return None if "://" in text else Path(text).resolve()


def _has_password(given: Mapping[str, Any]) -> bool:
    if given.get("password"):
        return True
    try:
        parts = urlsplit(str(given.get("url") or ""))
        return bool(parts.password or dict(parse_qsl(parts.query)).get("password"))
    except ValueError:
        return False


def _plain(value: Any) -> Any:
    return value.get_secret_value() if isinstance(value, SecretStr) else value
