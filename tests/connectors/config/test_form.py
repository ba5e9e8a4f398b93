from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Literal

from pydantic import AnyUrl, BaseModel, Field, SecretStr

from connectors.config.form import FormField, form_fields


class Size(Enum):
    SMALL = "s"
    LARGE = "l"


class Inner(BaseModel):
    depth: int = 1
    key: SecretStr


class Everything(BaseModel):
    host: str = Field(description="its address")
    password: SecretStr
    token: SecretStr | None = None
    site: AnyUrl
    folder: Path
    port: int | None = 5432
    share: float = 0.5
    strict: bool = False
    schemas: list[str] = []
    mode: Literal["fast", "safe"] = "safe"
    size: Size | None = None
    options: dict[str, str] = {}
    either: int | str = 1
    inner: Inner
    spare: Inner | None = None


def test_every_kind_of_field_is_shown():
    fields = {field.name: field for field in form_fields(Everything)}
    assert {name: field.type for name, field in fields.items()} == {
        "host": "text",
        "password": "secret",
        "token": "secret",
        "site": "url",
        "folder": "file",
        "port": "int",
        "share": "number",
        "strict": "bool",
        "schemas": "list",
        "mode": "choice",
        "size": "choice",
        "options": "json",
        "either": "json",
        "inner.depth": "int",
        "inner.key": "secret",
        "spare.depth": "int",
        "spare.key": "secret",
    }
    assert [name for name, field in fields.items() if field.required] == [
        "host",
        "password",
        "site",
        "folder",
        "inner.key",
    ]
    assert fields["host"] == FormField("host", "text", required=True, secret=False, help="its address")
    assert (fields["mode"].default, fields["mode"].choices) == ("safe", ("fast", "safe"))
    assert fields["size"].choices == ("s", "l")
    assert fields["port"].default == 5432


def test_a_secret_shows_no_default():
    class Config(BaseModel):
        key: SecretStr = SecretStr("never shown")

    [field] = form_fields(Config)
    assert field.default is None
    assert field.secret
    assert not field.required
