"""Record work on Arrow and DuckDB: transforms (`transform`), rules (`rules`, `checks`), and the locked engine that runs
both (`engine`). It imports neither store nor Dagster.
"""
