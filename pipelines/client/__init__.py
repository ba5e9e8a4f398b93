"""Clients of `headwater serve`; they import neither Dagster nor the server."""

from pipelines.client.calls import ApiError
from pipelines.client.headwater import HeadwaterClient
from pipelines.client.nexla import NexlaWords, nexla_client

__all__ = ["ApiError", "HeadwaterClient", "NexlaWords", "nexla_client"]
