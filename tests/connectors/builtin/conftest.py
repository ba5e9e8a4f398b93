from tests.connectors.builtin.collecting import connect, extract, failed

__all__ = ["connect", "extract", "failed"]
