"""The child's side of a hosted Secoda integration. A program itself, started through `sandbox.py`.

    secoda_child.py ROOT FD MISSING

ROOT is where `connectors` lies, MISSING what is not enforced. The first message on standard input says which
script, which class and which credentials; declarations and requests go to the host over the socket FD.
Printing is free: standard output is the script's own.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import os
import socket
import sys
import traceback
import types
import warnings
from pathlib import Path
from typing import Any

_MODULE = "hosted_integration"


def main() -> None:
    root, fd, missing = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
    shim = str(Path(root, "connectors", "hosts", "shim"))
    sys.path += [path for path in (root, shim) if path not in sys.path]
    from connectors.hosts.channel import unpack

    task, _ = next(unpack(lambda size: os.read(0, size), 1 << 30))
    task["code"] = str(Path.cwd().parent / "code")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message='Field name "schema"', category=UserWarning)
        if task["own_sdk"]:
            sys.path.insert(0, shim)
        secodadk = importlib.import_module("secodadk")
        if task["own_sdk"]:
            sys.path.remove(shim)
        verbs = importlib.import_module("connectors.hosts.secoda_verbs")
    host = verbs.Host(socket.socket(fileno=fd))
    host.say({"kind": "hello", "missing": missing})
    try:
        _host_script(task, host, secodadk, verbs)
    except BaseException as error:  # noqa: BLE001 - it is told to the host; SystemExit of a script is a failure
        host.say({"kind": "error", **_described(error, task)})
    sys.stdout.flush()
    host.say({"kind": "done"})
    # Threads that the script left behind do not keep the run open.
    os._exit(0)


def _host_script(task: dict[str, Any], host: Any, secodadk: Any, verbs: Any) -> None:
    module = _load(Path(task["code"]) / task["script"], secodadk, verbs)
    found = _find(module, secodadk.SecodaIntegration, task["class_name"])
    host.say({"kind": "found", "name": found.__name__})
    if task["check_only"]:
        return
    ingest = verbs.Ingest(host)
    integration = _construct(found, task["credentials"], ingest, verbs.Network(host))
    integration.start()
    if not ingest.finalized:  # a `start` of its own
        integration.finalize()


def _load(script: Path, secodadk: Any, verbs: Any) -> types.ModuleType:
    """Imports the script; one that starts itself meanwhile declares nothing and asks nobody."""
    sys.path.insert(0, str(script.parent))
    spec = importlib.util.spec_from_file_location(_MODULE, script)
    if spec is None or spec.loader is None:
        raise ImportError(f"{script.name} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[_MODULE] = module
    integration = secodadk.SecodaIntegration
    core: Any = importlib.import_module("secodadk.core")
    kept = integration.start
    integration.start = lambda self: None
    # A script that calls `extract` itself gets these instead of standard output and the network.
    core.DefaultIngestResourcesStrategy, core.DefaultNetworkCallStrategy = verbs.Discard, verbs.Refuse
    try:
        spec.loader.exec_module(module)
    finally:
        integration.start = kept
    return module


def _find(module: types.ModuleType, base: type, name: str | None) -> type:
    """The script's integration class: the one that is asked for, or the only concrete one."""
    own = [
        value
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, base)
        and not inspect.isabstract(value)
        and value.__module__ == _MODULE
    ]
    found = {cls.__name__: cls for cls in own}
    if name is not None:
        if name not in found:
            raise LookupError(f"no integration class {name!r}; there is {', '.join(found) or 'none'}")
        return found[name]
    if len(found) != 1:
        there = (
            f"several integration classes: {', '.join(found)}; name one with class_name"
            if found
            else ("no integration class: a subclass of SecodaIntegration that has an extract")
        )
        raise LookupError(there)
    return next(iter(found.values()))


def _construct(found: Any, credentials: dict[str, str], ingest: Any, network: Any) -> Any:
    """Builds the integration; its own `__init__` may not take the strategies."""
    given = {
        "credentials": credentials,
        "ingest_resources_strategy": ingest,
        "network_call_strategy": network,
    }
    try:
        inspect.signature(found).bind(**given)
    except TypeError:
        given = {"credentials": credentials}
    integration = found(**given)
    integration.ingest_resources_strategy = ingest
    integration.network_call_strategy = network
    return integration


def _described(error: BaseException, task: dict[str, Any]) -> dict[str, Any]:
    """What the host is told about an exception: type, message, place, the last lines of the trace."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(task["code"])]
    place = f"{os.path.relpath(frames[-1].filename, task['code'])}:{frames[-1].lineno}" if frames else None
    if isinstance(error, SyntaxError) and error.lineno:
        place = f"{os.path.basename(error.filename or task['script'])}:{error.lineno}"
    lines = [f"{os.path.relpath(f.filename, task['code'])}:{f.lineno}: {f.line}" for f in frames[-5:]]
    return {"type": type(error).__name__, "message": str(error)[:1_000_000], "place": place, "lines": lines}


if __name__ == "__main__":
    main()
