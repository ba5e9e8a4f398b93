"""The texts by which programs reach systems, taken apart: URLs, JDBC URLs, Oracle's descriptors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import unquote

_URL = re.compile(
    r"(?P<scheme>[a-z][a-z0-9_.-]*)(?P<driver>\+[a-z0-9_.+-]*)?:(?P<rest>.*)", re.I | re.A | re.S
)
_JDBC = "jdbc:"
_CONTAINERS = frozenset({"abfs", "abfss", "wasb", "wasbs"})  # container@account is no login
# JDBC's names of a driver's way to connect, between the system's name and the address.
_WAYS = re.compile(
    r"(?:loadbalance|replication|failover|sequential|aurora|iam|aws|sqlserver|sybase|https?):(?=//)", re.I
)
_HOST = re.compile(
    r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_-])?)(?::(?P<port>\d{1,5}))?", re.I | re.A
)
_TNS = re.compile(r"\(\s*(host|port|service_name|sid)\s*=\s*([^()\s]+)\s*\)", re.I)


class Host(NamedTuple):
    """A server's name in lower case, and its port where it is given."""

    name: str
    port: str | None = None

    def at(self, default_port: str | None) -> str:
        """Name and port, as URLs write them."""
        port = self.port or default_port
        return f"{self.name}:{port}" if port else self.name


@dataclass(frozen=True)
class Address:
    """A URL's parts without its login. `authority` is as it was written; `hosts` is empty where it names none.

    `path` starts with a slash where there is one after the authority; `params` have lower-case names.
    """

    scheme: str
    authority: str | None
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    jdbc: bool = False

    @property
    def hosts(self) -> list[Host]:
        """The servers; none where one of them is no server's name."""
        return read_hosts(self.authority or "")

    @property
    def segments(self) -> list[str]:
        """The parts of the path, percent signs read."""
        return [unquote(part) for part in self.path.split("/") if part]


def read_hosts(text: str) -> list[Host]:
    """Servers with their ports, by commas; none where one of them is no server's name."""
    found = [_HOST.fullmatch(one.strip()) for one in text.split(",")]
    return [_host(one["host"], one["port"]) for one in found if one] if all(found) else []


def _host(name: str, port: str | None) -> Host:
    return Host(name.lower(), str(int(port)) if port else None)


def read_address(text: str) -> Address | None:
    """A text's parts, if it is a URL of any kind; None for any other, or where a login could not be told apart."""
    jdbc = text[: len(_JDBC)].lower() == _JDBC
    found = _URL.fullmatch(text[len(_JDBC) :] if jdbc else text)
    if found is None:
        return None
    scheme, rest = found["scheme"].lower(), found["rest"]
    if jdbc and (way := _WAYS.match(rest)):
        rest = rest[way.end() :]
    if not rest.startswith("//"):
        path, params = _cut_params(rest, jdbc=jdbc)
        return Address(scheme, None, path, params, jdbc)
    before, mark, after = _partition(rest[2:], "?;" if jdbc else "?")
    authority, slash, path = before.partition("/")
    if jdbc and "=" in authority:  # Athena's URLs are parameters only
        authority, after = "", f"{authority};{after}"
    if "@" in authority and not (scheme in _CONTAINERS and ":" not in authority):
        login, _, authority = authority.rpartition("@")
        if "@" in path and ":" in login:
            return None  # a password with a slash, of which no part may be told
    elif "@" in path and ":" in authority:
        return None
    return Address(scheme, authority, slash + path, _params(mark + after), jdbc)


def read_oracle(text: str) -> tuple[list[Host], str | None] | None:
    """The servers and the service of what follows `oracle:` in a JDBC URL; None where it is an alias."""
    if "(" in text:
        pairs = [(name.lower(), value) for name, value in _TNS.findall(text)]
        names = [value for name, value in pairs if name == "host"]
        ports = [value for name, value in pairs if name == "port"]
        service = next((value for name, value in pairs if name in ("service_name", "sid")), None)
        if len(names) != len(ports):
            return None
        return read_hosts(",".join(f"{n}:{p}" for n, p in zip(names, ports, strict=True))), service
    _, at, rest = text.partition("?")[0].rpartition("@")
    if not at:
        return None
    full = re.match(r"(?:tcps?:)?//", rest, re.I)
    rest = rest[full.end() :] if full else rest
    found = re.fullmatch(r"([^/:]+|\[[^\]]*\])(?::(\d+))?(?:[/:]([^/:]*))?(?:[/:].*)?", rest)
    if found is None or not (full or found[2]):
        return None  # without a port it is the name of an entry in a file of the client's
    return read_hosts(found[1] + (f":{found[2]}" if found[2] else "")), found[3] or None


def _cut_params(text: str, *, jdbc: bool) -> tuple[str, dict[str, str]]:
    path, mark, rest = _partition(text, "?;" if jdbc else "?")
    return path, _params(mark + rest)


def _partition(text: str, marks: str) -> tuple[str, str, str]:
    """The text before the first of some marks, the mark, and the text after."""
    found = re.search(f"[{re.escape(marks)}]", text)
    return (text[: found.start()], found[0], text[found.end() :]) if found else (text, "", "")


def _params(text: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in re.split(r"[?;&]", text)]
    return {name.strip().lower(): unquote(value).strip() for name, sign, value in pairs if sign}
