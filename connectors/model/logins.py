"""Addresses without the logins that some write into them, by others' hands: nothing of ours knows what is secret there.

Where a login cannot be told apart from what follows it, rather too much is left out: a password may hold any sign, so
that of several servers with a login each only the last stays.
"""

from __future__ import annotations

import re

from connectors.config.secrets import may_be_secret

_URL = re.compile(r"(?P<scheme>(?:[a-z][a-z0-9+.-]*:)*)//(?P<rest>.*)", re.I | re.S)
_ORACLE = re.compile(r"(?P<scheme>jdbc:[a-z0-9]+:(?:[a-z0-9]+:)?)[^@]*@(?P<rest>.*)", re.I | re.S)
_BARE = re.compile(r"[^/@:\s]+:[^@\s]*@(?P<rest>.*)", re.S)
_USER = re.compile(r"user(_?name)?|uid|login", re.I)
_CONTAINERS = ("abfs:", "abfss:", "wasb:", "wasbs:")  # container@account is no login
_PORT = re.compile(r"(\[[^\]]*\]|[^:\[]*)(:\d{0,5})?")
_IN_TEXT = re.compile(r"(?:jdbc:|(?:[a-z][a-z0-9+.-]*:)+//)[^\s'\"<>]+", re.I)


def without_login(address: str) -> str:
    """A URL, or a namespace like one, without user, password, and parameters that may be secret.

    What stands before an @ alone in a URL of Azure's storage is a container's name, and stays.
    """
    is_jdbc = address.lower().startswith("jdbc:")
    mark = re.search("[?;]" if is_jdbc else "[?]", address)
    place, params = (address[: mark.start()], address[mark.start() :]) if mark else (address, "")
    if _is_in_password(place, params):
        place, params = address, ""
    if found := _URL.fullmatch(place):
        place = f"{found['scheme']}//{_rest_of(found['scheme'].lower(), found['rest'])}"
    elif found := _ORACLE.fullmatch(place):
        place = f"{found['scheme']}@{found['rest']}"
    elif found := _BARE.fullmatch(place):
        place = found["rest"]
    return place + _without_secrets(params)


def without_logins(text: str) -> str:
    """A text with each URL in it as `without_login` gives it."""
    return _IN_TEXT.sub(lambda url: without_login(url[0]), text)


def _is_in_password(place: str, params: str) -> bool:
    """Whether what seem to be parameters may be the rest of a password, and the server's name."""
    before, at, _ = params.rpartition("@")
    authority = place.partition("//")[2].partition("/")[0]
    return bool(at) and ("=" not in before or "@" in place or not _PORT.fullmatch(authority))


def _without_secrets(params: str) -> str:
    kept = []
    for one in re.split("(?=[?;&])", params):
        name = one[1:].partition("=")[0]
        if not may_be_secret(name) and not _USER.fullmatch(name):
            kept.append(one)
    told = "".join(kept)
    return params[:1] + told[1:] if told else ""


def _rest_of(scheme: str, rest: str) -> str:
    authority, slash, path = rest.partition("/")
    if "@" not in rest or (scheme in _CONTAINERS and ":" not in authority):
        return rest
    if "@" not in path:
        return authority.rpartition("@")[2] + slash + path
    login, _, host = authority.rpartition("@")
    if _PORT.fullmatch(host) and ":" not in login:
        return host + slash + path
    return rest.rpartition("@")[2]  # a slash in a password
