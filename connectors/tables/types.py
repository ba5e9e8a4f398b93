"""The types that Arrow does not have by itself. Their text form is what is stored."""

from __future__ import annotations

import pyarrow as pa

_JSON = pa.json_(pa.string())
_UUID = pa.uuid()


class InetType(pa.ExtensionType):  # type: ignore[misc]  # pyarrow has no types
    """An IP address or network, as text. CloudQuery's plugins call it `inet`."""

    def __init__(self) -> None:
        super().__init__(pa.string(), "inet")

    def __arrow_ext_serialize__(self) -> bytes:
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type: pa.DataType, serialized: bytes) -> InetType:
        return cls()

    def __reduce__(self) -> tuple[type[InetType], tuple[()]]:
        return InetType, ()

    def __str__(self) -> str:
        return "inet"


def JSONType() -> pa.DataType:
    """JSON as text: Arrow's canonical `arrow.json`."""
    return _JSON


def UUIDType() -> pa.DataType:
    """A UUID as 16 bytes: Arrow's canonical `arrow.uuid`."""
    return _UUID


def is_json(kind: pa.DataType) -> bool:
    return isinstance(kind, pa.BaseExtensionType) and kind.extension_name in ("arrow.json", "json")


def is_uuid(kind: pa.DataType) -> bool:
    return isinstance(kind, pa.BaseExtensionType) and kind.extension_name in ("arrow.uuid", "uuid")


def is_inet(kind: pa.DataType) -> bool:
    return isinstance(kind, pa.BaseExtensionType) and kind.extension_name == "inet"
