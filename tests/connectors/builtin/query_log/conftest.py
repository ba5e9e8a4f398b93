from tests.connectors.builtin.query_log.writing import causes, read, texts, write

__all__ = ["causes", "read", "texts", "write"]
