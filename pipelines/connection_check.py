"""Tries a connection, capability by capability."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connectors.model import CheckResult
    from pipelines.project import Project


def check_connection(project: Project, name: str, log: logging.Logger) -> list[CheckResult]:
    """Its configuration first, then what its connector tries. Trouble is a result; no secret is in one."""
    from datetime import UTC, datetime

    from connectors import Window
    from connectors.config.secrets import RedactingFilter
    from connectors.errors import HeadwaterError
    from connectors.model import CheckResult
    from pipelines.extract import describe
    from pipelines.ingest import Nowhere
    from pipelines.project import open_connector, resolve_connection
    from pipelines.redaction import output_redacted

    try:
        resolved = resolve_connection(project, name)
    except HeadwaterError as error:
        return [CheckResult("configuration", False, error.message, error.hint)]
    found = [CheckResult("configuration", True)]
    now, redact = datetime.now(UTC), resolved.redact
    quiet = RedactingFilter(redact)
    log.addFilter(quiet)
    try:
        with output_redacted(redact):
            connector = open_connector(
                project,
                resolved,
                window=Window("check", now, now),
                ingest=Nowhere(),
                log=log,
            )
            with closing(connector):
                for result in connector.check():
                    capability, message = redact(result.capability), redact(result.message)
                    hint = result.hint and redact(result.hint)
                    found.append(replace(result, capability=capability, message=message, hint=hint))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a connector raises is that connection's fault, shown as such
        found.append(CheckResult("check", False, redact(describe(error))))
    finally:
        log.removeFilter(quiet)
    return found
