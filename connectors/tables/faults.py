"""What foreign code raises, as the trouble of one table."""

from __future__ import annotations

import traceback

from connectors.errors import ConnectorError, HeadwaterError
from connectors.model.dataset import shown

_TRACE = 4000  # characters: the end of a trace says where


def as_error(error: BaseException) -> Exception:
    """What wanted to end a thread, or the process, as the trouble of one table."""
    if isinstance(error, Exception):
        return error
    if isinstance(error, SystemExit):
        return ConnectorError(f"the resolver called sys.exit({error.code!r})")
    return ConnectorError(f"the resolver raised {type(error).__name__}")


def described(error: BaseException) -> str:
    """An error in one line: headwater's own speak for themselves, others with their type."""
    try:
        text = shown(" ".join(str(error).split()))
    except Exception:  # noqa: BLE001 - an error of others may not even tell itself
        text = "says nothing"
    return text if isinstance(error, HeadwaterError) else f"{type(error).__name__}: {text}"


def as_one(table: str, error: Exception) -> HeadwaterError:
    """The error of a run in which no table could be read."""
    if isinstance(error, HeadwaterError):
        return type(error)(
            f"{table}: {error.message}", hint=error.hint, retryable=error.retryable, **error.context
        )
    return ConnectorError(f"{table}: {described(error)}")


def trace_of(error: BaseException) -> str:
    """The end of an error's trace, for the log."""
    trace = "".join(traceback.format_exception(error))
    return trace if len(trace) <= _TRACE else f"...{trace[-_TRACE:]}"
