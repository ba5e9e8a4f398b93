"""Every error that headwater raises on purpose.

Trouble in data (a bad line, SQL that does not parse) is recorded as a value and counted; these are for trouble
that stops what was asked for. A message says what happened, to what, and what to do.
"""

from __future__ import annotations

from typing import Any


class HeadwaterError(Exception):
    """The root. `hint` says what to do; `retryable` whether the same call may succeed later.

    `context` holds facts for machines (host, status, connection); it must never hold a secret.
    """

    def __init__(
        self, message: str, *, hint: str | None = None, retryable: bool = False, **context: Any
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.retryable = retryable
        self.context = context

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.hint, self.retryable, self.context)


def _rebuild(
    cls: type[HeadwaterError], message: str, hint: str | None, retryable: bool, context: dict[str, Any]
) -> HeadwaterError:
    return cls(message, hint=hint, retryable=retryable, **context)


class ConfigError(HeadwaterError):
    """The project's file or a connection's configuration is wrong. `faults` holds one line for each fault."""

    def __init__(self, message: str, *, faults: tuple[str, ...] = (), **kw: Any) -> None:
        super().__init__(message, faults=faults, **kw)
        self.faults = faults


class ConnectorError(HeadwaterError):
    """A source could not be read."""


class Unreachable(ConnectorError):
    """The source's host does not answer."""


class AuthFailed(ConnectorError):
    """The source refused the credential."""


class AccessDenied(ConnectorError):
    """The credential is good, and may not read this; or an address outside the declared endpoints was asked for."""


class RateLimited(ConnectorError):
    """The source asked for fewer calls, longer than the policy waits."""


class UnexpectedAnswer(ConnectorError):
    """The source answered with something that is not what its contract says."""


class ScriptFailed(ConnectorError):
    """A hosted integration raised, crashed, ran out of its limits or broke the protocol."""


class DatasetError(HeadwaterError):
    """Records could not be read, transformed or written."""


class LineageError(HeadwaterError):
    """A question to the graph cannot be answered: an unknown id, an id that is not unique, no graph yet."""


class StoreError(LineageError):
    """The store cannot be opened, read or written."""


class RunError(HeadwaterError):
    """A run was refused or could not be started."""
