"""Which place a text names."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from connectors.model.platform_names import SCHEMES, WITHOUT_AUTHORITY
from lineage.platforms import clouds, files, servers
from lineage.platforms.addresses import Address, read_address
from lineage.platforms.place import Place

LONGEST = 4096  # characters of an address
_END = re.compile(r"[/\s]+\Z")


@lru_cache(maxsize=4096)
def place_of(address: str) -> Place | None:
    """The place that an address names, whatever system wrote it; None for a text that is no address.

    Default ports are filled in, hosts are in lower case, logins and queries left out. Never raises;
    `place_of(place.namespace)` has the same namespace.
    """
    text = address.strip()
    if not text or len(text) > LONGEST or "\0" in text:
        return None
    if text.lower() in WITHOUT_AUTHORITY:
        return Place(text.lower())
    if text.startswith("/"):
        return Place("file", path=files.folder(text))
    if text[:4].lower() == "arn:":
        return clouds.glue(text) or files.s3_object(text)
    if account := clouds.snowflake_account(text):
        return account
    url = read_address(text)
    return _of_url(url) if url else None


def _of_url(url: Address) -> Place | None:
    scheme = SCHEMES.get(url.scheme, url.scheme)
    if special := _PLATFORMS.get(scheme):
        return special(url)
    hosts = url.hosts
    if url.authority is None or not hosts:
        return None
    if scheme in servers.SERVERS:
        return servers.server(scheme, url, hosts)
    # Of an unknown system the path may be what tells one from another.
    return Place(f"{scheme}://{','.join(host.at(None) for host in hosts)}{_END.sub('', url.path)}")


_PLATFORMS: dict[str, Callable[[Address], Place | None]] = {
    "mssql": servers.sql_server,
    "oracle": servers.oracle,
    "redshift": servers.redshift,
    **dict.fromkeys(("trino", "presto"), servers.trino),
    "snowflake": clouds.snowflake,
    "bigquery": clouds.bigquery,
    "databricks": clouds.databricks,
    **dict.fromkeys(("awsathena", "athena"), clouds.athena),
    **dict.fromkeys(("http", "https"), clouds.web),
    "azurecosmos": clouds.cosmos,
    "azurekusto": clouds.kusto,
    **dict.fromkeys(("s3", "gs"), files.bucket),
    **dict.fromkeys(("abfss", "wasbs"), files.container),
    "hdfs": files.hdfs,
    "dbfs": files.dbfs,
    "file": files.file,
    **dict.fromkeys(("duckdb", "sqlite"), files.database_file),
}
