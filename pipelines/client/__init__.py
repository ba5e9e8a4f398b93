"""Clients of `headwater serve`; they import neither Dagster nor the server."""

from pipelines.client.calls import ApiError
from pipelines.client.headwater import HeadwaterClient

__all__ = ["ApiError", "HeadwaterClient"]
