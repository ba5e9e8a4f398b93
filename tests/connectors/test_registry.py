from __future__ import annotations

import sys
import textwrap

import pytest
from pydantic import SecretStr

from connectors import Connector, ConnectorConfig
from connectors.errors import ConfigError
from connectors.registry import configure, connector_names, is_path, load_connector

OURS = """
from connectors import Connector, ConnectorConfig, Resource

class Shelf(Connector):
    class Config(ConnectorConfig):
        shelf: str
    def extract(self):
        self.declare_resource(Resource(entity_type="table", databuilder_id=self.config.shelf))
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A distribution that offers connectors, installed."""
    info = tmp_path / "shelves-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shelves\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[headwater.connectors]\n"
        "bookshelf = shelves_of_test:Shelf\n"
        "crooked = shelves_of_test:OURS\n"
        "absent = no_such_module_of_test:Shelf\n"
    )
    (tmp_path / "shelves_of_test.py").write_text(OURS + "\nOURS = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("shelves_of_test", None)


@pytest.fixture
def file(tmp_path):
    def write(text: str, name: str = "own.py") -> str:
        (tmp_path / name).write_text(textwrap.dedent(text))
        return name

    return write


def test_installed_connectors_are_found_by_name_and_loaded_when_asked_for(installed):
    assert {"bookshelf", "crooked", "absent"} <= set(connector_names())
    assert "shelves_of_test" not in sys.modules
    assert load_connector("bookshelf", installed).__name__ == "Shelf"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("bookshelv", "did you mean bookshelf?"),
        ("zzz", "there are .*bookshelf"),
        ("crooked", "crooked is not a Connector: shelves_of_test:OURS"),
        ("absent", "absent cannot be loaded: ModuleNotFoundError"),
    ],
)
def test_a_name_that_cannot_be_loaded_says_what_to_do(installed, name, says):
    with pytest.raises(ConfigError, match=says):
        load_connector(name, installed)


@pytest.mark.parametrize("text", ["own.py", "./a/own.py", "a\\own", "/abs/own.py", "a/b"])
def test_a_path_is_told_from_a_name(text):
    assert is_path(text)
    assert not is_path("postgres")


def test_a_connector_of_ours_is_loaded_from_its_file(file, tmp_path):
    cls = load_connector("./" + file(OURS), tmp_path)
    assert issubclass(cls, Connector)
    assert cls.__name__ == "Shelf"


@pytest.mark.parametrize(
    "text",
    [
        "import secodadk",
        "from secodadk.core import SecodaIntegration",
        "def late():\n    from secodadk import *",
        "raise SystemExit('never run here')\nimport os, secodadk.strats.core as s",
    ],
)
def test_a_secoda_integration_is_hosted_and_not_run(file, tmp_path, text):
    cls = load_connector(file(text), tmp_path)
    assert cls.__name__ == "own"
    assert configure(cls, {}).script == str(tmp_path / "own.py")
    assert configure(cls, {"limits": {"wall_s": 5}}, {"script": "a form's own field"}).limits.wall_s == 5


@pytest.mark.parametrize("text", ["x = 'import secodadk'", "from .secodadk import x", "# import secodadk"])
def test_only_an_import_makes_a_secoda_integration(file, tmp_path, text):
    with pytest.raises(ConfigError):
        load_connector(file(text), tmp_path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1", r"own\.py must hold exactly one connector, and holds none"),
        (OURS + "class Other(Shelf): pass\n", "holds Other, Shelf"),
        ("from connectors import Connector\nclass Half(Connector): pass", "holds none"),
        ("x = (", r"own\.py:1: not Python"),
        ("x = 1\nraise KeyError('a')", r"own\.py:2: cannot be loaded: KeyError"),
        (
            "import sys\nsys.exit('no')",
            r"own\.py:2: cannot be loaded: the connector called sys\.exit\('no'\)",
        ),
        ("import no_such_module_of_test", r"own\.py:1: cannot be loaded: ModuleNotFoundError"),
        ("\0", "not Python"),
    ],
)
def test_a_file_without_exactly_one_connector_says_where_and_why(file, tmp_path, text, says):
    with pytest.raises(ConfigError, match=says):
        load_connector(file(text), tmp_path)


def test_a_missing_file_names_the_nearest(file, tmp_path):
    file(OURS)
    with pytest.raises(ConfigError, match=r"did you mean own\.py\?"):
        load_connector("./onw.py", tmp_path)


class Store(Connector):
    class Config(ConnectorConfig):
        host: str
        password: SecretStr
        port: int = 1

    def extract(self) -> None: ...


def test_a_credential_fills_the_configuration():
    config = configure(Store, {"host": "h"}, {"password": "p4ssword", "extra": "stays a credential"})
    assert config.password.get_secret_value() == "p4ssword"


def test_a_value_in_both_is_a_fault():
    with pytest.raises(ConfigError, match="password: given in the configuration and in the credential"):
        configure(Store, {"host": "h", "password": "a"}, {"password": "b"})


def test_all_faults_are_told_at_once_without_values():
    with pytest.raises(ConfigError, match=r"did you mean port\?") as caught:
        configure(Store, {"prot": "s3cret-value", "port": "n0-number"}, {"password": "p4ssword"})
    assert [fault.partition(":")[0] for fault in caught.value.faults] == ["host", "port", "prot"]
    text = str(caught.value) + repr(caught.value.faults)
    assert not [secret for secret in ("s3cret-value", "n0-number", "p4ssword") if secret in text]
