"""Files, folders and objects; and databases that are one file."""

from __future__ import annotations

import re
from urllib.parse import unquote

from connectors.model.platform_names import SCHEMES
from lineage.platforms.addresses import Address
from lineage.platforms.place import Place, namespace_of

_BUCKETS = {"s3": "S3", "gs": "GCS"}
_CONTAINERS = {"abfss": "ABFSS", "wasbs": "WASBS"}
_BUCKET = re.compile(r"[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?", re.I | re.A)
_CONTAINER = re.compile(r"(\$?[a-z0-9-]+)@([a-z0-9.-]+)", re.I | re.A)
_S3_ARN = re.compile(r"arn:aws[a-z-]*:s3:::([^/]+)(?:/(.*))?", re.I | re.A | re.S)


def folder(path: str) -> str:
    """A path with one slash at its beginning and none at its end."""
    text = path.rstrip("/")
    return "/" + text.lstrip("/") if path.startswith("/") else text


def s3_object(text: str) -> Place | None:
    """Of an ARN."""
    found = _S3_ARN.fullmatch(text)
    if found is None or not _BUCKET.fullmatch(found[1]):
        return None
    return Place(namespace_of("S3", bucket_name=found[1]), path=(found[2] or "").strip("/") or None)


def bucket(url: Address) -> Place | None:
    """Of an object, or its bucket."""
    scheme, bucket = SCHEMES.get(url.scheme, url.scheme), url.authority or ""
    if not _BUCKET.fullmatch(bucket):
        return None
    return Place(namespace_of(_BUCKETS[scheme], bucket_name=bucket), path=url.path.strip("/") or None)


def container(url: Address) -> Place | None:
    """Of a blob of Azure, or its container."""
    scheme = SCHEMES.get(url.scheme, url.scheme)
    found = _CONTAINER.fullmatch(url.authority or "")
    if found is None:
        return None
    container, host = found[1].lower(), found[2].lower()
    service = re.sub(r"\.(?:dfs|blob)\.core\.windows\.net\Z", "", host)
    if "." in service:  # another cloud's, or OneLake
        return Place(f"{scheme}://{container}@{host}", path=url.path.strip("/") or None)
    known = {"container": container, "service": service, "service_name": service}
    return Place(namespace_of(_CONTAINERS[scheme], **known), path=url.path.strip("/") or None)


def hdfs(url: Address) -> Place | None:
    """Of a path of HDFS; None where it leaves the name node to the client."""
    hosts = url.hosts
    if len(hosts) != 1:
        return None
    namespace = namespace_of("HDFS", namenode_host=hosts[0].name, namenode_port=hosts[0].port or "8020")
    return Place(namespace, path=folder(url.path) if url.path else None)


def dbfs(url: Address) -> Place | None:
    """Of a path of Databricks' file system, whose workspace may be left out."""
    path = folder(url.path) if url.path else None
    if not url.authority:
        return Place("dbfs", path=path)
    hosts = url.hosts
    return Place(namespace_of("DBFS", workspace=hosts[0].at(None)), path=path) if len(hosts) == 1 else None


def file(url: Address) -> Place | None:
    """Of a path of this machine, or of a named one."""
    path = folder(unquote(url.path)) if url.path else None
    if not url.authority or url.authority.lower() == "localhost":
        return Place("file", path=path) if path is None or path.startswith("/") else None
    hosts = url.hosts
    return (
        Place(namespace_of("RemoteFileSystem", host=hosts[0].at(None)), path=path)
        if len(hosts) == 1
        else None
    )


def database_file(url: Address) -> Place | None:
    """A DuckDB or SQLite file is a system of its own; one in memory is nobody else's."""
    given = f"{url.authority or ''}{url.path}"
    path = given.lstrip("/") if "md:" in given[:6] else folder(given) if given else ""
    if not path.strip("/") or ":memory:" in path or path != path.strip() or "@" in path.partition("/")[0]:
        return None
    name = path.rpartition("/")[2].removeprefix("md:")
    return Place(
        f"{url.scheme}://{path}", (name.rpartition(".")[0] or name) if url.scheme == "duckdb" else None
    )
