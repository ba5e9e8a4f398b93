"""What sinks that write to an object store are told, and its errors in our words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath

from pydantic import Field, SecretStr

from connectors.connector import ConnectorConfig
from connectors.errors import DatasetError
from connectors.sinks.sink import Target

# What the libraries' words hold, by cause; the words themselves may quote a value, or the options of the store.
_CAUSES: tuple[tuple[str, str, str | None, bool], ...] = (
    ("No space left", "the disk is full", None, False),
    (
        r"NoSuchBucket|NO_SUCH_BUCKET|Bucket '.*' not found",
        "there is no such bucket",
        "create it, or look at the URL",
        False,
    ),
    (
        r"ACCESS_DENIED|INVALID_ACCESS_KEY_ID|INVALID_CLIENT_TOKEN|SIGNATURE_DOES_NOT_MATCH"
        r"|necessary privileges|authentication credentials|\b40[13] (?:Forbidden|Unauthorized)",
        "the store refused the login",
        "look at access_key_id and secret_access_key, and at what they may do",
        False,
    ),
    (
        "NETWORK_CONNECTION|error sending request|Could not connect",
        "the store does not answer",
        "look at `endpoint` and `region`, and whether the store is up",
        True,
    ),
    (
        r"SLOW_DOWN|SERVICE_UNAVAILABLE|INTERNAL_FAILURE|REQUEST_TIMEOUT|after \d+ retries",
        "the store failed",
        "try again later",
        True,
    ),
)


class StoreLogin(ConnectorConfig):
    """The login of a store that speaks S3; without one, the environment's."""

    region: str | None = Field(None, description="Of S3")
    endpoint: str | None = Field(None, description="Of a store that speaks S3, such as http://localhost:9000")
    access_key_id: str | None = None
    secret_access_key: SecretStr | None = None

    def secret(self) -> str | None:
        return self.secret_access_key.get_secret_value() if self.secret_access_key else None


def store_target(root: str, uri: str) -> Target:
    """The target `uri` below the folder or URL `root`."""
    scheme, separator, rest = root.partition("://")
    if not separator:
        return Target(uri, "file", "file", table=uri)
    bucket = PurePosixPath(rest).parts[0] if rest else ""
    address = f"{scheme}://{bucket}"
    return Target(uri, scheme, address, table=uri.removeprefix(f"{address}/"))


@contextmanager
def told(uri: str, *errors: type[Exception]) -> Iterator[None]:
    """Errors of these types come out as DatasetError, of a store that is away as a retryable one."""
    try:
        yield
    except errors as error:
        words = str(error)
        for pattern, cause, hint, retryable in _CAUSES:
            if re.search(pattern, words):
                raise DatasetError(
                    f"{uri} cannot be written: {cause}", hint=hint, retryable=retryable
                ) from error
        cause = getattr(error, "strerror", None) or type(error).__name__
        raise DatasetError(f"{uri} cannot be written: {cause}") from error
