"""A catalogue entry, with the Secoda SDK's fields and three more."""

from __future__ import annotations

import warnings
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from connectors.model.reference import ExternalTable

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message='Field name "schema"', category=UserWarning)

    class Resource(BaseModel):
        """A database, schema, table, column, dashboard_group, dashboard, chart, or any other kind of thing.

        `databuilder_id` is the stable key within its connection; the same key declared again replaces the first.
        `same_as` says that this describes a table which another connection owns.
        """

        model_config = ConfigDict(from_attributes=True, extra="ignore")

        entity_type: str
        databuilder_id: str = Field(min_length=1)
        parent_databuilder_id: str | None = None
        title: str | None = ""
        description: str | None = None
        definition: str | None = None
        external_updated_at: datetime | None = None
        native_type: str | None = None
        owners: list[str] | None = None
        # columns
        sort_order: int | None = None
        type: str | None = None
        is_pk: bool | None = False
        hidden: bool | None = False
        # tables
        schema: str | None = None  # type: ignore[assignment]
        database: str | None = None
        # dashboards, charts
        group: str | None = None
        product: str | None = None
        # headwater's own
        same_as: ExternalTable | None = None
        tags: list[str] = Field(default_factory=list)
        properties: dict[str, str] = Field(default_factory=dict)
