"""Work that is started over HTTP and by the client: one server, whose launcher starts Dagster's processes once."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from pipelines.client import ApiError, HeadwaterClient
from tests.pipelines.server.conftest import serving, token, until

STARTS = ("connections/hand/sync", "connections/hand/preview", "connections/hand/check", "sync", "reload")
ENDS = ("connections/hand/schedule", "runs/1/cancel")
MODELS_OF_COMMANDS = {"preview": {"counts", "tables", "samples"}, "check": {"ok", "checks"}}


@pytest.fixture(scope="module")
def folder(served_folder, tmp_path_factory):
    return shutil.copytree(served_folder, tmp_path_factory.mktemp("work") / "project")


@pytest.fixture(scope="module")
def headers(folder):
    return {"none": {}} | {scope: token(folder, scope) for scope in ("read", "write", "admin")}


@pytest.fixture(scope="module")
def url(folder, headers):
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("HEADWATER_DAGSTER_URL", raising=False)
        patch.setenv("HEADWATER_PROJECT", "")
        with serving(folder) as url:
            until(lambda: "headwater_dagster_readable 1.0" in httpx.get(f"{url}/metrics").text)
            yield url


@pytest.fixture(scope="module")
def client(url, headers):
    secret = headers["write"]["Authorization"].removeprefix("Bearer ")
    with HeadwaterClient(url, secret, timeout=60) as made:
        yield made


@pytest.fixture(scope="module")
def launched(url, headers, client):
    """The ids of runs that were asked for at once: a preview, a check and a sync."""

    def check():
        answer = httpx.post(f"{url}/api/v1/connections/hand/check", headers=headers["write"], timeout=60)
        assert answer.status_code == 202
        assert answer.headers["location"] == f"/api/v1/runs/{answer.json()['run_id']}"
        return answer.json()

    wanted = {
        "preview": lambda: client.connections.preview("app", limit=1),
        "check": check,
        "sync": lambda: client.sync("hand", "app", accept_drop=True),
    }
    with ThreadPoolExecutor(len(wanted)) as pool:
        started = pool.map(lambda start: start(), wanted.values())
        return {name: one["run_id"] for name, one in zip(wanted, started, strict=True)}


def ended(client, run_id):
    """The run when it has ended."""
    until(lambda: client.runs.get(run_id)["status"] not in (None, "QUEUED", "RUNNING"), seconds=60)
    return client.runs.get(run_id)


@pytest.mark.parametrize("path", [*STARTS, *ENDS])
def test_starting_and_ending_work_needs_the_scope_write(url, headers, path):
    body = {"on": True} if path.endswith("schedule") else None
    for who, status in {"none": 401, "read": 403}.items():
        answer = httpx.post(f"{url}/api/v1/{path}", headers=headers[who], json=body)
        assert answer.status_code == status
    if path == "reload":
        assert httpx.post(f"{url}/api/v1/{path}", headers=headers["write"]).status_code == 403


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        *((f"connections/nobody/{what}", None, 404) for what in ("sync", "preview", "check")),
        *(("connections/nobody/schedule", {"on": True}, 404), ("sync", {"connections": ["nobody"]}, 404)),
        *(("connections/app/preview", {"limit": 101}, 422), ("connections/app/sync", {"full": 1}, 422)),
        *(("connections/app/sync", {"partition": "today"}, 422), ("sync", {"connections": []}, 422)),
        *(("connections/app/schedule", {}, 422), ("connections/app/sync", {"other": 1}, 422)),
        *(("connections/app/sync", {"partition": "2020-01-01"}, 409), ("runs/no-such-run/cancel", None, 404)),
        ("connections/events/schedule", {"on": True}, 409),
    ],
)
def test_what_cannot_be_started_is_refused(url, headers, path, body, status):
    answer = httpx.post(f"{url}/api/v1/{path}", headers=headers["write"], json=body, timeout=60)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_launched_run_is_known_at_once(client, launched):
    assert all(client.runs.get(run_id)["id"] == run_id for run_id in launched.values())


def test_a_sync_is_a_flow_run_whose_trigger_is_the_api(client, launched):
    run = ended(client, launched["sync"])
    assert (run["status"], run["trigger"]) == ("SUCCESS", "api")
    assert [(flow["flow"], flow["status"], flow["trigger"]) for flow in run["flows"]] == [
        ("app", "SUCCESS", "api"),
        ("hand", "SUCCESS", "api"),
    ]
    until(lambda: client.connections.get("hand")["run_id"] == launched["sync"])  # the new graph is served


@pytest.mark.parametrize("what", MODELS_OF_COMMANDS)
def test_a_preview_and_a_check_have_a_result_when_they_have_ended(client, launched, what):
    until(lambda: client.runs.result(launched[what]) is not None, seconds=60)
    found = client.runs.result(launched[what])
    assert found["error"] is None
    assert found.keys() >= MODELS_OF_COMMANDS[what]
    assert ended(client, launched[what])["flows"] == []


def test_a_sync_has_no_result_and_what_has_ended_is_not_canceled(client, launched):
    run_id = ended(client, launched["sync"])["id"]
    for ask in (client.runs.result, client.runs.cancel):
        with pytest.raises(ApiError) as raised:
            ask(run_id)
        assert raised.value.status == 409


def test_a_schedule_is_turned_on_and_off(client):
    for on in (True, False):
        told = client.connections.schedule("app", on)
        assert told == {"connection": "app", "schedule": "15 * * * *", "on": on}


def test_a_new_connection_is_known_to_dagster_after_a_reload(url, folder, headers, client):
    file = folder / "headwater.yaml"
    text = file.read_text()
    file.write_text(
        f"{text}  late: {{connector: jsonl, schedule: '1 * * * *', config: {{resources: ./r.jsonl}}}}\n"
    )
    until(lambda: [one for one in client.connections.list() if one["name"] == "late"])
    with pytest.raises(ApiError, match="in Dagster's definitions") as raised:
        client.connections.check("late")
    assert (raised.value.status, raised.value.hint) == (409, "POST /api/v1/reload")
    answer = httpx.post(f"{url}/api/v1/reload", headers=headers["admin"], timeout=60)
    assert (answer.status_code, answer.content) == (204, b"")
    assert client.connections.schedule("late", True)["on"]
    file.write_text(text.replace("connector: sqlite", "connector: sqlit"))
    answer = httpx.post(f"{url}/api/v1/reload", headers=headers["admin"], timeout=60)
    assert (answer.status_code, "do not load" in answer.json()["detail"]) == (409, True)
    file.write_text(text)
