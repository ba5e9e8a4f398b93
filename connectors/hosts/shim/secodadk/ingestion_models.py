"""The SDK's models: headwater's, without what makes them constant.

Scripts star-import this package, so it also has the typing names that come along with the real one.
"""

import warnings as _warnings
from datetime import datetime  # noqa: F401 - this and the next: part of what a star import gives
from typing import Annotated, List, Literal, Optional, Union  # noqa: UP035, F401

import pydantic
from pydantic import ConfigDict as _ConfigDict
from pydantic import Field

from connectors import model as _model

_CHANGEABLE = _ConfigDict(frozen=False)

with _warnings.catch_warnings():
    _warnings.filterwarnings("ignore", message='Field name "schema"', category=UserWarning)

    class Resource(_model.Resource):
        """A catalogue entry."""

    class ExternalTable(_model.ExternalTable):
        """A table of any connection."""

        model_config = _CHANGEABLE

    class ExternalColumn(_model.ExternalColumn):
        """A column of a table of any connection."""

        model_config = _CHANGEABLE


class InternalResource(_model.InternalResource):
    """A resource of this integration."""

    model_config = _CHANGEABLE


class TablesFromSQLQuery(_model.TablesFromSQLQuery):
    """Every table that a query reads."""

    model_config = _CHANGEABLE


LineageID = Annotated[
    Union[InternalResource, ExternalTable, ExternalColumn, TablesFromSQLQuery],  # noqa: UP007 - as the SDK has it
    Field(discriminator="type"),
]


class DeclaredLineage(pydantic.BaseModel):
    """Data flows from the first to the second."""

    from_identifier: LineageID
    to_identifier: LineageID
