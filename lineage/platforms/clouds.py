"""Warehouses and catalogues that are known by an account, a project or a region."""

from __future__ import annotations

import re

from lineage.platforms.addresses import Address
from lineage.platforms.place import Place, namespace_of

_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?", re.I | re.A)
_GLUE = re.compile(r"arn:(aws[a-z-]*):glue:([a-z0-9-]+):(\d+)(?::.*)?", re.I | re.A | re.S)
_GLUE_DATABASE = re.compile(r":(?:table|database)/([^/]+)", re.I)
_SNOWFLAKE = re.compile(r"([a-z0-9_.-]+?)(?:\.privatelink)?\.snowflakecomputing\.(?:com|cn)", re.I | re.A)
_LOCATOR = re.compile(r"[a-z]{2,3}\d{5,6}(?:\.[a-z]+(?:-[a-z0-9]+)+(?:\.(?:aws|gcp|azure))?)?", re.I | re.A)
_DATABRICKS = re.compile(
    r"[a-z0-9.-]+\.(?:cloud\.databricks\.com|azuredatabricks\.net|gcp\.databricks\.com)", re.A
)
_FULL_SERVICE = re.compile(r"\.kusto\.windows\.net\Z", re.A)


def snowflake(url: Address) -> Place | None:
    """Of a database of an account."""
    hosts, segments, asked = url.hosts, (*url.segments, None, None), url.params.get
    account = asked("account") or (hosts[0].name if hosts else "")
    if not _NAME.fullmatch(account):
        return None
    namespace = _account(account)
    return Place(namespace, segments[0] or asked("db") or asked("database"), segments[1] or asked("schema"))


def _account(account: str) -> str:
    """An account as `organization-account`, or as a locator with its region and cloud, which may be left out of it."""
    account = account.lower()
    if found := _SNOWFLAKE.fullmatch(account):
        account = found[1]
    name, *where = account.replace("_", "-").removesuffix(".privatelink").split(".")
    organization, hyphen, rest = name.partition("-")
    if hyphen and organization and rest:
        return namespace_of("Snowflake", organization_name=organization, account_name=rest)
    # What OpenLineage's own producers fill in.
    return f"snowflake://{'.'.join([name, *(where or ['us-west-1']), *(['aws'] if len(where) < 2 else [])])}"


def bigquery(url: Address) -> Place | None:
    """Of a project, which is the database here."""
    asked = url.params.get
    if url.jdbc or (url.authority or "").lower().startswith("http"):
        return Place("bigquery", asked("projectid") or asked("project"), asked("defaultdataset"))
    return Place("bigquery", url.authority or None, url.segments[0] if url.segments else None)


def databricks(url: Address) -> Place | None:
    """Of a workspace's catalogue."""
    hosts, asked = url.hosts, url.params.get
    if not hosts:
        return None
    return Place(f"databricks://{hosts[0].name}", asked("catalog") or asked("conncatalog"), asked("schema"))


def athena(url: Address) -> Place | None:
    """Of a region."""
    asked = url.params.get
    region = asked("awsregion") or asked("region") or asked("region_name")
    hosts = url.hosts
    if hosts and (found := re.match(r"athena\.([a-z0-9-]+)\.amazonaws\.com", hosts[0].name)):
        region = found[1]
    if not region or not _NAME.fullmatch(region):
        return None
    namespace = namespace_of("Athena", region_name=region.lower())
    return Place(namespace, asked("catalog"), asked("database") or asked("schema"))


def web(url: Address) -> Place | None:
    """Of the web's addresses, those of systems that are known by theirs."""
    hosts = url.hosts
    if hosts and (found := _SNOWFLAKE.fullmatch(hosts[0].name)):
        return Place(_account(found[1]))
    if hosts and _DATABRICKS.fullmatch(hosts[0].name):
        return Place(f"databricks://{hosts[0].name}")
    return None


def cosmos(url: Address) -> Place | None:
    """Of a database of Cosmos DB, which is part of its namespace."""
    hosts, segments = url.hosts, url.segments
    if not hosts or len(segments) < 2 or segments[0] != "dbs" or not segments[1].strip():
        return None
    database = segments[1]
    if database != database.strip() or "/" in database or "%" in database or "?" in database:
        return None
    return Place(namespace_of("AzureCosmosDB", host=hosts[0].at(None), database=database), database)


def kusto(url: Address) -> Place | None:
    """Of a cluster of Azure Data Explorer."""
    hosts, segments = url.hosts, url.segments
    if not hosts:
        return None
    host = _FULL_SERVICE.sub("", hosts[0].name)
    return Place(namespace_of("AzureDataExplorer", host=host), None, segments[0] if segments else None)


def glue(text: str) -> Place | None:
    """Of an ARN."""
    found = _GLUE.fullmatch(text)
    if found is None:
        return None
    partition, region, account = found[1].lower(), found[2].lower(), found[3]
    database = _GLUE_DATABASE.search(text)
    namespace = namespace_of("AWSGlue", region_name=region, account_id=account)
    if partition != "aws":  # China's and the government's
        namespace = namespace.replace("arn:aws:", f"arn:{partition}:", 1)
    return Place(namespace, None, database[1] if database else None)


def snowflake_account(text: str) -> Place | None:
    """Of an account as Snowflake's own tools write it: its host, or its locator."""
    if found := _SNOWFLAKE.fullmatch(text):
        return Place(_account(found[1]))
    return Place(_account(text)) if _LOCATOR.fullmatch(text) else None
