"""Answers from elsewhere than the network: a WSGI app in this process, or local servers for an origin."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
from collections.abc import Callable, Mapping
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

import httpx

from connectors.errors import ConfigError, UnexpectedAnswer
from connectors.http.origin import origin_of

_importing = threading.Lock()


class WsgiApp(httpx.BaseTransport):
    """Answers from a WSGI app; what the app raises is an `UnexpectedAnswer` that names it."""

    def __init__(self, app: Callable[..., Any], name: str) -> None:
        self._transport = httpx.WSGITransport(app=app)
        self._name = name

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        try:
            response = self._transport.handle_request(request)
            response.read()
        except Exception as error:
            raise UnexpectedAnswer(
                f"the transport {self._name} raised {type(error).__name__}: {error}",
                hint="see what the WSGI app does with this request",
            ) from error
        return response


class Reroute(httpx.BaseTransport):
    """Sends what goes to an origin to another base URL, and turns its redirects back.

    Any other origin is refused. For tests: `{"https://api.example.com": "http://127.0.0.1:8000"}`.
    """

    def __init__(self, origins: Mapping[str, str]) -> None:
        self._bases = {origin.rstrip("/"): httpx.URL(base) for origin, base in origins.items()}
        self._transport = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        origin = origin_of(request.url)
        base = self._bases.get(origin)
        if base is None:
            raise httpx.ConnectError(f"{origin} is not rerouted", request=request)
        url = request.url.copy_with(scheme=base.scheme, host=base.host, port=base.port)
        headers = [(k, url.netloc if k.lower() == b"host" else v) for k, v in request.headers.raw]
        response = self._transport.handle_request(
            httpx.Request(
                request.method, url, headers=headers, stream=request.stream, extensions=request.extensions
            )
        )
        location = response.headers.get("location", "")
        if location.startswith(origin_of(base)):
            response.headers["location"] = origin + location[len(origin_of(base)) :]
        return response

    def close(self) -> None:
        self._transport.close()


def load_wsgi_app(name: str, folder: Path) -> WsgiApp:
    """The app `module:attribute`, found in the project's folder first. Raises `ConfigError`."""
    module_name, _, attribute = name.partition(":")
    try:
        app: Any = _import(module_name, folder.resolve())
        for part in attribute.split("."):
            app = getattr(app, part)
    except Exception as error:
        raise ConfigError(
            f"the transport {name} cannot be loaded: {type(error).__name__}: {error}",
            hint=f"`transport` is module:attribute, importable from {folder} or installed",
        ) from error
    if not callable(app):
        raise ConfigError(f"the transport {name} is not a WSGI app: it cannot be called")
    return WsgiApp(app, name)


def _import(name: str, folder: Path) -> Any:
    top = name.partition(".")[0]
    with _importing:
        loaded = sys.modules.get(top)
        if loaded is not None and PathFinder.find_spec(top, [str(folder)]) and not _lies_in(loaded, folder):
            # Another project of this process has a module of the same name; each gets its own.
            for other in [m for m in sys.modules if m == top or m.startswith(top + ".")]:
                del sys.modules[other]
        sys.path.insert(0, str(folder))
        try:
            importlib.invalidate_caches()
            return importlib.import_module(name)
        finally:
            sys.path.remove(str(folder))
            # The app may import its neighbours later.
            if str(folder) not in sys.path:
                sys.path.append(str(folder))


def _lies_in(module: Any, folder: Path) -> bool:
    places = [module.__file__] if getattr(module, "__file__", None) else list(getattr(module, "__path__", []))
    return any(Path(place).resolve().is_relative_to(folder) for place in places)
