"""The server does what its OpenAPI document says, for parameters and bodies that nobody would write."""

from __future__ import annotations

import shutil
from urllib.parse import urlencode

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.generation import GenerationMode

from tests.pipelines.server.conftest import serving, token

load_all_checks()
# Cursors, words of a search and OpenLineage events keep to more rules than a schema can tell.
NOT_CHECKED = CHECKS.get_by_names(["positive_data_acceptance"])
EXAMPLES = 20
OPERATIONS = (
    *("get_health", "get_readiness", "find_resources", "get_resource", "get_upstream", "get_downstream"),
    *("get_path", "explain_edge", "export_graph", "get_impact", "get_diff", "list_unresolved"),
    *("list_connections", "get_connection", "add_edge", "remove_edge", "receive_events"),
    *("list_runs", "get_run", "get_run_log", "get_run_result", "list_external_runs", "list_metrics"),
    *("start_sync_of_connection", "start_preview", "start_check", "switch_schedule", "cancel_run"),
    "reload_definitions",
)
NOT_ASKED = {"start_sync"}  # whatever is right there starts a run


@pytest.fixture(scope="module")
def document(served_folder, tmp_path_factory):
    """The document of a server of its own: edges are added and events received. Requests carry a token."""
    folder = shutil.copytree(served_folder, tmp_path_factory.mktemp("document") / "project")
    headers = token(folder, "write")
    with serving(folder) as url:
        found = schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json", headers=headers)
        found.config.update(headers=headers)
        yield found


def test_every_operation_is_known_here(document):
    found = {one.ok().definition.raw["operationId"] for one in document.get_all_operations()}
    assert found == {*OPERATIONS, *NOT_ASKED}


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_keeps_to_the_document(document, name, mode):
    operation = document.find_operation_by_id(name)
    if mode is GenerationMode.NEGATIVE and not (operation.query or operation.body):
        pytest.skip("there is nothing to get wrong")

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: schemathesis.Case) -> None:
        # A longer address is refused before the application is asked.
        assume(len(urlencode(dict(case.query or {}), doseq=True)) < 60_000)
        case.call_and_validate(excluded_checks=NOT_CHECKED)

    check()
