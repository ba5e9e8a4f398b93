"""Routes: objects created, changed, copied, deleted; schedules turned on and off.

What is made lies in the overlay, under headwater.yaml; what stands in the file is changed there only (409).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from connectors.errors import ConfigError
from pipelines.server.nexla import wishes
from pipelines.server.nexla.answering import Here, answer
from pipelines.server.nexla.desk import Desk, known, origin_of
from pipelines.server.nexla.estate import KINDS, SETS, SINKS, DataSet, Destination
from pipelines.server.nexla.flow_trees import flow_id
from pipelines.server.nexla.flows import answer_flows, known_kind
from pipelines.server.problems import ApiProblem

Json = dict[str, Any]
_STATUS = {"unknown": 404, "read_only": 409, "in_use": 409, "invalid": 400, "no_key": 409}
_DEEPEST = 50
router = APIRouter()


async def body_of(request: Request) -> Json:
    """A request's JSON object. Raises ApiProblem 400 for what is none."""
    try:
        given = orjson.loads(await request.body() or b"{}")
    except orjson.JSONDecodeError:
        raise ApiProblem(400, "the body is not JSON") from None
    if not isinstance(given, dict):
        raise ApiProblem(400, "the body has to be a JSON object")
    if _is_deeper(given, _DEEPEST):
        raise ApiProblem(400, f"the body is nested deeper than {_DEEPEST} levels")
    return given


def _is_deeper(value: Any, levels: int) -> bool:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels < 0 or any(_is_deeper(one, levels - 1) for one in inside)


Body = Annotated[Json, Depends(body_of)]


@router.post("/{kind}")
def create(here: Here, kind: str, body: Body) -> Response:
    """Makes an object; it is part of the project at once, and of Dagster after the reload that this starts."""
    of = _kind(kind)
    name = wishes.text(body, "name")
    settings, more, secret = _wished(here, of, body)
    key, _ = _edited(here, lambda: here.editor.create(of, name, settings, secret=secret, more=more))
    return _shown(here, kind, key)


@router.put("/{kind}/{number:int}")
def update(here: Here, kind: str, number: int, body: Body) -> Response:
    """Changes what the body has of an object."""
    of, key = _kind(kind), _key(here, kind, number)
    stored = _stored(here, of, key)
    settings, more, secret = _wished(here, of, body, stored)
    name = wishes.text(body, "name") if body.get("name") is not None else None
    had, has = (one.get("schedule") for one in (stored["settings"], settings))
    if had and not has:
        here.unschedule(key)
    _edited(here, lambda: here.editor.update(of, key, name=name, settings=settings, more=more, secret=secret))
    if has and not had and stored["active"]:
        here.switch(key, True)  # as it was told while it had none
    return _shown(here, kind, key)


@router.delete("/{kind}/{number:int}")
def delete(here: Here, kind: str, number: int) -> Response:
    of, key = _kind(kind), _key(here, kind, number)
    if of == "connection" and here.served.project.in_overlay("connections", key):
        here.unschedule(key)
    _edited(here, lambda: here.editor.delete(of, key))
    return answer({"code": "200", "message": "Ok"})


@router.post("/{kind}/{number:int}/copy")
def copy(here: Here, kind: str, number: int) -> Response:
    """Another like it. A credential is not copied: its secrets are not given out, not even to a copy."""
    of, key = _kind(kind), _key(here, kind, number)
    if of == "credential":
        raise ApiProblem(400, "a credential cannot be copied: create another with its secrets")
    body = here.served.project.overlay.get((of, key))
    settings = dict(body["settings"]) if body else wishes.of_file(here.served.project, of, key)
    if of == "sink" and "of" not in settings:
        data_set = here.estate.sinks[number].data_set
        settings |= {"of": data_set.removeprefix("datasets/")} if data_set else {}
    if of == "dataset":
        settings.pop("sinks", None)
    name = f"{body['name'] if body else key} copy"
    more = dict(body["more"]) if body else {}
    made, _ = _edited(here, lambda: here.editor.create(of, name, settings, more=more, copied_from=number))
    return _shown(here, kind, made)


@router.put("/{kind}/{number:int}/activate")
def activate(request: Request, here: Here, kind: str, number: int) -> Response:
    return _switched(request, here, kind, number, on=True)


@router.put("/{kind}/{number:int}/pause")
def pause(request: Request, here: Here, kind: str, number: int) -> Response:
    return _switched(request, here, kind, number, on=False)


def _switched(request: Request, here: Desk, kind: str, number: int, *, on: bool) -> Response:
    """Turns the schedule of the flow on or off that a resource is in."""
    if kind == "flows":
        connection = known({flow_id(name): name for name in here.served.project.connections}, number, "flow")
        here.switch(connection, on)
        return answer_flows(request, here, [connection])
    here.switch(origin_of(here.estate, known_kind(kind), number), on)
    return answer(here.shapes().of(kind, known(here.estate.things(kind), number, KINDS[kind])))


def _wished(
    here: Desk, of: str, body: Json, stored: Mapping[str, Any] | None = None
) -> tuple[Json, Json | None, Json | None]:
    """The settings, what is kept beside them, and the secrets of what a body asks for."""
    before = dict(stored["settings"]) if stored else None
    more = {**(stored["more"] if stored else {}), **wishes.kept(body)}
    if of == "credential":
        if stored is None:
            more["type"] = wishes.text(body, "credentials_type")
        wishes.unchanged(body, "credentials_type", more.get("type"))
        given = wishes.mapping(body, "credentials") if body.get("credentials") or stored is None else None
        return {}, more, given
    if of == "transform":
        if before is not None and body.get("code") is None:
            return before, more, None
        return wishes.transform(body.get("code"), "code"), more, None
    wish = {"connection": wishes.source, "dataset": wishes.data_set, "sink": wishes.sink}[of]
    return wish(here.estate, body, before), more, None


def _edited(here: Desk, edit: Callable[[], Any]) -> Any:
    try:
        done = edit()
    except ConfigError as error:
        # What is not refused for the object's sake is wrong with the project.
        status = _STATUS.get(str(error.context.get("refused")), 409)
        raise ApiProblem(status, error.message, hint=error.hint) from None
    here.changed()
    return done


def _kind(kind: str) -> str:
    if kind not in KINDS:
        raise ApiProblem(404, f"{kind} cannot be created here")
    return KINDS[kind]


def _key(here: Desk, kind: str, number: int) -> str:
    """What an object is called in headwater.yaml."""
    one = known(here.estate.things(kind), number, KINDS[kind])
    if isinstance(one, Destination):
        return one.sink
    if isinstance(one, DataSet):
        if one.derived is None:
            raise ApiProblem(409, f"data set {number} is what {one.connection} gives: it is changed there")
        return one.derived.name
    return str(one)


def _stored(here: Desk, of: str, key: str) -> Mapping[str, Any]:
    body = here.served.project.overlay.get((of, key))
    if body is None:
        raise ApiProblem(409, f"the {of} {key} stands in headwater.yaml: change it there")
    return body


def _shown(here: Desk, kind: str, key: str) -> Response:
    estate = here.estate
    one: Any = key
    if kind == SETS:
        one = estate.set_by_key[f"datasets/{key}"]
    elif kind == SINKS:
        one = next(one for one in estate.sinks.values() if one.sink == key)
    return answer(here.shapes().of(kind, one))
