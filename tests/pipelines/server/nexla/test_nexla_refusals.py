"""What no client could read again, or nobody could mean, is refused by name; what fails by no purpose is JSON too."""

from __future__ import annotations

import pytest

from pipelines.client import ApiError
from pipelines.server.nexla import shapes
from tests.pipelines.server.conftest import until
from tests.pipelines.server.nexla.conftest import raw_requests
from tests.pipelines.server.nexla.test_nexla_writing import named

CODE = [{"operation": "rename", "spec": {"fields": {"id": "number"}}}]
DEEP: object = "x"
for _ in range(300):
    DEEP = {"a": DEEP}


@pytest.mark.parametrize(
    "given",
    [
        *({"tags": tags} for tags in ([1], "a", {"a": 1}, ["x"] * 101, [["a"]])),
        *({"description": told} for told in (5, ["x"], "x" * 10_001)),
        {"tags": DEEP},
    ],
)
def test_what_no_client_could_read_again_is_refused(refused, given):
    answer = refused.post("/transforms", json={"name": "t", "code": CODE, **given})
    assert answer.status_code == 400
    assert answer.json()["message"]


def test_descriptions_and_tags_are_kept_and_taken_away(own_shop):
    ours = own_shop.ours()
    made = ours.transforms.create(name="t", code=CODE, description="told", tags=["a", "b"])
    assert (made.description, made.tags) == ("told", ["a", "b"])
    assert ours.transforms.update(made.id, description="", tags=[]).tags == []


def test_what_an_object_is_for_good_cannot_be_changed(own_shop):
    ours = own_shop.ours()
    tidy = named(ours.nexsets.list(), "tidy")
    made = ours.nexsets.create(
        name="mine", parent_data_set_id=tidy.id, transform={"version": 1, "operations": CODE}
    )
    assert ours.nexsets.update(made.id, parent_data_set_id=tidy.id).id == made.id
    other = named(ours.nexsets.list(), "joined").id
    with pytest.raises(ApiError, match="parent_data_set_id cannot be changed"):
        ours.nexsets.update(made.id, parent_data_set_id=other)
    with pytest.raises(ApiError, match="true or false"):
        ours.nexsets.update(made.id, output_schema_validation_enabled="false")
    source = ours.sources.create(name="s", source_type="jsonl", source_config={"resources": "r.jsonl"})
    with pytest.raises(ApiError, match="source_type cannot be changed"):
        ours.sources.update(source.id, source_type="duckdb")
    credential = ours.credentials.create(name="c", credentials_type="postgres", credentials={"password": "p"})
    with pytest.raises(ApiError, match="credentials_type cannot be changed"):
        ours.credentials.update(credential.id, credentials_type="mysql")
    with pytest.raises(ApiError, match="sink_type cannot be changed"):
        ours.destinations.update(
            ours.destinations.create(
                name="d", sink_type="files", data_set_id=made.id, sink_config={"path": "p", "format": "csv"}
            ).id,
            sink_type="delta",
        )


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/data_sources/{'9' * 5000}", 404),
        (f"/data_sources/{'9' * 300}", 404),
        (f"/data_sets?per_page={'0' * 25}7", 400),
        (f"/data_sets?page={'9' * 5000}", 400),
    ],
)
def test_numbers_without_end_are_none(refused, path, status):
    answer = refused.get(path)
    assert answer.status_code == status
    assert answer.json()["error"]


def test_a_project_that_is_broken_meanwhile_is_no_fault_of_the_request(own_shop):
    file = own_shop.folder / "headwater.yaml"
    whole = file.read_text()
    asked = {"name": "t", "code": CODE}
    with raw_requests(own_shop) as raw:
        file.write_text("connections: [")
        answer = raw.post("/transforms", json=asked)
        assert (answer.status_code, "not YAML" in answer.json()["message"]) == (409, True)
        file.unlink()
        answer = raw.post("/transforms", json=asked)
        assert (answer.status_code, "cannot be read" in answer.json()["message"]) == (409, True)
        file.write_text(whole)
        assert raw.post("/transforms", json=asked).status_code == 200


def test_a_failure_by_no_purpose_is_told_and_the_connection_goes_on(refused, monkeypatch):
    until(lambda: refused.get("/transforms").status_code == 200)

    def fail(*_, **__):
        raise ZeroDivisionError("hidden")

    with monkeypatch.context() as patch:
        patch.setattr(shapes.Shapes, "transform", fail)
        answer = refused.get("/transforms")
        assert answer.status_code == 500
        assert answer.json()["message"].startswith("the server failed")
        assert "hidden" not in answer.text
    assert refused.get("/transforms").status_code == 200
