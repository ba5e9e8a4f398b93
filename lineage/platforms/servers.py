"""Databases and brokers at hosts and ports."""

from __future__ import annotations

import re
from typing import NamedTuple

from connectors.model.platform_names import SCHEMES, TWO_LEVELS
from lineage.platforms.addresses import Address, Host, read_hosts, read_oracle
from lineage.platforms.place import Place, namespace_of


class _Server(NamedTuple):
    """A system at hosts and ports. `naming` is its class in OpenLineage's client, where it has one."""

    port: str | None
    naming: str | None = None


# What a producer of events fills in where a URL has no port.
SERVERS = {
    "postgres": _Server("5432", "Postgres"),
    "mysql": _Server("3306", "MySQL"),
    "mssql": _Server("1433"),
    "oracle": _Server("1521", "Oracle"),
    "redshift": _Server("5439", "Redshift"),
    "trino": _Server("8080", "Trino"),
    "presto": _Server("8080"),
    "hive": _Server("10000", "Hive"),
    "db2": _Server("6789", "DB2"),  # OpenLineage's; IBM's own drivers have 446 or 50000
    "clickhouse": _Server("8123"),
    "teradata": _Server("1025", "Teradata"),
    "cassandra": _Server("9042", "Cassandra"),
    "cratedb": _Server("5432", "CrateDB"),
    "oceanbase": _Server("2881", "OceanBase"),
    "vertica": _Server("5433"),
    "kafka": _Server("9092", "Kafka"),
}
_REDSHIFT = re.compile(
    r"(?P<id>[a-z0-9-]+)\.[a-z0-9-]+\.(?P<region>[a-z0-9-]+)\.redshift(?:-serverless)?\.amazonaws\.com(?:\.cn)?",
    re.A,
)


def server(scheme: str, url: Address, hosts: list[Host]) -> Place:
    """Of a database whose URL ends in the database's name; Trino's goes on with the schema's."""
    asked = url.params.get
    first, second = (*url.segments, None, None)[:2]
    database = first or asked("databasename") or asked("database")
    if scheme in TWO_LEVELS:
        return Place(_at(scheme, hosts), None, database)
    schema = second if scheme in ("trino", "presto") else asked("currentschema")
    return Place(_at(scheme, hosts), database, schema)


def _at(scheme: str, hosts: list[Host]) -> str:
    """The namespace of a system at these hosts; of several, all are its name."""
    default, naming = SERVERS[scheme]
    *others, last = [Host(host.name, host.port or default) for host in hosts]
    name = ",".join([*(host.at(None) for host in others), last.name])
    if naming is None:
        return f"{scheme}://{Host(name, last.port).at(None)}"
    return namespace_of(naming, host=name, bootstrap_server_host=name, port=last.port or "")


def sql_server(url: Address) -> Place | None:
    """Of a server or a named instance of it; a database stands in a parameter, or in the path."""
    asked = url.params.get
    name, _, instance = (url.authority or asked("servername") or "").partition("\\")
    instance, sign, port = instance.partition(":")
    hosts = read_hosts(f"{name}{sign}{port}")
    if not hosts:
        return None
    instance = instance or asked("instancename") or (asked("instance") or "" if url.jdbc else "")
    if given := asked("portnumber"):
        hosts = read_hosts(f"{hosts[0].name}:{given}") or hosts
    segments = url.segments
    database = asked("databasename") or asked("database") or (segments[0] if segments else None)
    # A named instance has no port that would be known; a given port alone decides which it is.
    if instance and hosts[0].port is None and re.fullmatch(r"\w+", instance, re.A):
        return Place(f"mssql://{hosts[0].name}\\{instance.lower()}", database)
    return Place(_at("mssql", hosts), database)


def oracle(url: Address) -> Place | None:
    """Of a service, in the forms of its JDBC URLs, or of others."""
    if url.authority is None or url.jdbc:
        rest = url.path if url.authority is None else f"@//{url.authority}{url.path}"
        found = read_oracle(rest)
        return Place(_at("oracle", found[0]), found[1]) if found and found[0] else None
    hosts, segments = url.hosts, url.segments
    service = url.params.get("service_name") or (segments[0] if segments else None)
    return Place(_at("oracle", hosts), service) if hosts else None


def redshift(url: Address) -> Place | None:
    """Of a cluster or a workgroup, whose name and region are in its host's."""
    hosts, segments = url.hosts, url.segments
    if not hosts:
        return None
    host = hosts[0]
    database = segments[0] if segments else None
    if found := _REDSHIFT.fullmatch(host.name):
        port = host.port or "5439"
        namespace = namespace_of(
            "Redshift", cluster_identifier=found["id"], region=found["region"], port=port
        )
        return Place(namespace, database)
    return Place(f"redshift://{host.at('5439')}", database)


def trino(url: Address) -> Place | None:
    """Of a catalogue and a schema."""
    hosts = url.hosts
    if not hosts:
        return None
    scheme = SCHEMES.get(url.scheme, url.scheme)
    secure = url.params.get("ssl", "").lower() == "true"  # then the driver's port is another
    return server(scheme, url, [Host(h.name, h.port or ("443" if secure else None)) for h in hosts])
