"""What every connector owes to those who run it, as tests that a connector's author inherits."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

import httpx

from connectors.config.form import form_fields
from connectors.connector import Connector
from connectors.errors import ConfigError, HeadwaterError
from connectors.model import CheckResult, InternalResource, Window
from connectors.registry import configure, load_connector
from connectors.testing.comparison import (
    SHOWN,
    assert_same,
    assert_untouched,
    content,
    ids_of,
    keys_of,
    merged,
    twice,
)
from connectors.testing.denial import Denying, NoHttp, Watching, shape_of
from connectors.testing.leaks import Leaks, sounds_secret
from connectors.testing.run import Extract, check_connector, opened, run_connector, today

Http = httpx.BaseTransport | Callable[..., Iterable[bytes]]


class ConnectorContract:
    """Tests that a connector must pass. A subclass, named `Test...`, says which connector and how to reach it:

        class TestShop(ConnectorContract):
            connector = Shop
            config = {"url": "https://shop.test"}
            credentials = {"token": "a-token-like-no-other"}

            def http(self):
                return Scripted({"GET /orders": [{"id": 1}]})

    Give secrets that stand nowhere else in what the connector reads. For files, set `self.folder` in a fixture of
    the class with autouse. A test that does not apply to the connector is skipped and says why; one that cannot hold
    for it is set to None in the subclass, with the reason.
    """

    connector: type[Connector] | str | Path = Connector  # the class, an installed name, or a file's path
    config: Mapping[str, Any] = {}
    credentials: Mapping[str, Any] = {}
    folder: Path | None = None  # where relative paths start; by default the current folder
    window: Window | None = None  # by default today
    wrong_config: Mapping[str, Any] | None = None  # laid over `config`: with it nothing can be reached
    wrong_credentials: Mapping[str, Any] | None = None  # that the system refuses
    denied: Mapping[str, str] | None = None  # {"table": "orders", "path": "/shops/*/orders"}
    open_fields: Collection[str] = ()  # of the configuration: sound like secrets, and are none

    def http(self) -> Http | None:
        """What answers its requests: a fresh transport, or a WSGI app, for each run. None: it asks nothing."""
        return None

    def http_later(self) -> Http | None:
        """The same system some time later, with rows that came or changed; by default nothing did."""
        return self.http()

    def http_refusing(self) -> Http:
        """The system when it refuses the credential; by default 401 to everything, with the secrets in the body."""
        return self._answering(401)

    def http_failing(self) -> Http:
        """The system when it is broken; by default 500 to everything, with the secrets in the body."""
        return self._answering(500)

    # -- configuration

    def test_its_configuration_is_a_form(self) -> None:
        """`Config` has a JSON Schema that holds (against the standard's own, where jsonschema is installed), and its
        fields make a form.
        """
        schema = json.loads(json.dumps(self._cls.Config.model_json_schema()))
        if find_spec("jsonschema"):
            import_module("jsonschema").Draft202012Validator.check_schema(schema)
        names = [field.name for field in form_fields(self._cls.Config)]
        assert len(names) == len(set(names)), f"fields of one name: {twice(names)}"

    def test_secrets_of_its_configuration_are_secret_fields(self) -> None:
        """A field that is named like a password, token, secret or key is a `SecretStr`: so no log ever shows it."""
        fields = [field for field in form_fields(self._cls.Config) if field.name not in self.open_fields]
        told = [f.name for f in fields if f.type == "text" and sounds_secret(f.name.rpartition(".")[2])]
        assert not told, f"{', '.join(told)}: make it a SecretStr, or name it in `open_fields`"

    def test_an_unknown_field_is_refused(self) -> None:
        """A misspelt field is an error of the configuration, not a setting that does nothing."""
        self._configure(self.config)
        try:
            configure(self._cls, {**self.config, "no_such_field": 1}, self.credentials)
        except ConfigError:
            return
        raise AssertionError("its Config takes a field that it does not have: derive it from ConnectorConfig")

    # -- check

    def test_check_reports_each_capability(self) -> None:
        """With what is right, `check` tells at least one capability, each by a name of its own, all ok."""
        results = self._check(self.config, self.credentials, self._http())
        bad = [f"{r.capability}: {r.message}" for r in results if not r.ok]
        assert results, "check tells nothing: yield a CheckResult for each capability"
        assert not bad, f"check says with what is right: {'; '.join(bad)}"
        names = [result.capability for result in results]
        assert all(names), "a capability has no name"
        assert len(names) == len(set(names)), f"check tells a capability twice: {twice(names)}"

    def test_check_says_what_is_wrong(self) -> None:
        """Without access `check` tells what fails, or raises one of `connectors.errors`."""
        for config, credentials, http in self._wrong():
            try:
                results = self._check(config, credentials, http)
            except HeadwaterError:
                continue
            assert any(not r.ok for r in results), "check says that all is well, though it has no access"

    # -- extract

    def test_it_reads_all_there_is(self) -> None:
        """With what is right, an extract ends without an error, warns of nothing, refuses nothing, and gives
        something.
        """
        found = self._good()
        given = [
            found.resources,
            found.declarations,
            found.statements,
            found.runs,
            *map(found.rows, found.datasets),
        ]
        assert any(given), "the extract gives nothing: let what it reads in the test have something in it"

    def test_without_access_an_extract_is_never_whole(self) -> None:
        """A system that refuses the credential, or is broken, ends in an error or a warning. An extract that looks
        whole and is empty would remove everything that is stored of the connection.
        """
        for config, credentials, http in [*self._wrong(), *self._failing()]:
            found, _ = self._try(config, credentials, http)
            whole = found is not None and found.error is None and found.report.complete
            assert not whole, "without access an extract looks whole: let the error through, or warn"

    def test_two_extracts_give_the_same(self) -> None:
        """Nothing changed, so nothing differs: resources, declarations, statements, runs and rows, in any order."""
        first, second = self._good(), self._good()
        for what, texts in content(first).items():
            assert_same(what, texts, content(second).get(what, []))

    def test_keys_are_distinct_and_stable(self) -> None:
        """Each resource has a `databuilder_id` of its own, and each row a primary key, the same in every run."""
        first, second = self._good(), self._good()
        ids = ids_of(first)
        assert len(ids) == len(set(ids)), f"several resources have one databuilder_id: {twice(ids)}"
        assert_same("databuilder_ids", ids, ids_of(second))
        for name, dataset in first.datasets.items():
            if dataset.keys:
                keys = keys_of(first, name)
                assert len(keys) == len(set(keys)), f"several rows of {name} have one key: {twice(keys)}"
                parts = [row[key] for row in first.rows(name) for key in dataset.keys]
                assert None not in parts, f"{name} has rows without a key"
                assert_same(f"keys of {name}", keys, keys_of(second, name))

    def test_what_it_names_as_its_own_is_there(self) -> None:
        """A parent, and an `InternalResource` of a declaration, is a resource of the same extract."""
        found = self._good()
        ids = set(ids_of(found))
        ends = [end for d in found.declarations for end in (d.from_identifier, d.to_identifier)]
        named = {end.databuilder_id for end in ends if isinstance(end, InternalResource)}
        named |= {r.parent_databuilder_id for r in found.resources if r.parent_databuilder_id}
        assert named <= ids, f"named and not declared: {', '.join(sorted(named - ids)[:SHOWN])}"

    def test_a_later_extract_goes_on_where_the_last_one_left_off(self) -> None:
        """With the cursors and the state of the run before, what is new lies over what was there, by primary key, and
        comes to what a run from the start would give. A table that is not incremental is given whole again, and so is
        what hangs from an incremental one, unless it is incremental itself.
        """
        first = self._good()
        if not first.state and not any(one.incremental for one in first.datasets.values()):
            _skip("it has no incremental tables and keeps no state")
        kept = json.loads(json.dumps(first.state))
        assert kept == first.state, "its state is more than JSON can hold"
        second = self._good(self.http_later(), state=kept, cursors=first.cursors)
        whole = self._good(self.http_later())
        if not self._cls.windowed:
            assert_same("resources", ids_of(second), ids_of(whole))
        for name, dataset in whole.datasets.items():
            expected = [repr(row) for row in whole.rows(name)]
            if not dataset.incremental:
                assert_same(
                    f"rows of {name}, which is not incremental,", map(repr, second.rows(name)), expected
                )
                continue
            assert len(second.rows(name)) <= len(expected), f"{name}: a later extract gives more than a first"
            moved = any(first.cursors.values()) or first.state or self._cls.windowed
            assert moved or not expected, f"{name} is incremental, and sets no cursor"
            assert_same(f"rows of {name}", merged(name, first, second), expected)

    def test_its_fingerprint_holds_while_nothing_changes(self) -> None:
        """Two fingerprints of an unchanged source are equal: a new one is a sync."""
        first, second = self._fingerprint(), self._fingerprint()
        if first is None and second is None:
            _skip("it has no fingerprint")
        assert first == second, f"nothing changed, and the fingerprint did: {first!r}, then {second!r}"

    # -- trouble

    def test_no_secret_leaves_it(self) -> None:
        """No value of the credential and no secret of the configuration stands in what it gives, says, or keeps."""
        self._leaks().refuse_in_extract(self._good())
        if self._has_check:
            self._refuse_in_check(self.config, self.credentials, self._http())

    def test_no_secret_leaves_it_in_an_error(self) -> None:
        """Nor does one when the system repeats it in the answer that refuses it, or while it is broken."""
        leaks = self._leaks()
        for config, credentials, http in [*self._wrong(), *self._failing()]:
            found, error = self._try(config, credentials, http)
            if found is not None:
                leaks.refuse_in_extract(found)
            leaks.refuse_in_error(error)
        for config, credentials, http in [*self._wrong(), *self._failing()] if self._has_check else []:
            self._refuse_in_check(config, credentials, http)

    def test_a_denied_table_stops_no_other(self) -> None:
        """Where a table may not be read, it has an error, the others are read to their ends, and the run is not
        whole. Without `denied`, each address that it asks is denied in turn.
        """
        whole = self._good(watching := Watching(self._transport()))
        if len(whole.datasets) < 2 or not watching.paths:
            _skip("it does not have several tables that it reads over HTTP")
        shapes = list(dict.fromkeys(map(shape_of, watching.paths)))
        if self.denied is None and len(shapes) < 2:
            _skip("all its tables are read from one address")
        for path in [self.denied["path"]] if self.denied else shapes:
            found, error = self._try(self.config, self.credentials, Denying(self._transport(), path))
            if found is None or error is not None:
                assert not self.denied, f"{path} was denied, and all ended with {error}"
                continue
            assert not found.report.complete, f"{path} was denied, and the run looks whole"
            if self.denied:
                assert found.report.tables[self.denied["table"]].errors, f"{path} was denied, with no error"
            assert_untouched(found, whole, path)

    def test_it_prints_nothing(self, capfd: Any) -> None:
        """What it has to say goes to `self.log`: what is printed reaches nobody, or an answer for machines."""
        capfd.readouterr()
        self._good()
        if self._has_check:
            self._check(self.config, self.credentials, self._http())
        printed = "".join(capfd.readouterr())
        assert not printed, f"it prints: {printed[:200]!r}"

    # -- running it

    @property
    def _cls(self) -> type[Connector]:
        if isinstance(self.connector, type):
            assert self.connector is not Connector, "say which: `connector = ...` in the class"
            return self.connector
        return load_connector(str(self.connector), self.folder or Path.cwd())

    @property
    def _has_check(self) -> bool:
        return self._cls.check is not Connector.check

    def _configure(self, config: Mapping[str, Any]) -> Any:
        return configure(self._cls, config, self.credentials)

    def _options(self) -> dict[str, Any]:
        self.window = self.window or today()  # one for the whole test, also at midnight
        return {"window": self.window, "folder": self.folder}

    def _http(self) -> Http:
        return self.http() or NoHttp()

    def _transport(self) -> httpx.BaseTransport:
        http = self._http()
        return http if isinstance(http, httpx.BaseTransport) else httpx.WSGITransport(app=http)

    def _good(self, http: Http | None = None, **options: Any) -> Extract:
        """An extract with what is right, which must be whole."""
        found = run_connector(
            self._cls,
            self.config,
            self.credentials,
            http=http or self._http(),
            **self._options(),
            **copy.deepcopy(options),
        )
        assert found.error is None, f"the extract failed: {found.error}"
        rejects = [f"{reject.location}: {reject.cause}" for reject in found.report.rejects]
        said = "; ".join([*found.report.warnings, *rejects][:SHOWN])
        assert found.report.complete, f"the extract is not whole: {said}"
        return found

    def _try(
        self, config: Mapping[str, Any], credentials: Mapping[str, Any], http: Http
    ) -> tuple[Extract | None, Exception | None]:
        """What an extract gave, None where a foreign exception ended it, and what it ended with."""
        try:
            found = run_connector(self._cls, config, credentials, http=http, **self._options())
        except Exception as error:  # noqa: BLE001 - a run shows any exception as its failure
            return None, error
        return found, found.error

    def _check(
        self, config: Mapping[str, Any], credentials: Mapping[str, Any], http: Http
    ) -> Sequence[CheckResult]:
        if not self._has_check:
            _skip("it has no check")
        try:
            return check_connector(self._cls, config, credentials, http=http, **self._options())
        except HeadwaterError:
            raise
        except (Exception, SystemExit) as error:
            hint = "give a CheckResult, or raise one of connectors.errors"
            raise AssertionError(f"check raised {type(error).__name__}: {error}; {hint}") from error

    def _wrong(self) -> list[tuple[Mapping[str, Any], Mapping[str, Any], Http]]:
        """Ways to have no access. Skips the test where there is none."""
        config = {**self.config, **(self.wrong_config or {})}
        self._configure(config)  # what does not validate would try nothing
        credentials = self.credentials if self.wrong_credentials is None else self.wrong_credentials
        asks = self.http() is not None
        if not asks and self.wrong_config is None and self.wrong_credentials is None:
            _skip("it asks nothing over HTTP; give `wrong_config` or `wrong_credentials`")
        return [(config, credentials, self.http_refusing() if asks else NoHttp())]

    def _failing(self) -> list[tuple[Mapping[str, Any], Mapping[str, Any], Http]]:
        return [(self.config, self.credentials, self.http_failing())] if self.http() is not None else []

    def _answering(self, status: int) -> httpx.BaseTransport:
        told = {"error": "cannot be used: " + " ".join(self._leaks().secrets)}
        # A client that repeats its calls need not wait.
        headers = {"retry-after": "0"}
        return httpx.MockTransport(lambda request: httpx.Response(status, headers=headers, json=told))

    def _fingerprint(self) -> str | None:
        http = self._http()
        with opened(
            self._cls, self.config, self.credentials, Extract(), http=http, endpoints=None, **self._options()
        ) as running:
            return running.fingerprint()

    # -- secrets

    def _leaks(self) -> Leaks:
        configs = [self.config, {**self.config, **(self.wrong_config or {})}]
        typed = [secret for config in configs for secret in self._cls.secrets(self._configure(config))]
        return Leaks(typed, [self.credentials, self.wrong_credentials or {}])

    def _refuse_in_check(self, config: Mapping[str, Any], credentials: Mapping[str, Any], http: Http) -> None:
        leaks = self._leaks()
        try:
            leaks.refuse_in("check", self._check(config, credentials, http))
        except HeadwaterError as error:
            leaks.refuse_in_error(error)


def _skip(reason: str) -> NoReturn:
    import pytest  # only those who run tests have it

    pytest.skip(reason)
