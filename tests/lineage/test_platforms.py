"""Addresses of many kinds, and the names of datasets, in OpenLineage's words."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openlineage.client.naming import dataset as official

from lineage.platforms import Place, dataset_name, dataset_parts, place_of

PG = "postgres://db.example.com:5432"
RED = "examplecluster.abc123xyz789.us-west-2.redshift.amazonaws.com"
# fmt: off
PLACES = {
    # PostgreSQL, in everybody's words
    "jdbc:postgresql://DB.example.com:5432/shop?user=ada&password=canary": (PG, "shop"),
    "jdbc:postgresql://db.example.com/shop?currentSchema=sales": (PG, "shop", "sales"),
    "postgresql+psycopg://ada:canary@Db.Example.com/shop?sslmode=require": (PG, "shop"),
    "postgresql+asyncpg://ada:c%40n@db.example.com:05432/shop": (PG, "shop"),
    "postgres://ada:c@nary@db.example.com:5432": (PG,),
    PG: (PG,),
    "jdbc:postgresql://h1,h2:5433/shop": ("postgres://h1:5432,h2:5433", "shop"),
    "postgres://[::1]:5432/shop": ("postgres://[::1]:5432", "shop"),
    # two levels: what stands before the table is its schema, as in SQL
    "jdbc:mysql://h/shop?useSSL=false": ("mysql://h:3306", None, "shop"),
    "jdbc:mysql:loadbalance://h/shop": ("mysql://h:3306", None, "shop"),
    "jdbc:mariadb://h:3307/shop": ("mysql://h:3307", None, "shop"),
    "mysql+pymysql://ada:canary@h/shop": ("mysql://h:3306", None, "shop"),
    "jdbc:hive2://h:10000/db;ssl=true?hive.x=1": ("hive://h:10000", None, "db"),
    "hive://metastore:9083": ("hive://metastore:9083",),
    "jdbc:clickhouse://h/db": ("clickhouse://h:8123", None, "db"),
    "jdbc:clickhouse:http://h:8123/db": ("clickhouse://h:8123", None, "db"),
    "clickhouse+native://h:9000/db": ("clickhouse://h:9000", None, "db"),
    # SQL Server
    "jdbc:sqlserver://h;databaseName=shop;user=ada;password={ca;na/r@y}": ("mssql://h:1433", "shop"),
    "jdbc:sqlserver://h:1444;database=shop": ("mssql://h:1444", "shop"),
    r"jdbc:sqlserver://h\Inst;databaseName=shop": (r"mssql://h\inst", "shop"),
    r"jdbc:sqlserver://h\inst:1444": ("mssql://h:1444",),
    "jdbc:sqlserver://;serverName=h;portNumber=1444": ("mssql://h:1444",),
    "jdbc:jtds:sqlserver://h:1433/shop": ("mssql://h:1433", "shop"),
    "mssql+pyodbc://ada:canary@h/shop?driver=ODBC+Driver+18": ("mssql://h:1433", "shop"),
    # Oracle
    "jdbc:oracle:thin:@//DB:1521/svc": ("oracle://db:1521", "svc"),
    "jdbc:oracle:thin:@db:1521:SID": ("oracle://db:1521", "SID"),
    "jdbc:oracle:thin:scott/canary@db:1521/svc": ("oracle://db:1521", "svc"),
    "jdbc:oracle:thin:@tcps://db:2484/svc?wallet_location=x": ("oracle://db:2484", "svc"),
    "jdbc:oracle:thin:@(DESCRIPTION=(ADDRESS=(PROTOCOL=tcp)(HOST=db)(PORT=1521))"
    "(CONNECT_DATA=(SERVICE_NAME=svc)))": ("oracle://db:1521", "svc"),
    "oracle+oracledb://ada:canary@db/?service_name=svc": ("oracle://db:1521", "svc"),
    # warehouses
    "jdbc:snowflake://xy12345.eu-west-1.aws.snowflakecomputing.com/?db=D&schema=S&user=ada":
        ("snowflake://xy12345.eu-west-1.aws", "D", "S"),
    "snowflake://ada:canary@XY12345/D/S?warehouse=w": ("snowflake://xy12345.us-west-1.aws", "D", "S"),
    "snowflake://ada:canary@myorg-my_account/D": ("snowflake://myorg-my-account", "D"),
    "https://myorg-my-account.snowflakecomputing.com/console": ("snowflake://myorg-my-account",),
    "myorg-acct.privatelink.snowflakecomputing.com": ("snowflake://myorg-acct",),
    "xy12345": ("snowflake://xy12345.us-west-1.aws",),
    "xy12345.eu-central-1": ("snowflake://xy12345.eu-central-1.aws",),
    "xy12345.east-us-2.azure": ("snowflake://xy12345.east-us-2.azure",),
    "snowflake://org-account": ("snowflake://org-account",),
    f"jdbc:redshift://{RED}:5439/dev": ("redshift://examplecluster.us-west-2:5439", "dev"),
    f"jdbc:redshift:iam://{RED}/dev": ("redshift://examplecluster.us-west-2:5439", "dev"),
    f"redshift://{RED}:5439": ("redshift://examplecluster.us-west-2:5439",),
    "redshift+redshift_connector://ada:canary@wg.123456789012.eu-west-1.redshift-serverless.amazonaws.com/dev":
        ("redshift://wg.eu-west-1:5439", "dev"),
    "jdbc:trino://h/hive/sales?SSL=true": ("trino://h:443", "hive", "sales"),
    "trino://ada:canary@h:8080/hive/sales": ("trino://h:8080", "hive", "sales"),
    "jdbc:presto://h:8080/hive": ("presto://h:8080", "hive"),
    "bigquery": ("bigquery",),
    "bigquery://proj/sales": ("bigquery", "proj", "sales"),
    "jdbc:bigquery://https://www.googleapis.com/bigquery/v2:443;ProjectId=proj;OAuthType=0;": ("bigquery", "proj"),
    "jdbc:db2://h:50000/SHOP": ("db2://h:50000", "SHOP"),
    "databricks://token:canary@adb-1.azuredatabricks.net:443?http_path=x&catalog=c&schema=s":
        ("databricks://adb-1.azuredatabricks.net", "c", "s"),
    "https://adb-1.2.azuredatabricks.net/?o=1": ("databricks://adb-1.2.azuredatabricks.net",),
    "jdbc:awsathena://AwsRegion=eu-west-1;S3OutputLocation=s3://x": ("awsathena://athena.eu-west-1.amazonaws.com",),
    "arn:aws:glue:us-east-1:123456789012:table/db/t": ("arn:aws:glue:us-east-1:123456789012", None, "db"),
    "arn:aws-cn:glue:cn-north-1:123456789012": ("arn:aws-cn:glue:cn-north-1:123456789012",),
    # files and objects
    "s3://Bucket/a/b/": ("s3://Bucket", None, None, "a/b"),
    "s3a://KEY:canary@bucket/a": ("s3://bucket", None, None, "a"),
    "s3n://bucket": ("s3://bucket",),
    "arn:aws:s3:::bucket/a": ("s3://bucket", None, None, "a"),
    "gcs://bucket/a?X-Goog-Signature=canary": ("gs://bucket", None, None, "a"),
    "abfss://c@acc.dfs.core.windows.net/p/q": ("abfss://c@acc.dfs.core.windows.net", None, None, "p/q"),
    "wasbs://c@acc.blob.core.windows.net/p?sig=canary": ("wasbs://c@acc.dfs.core.windows.net", None, None, "p"),
    "abfss://ws@onelake.dfs.fabric.microsoft.com/l": ("abfss://ws@onelake.dfs.fabric.microsoft.com", None, None, "l"),
    "hdfs://nn/warehouse/": ("hdfs://nn:8020", None, None, "/warehouse"),
    "dbfs:/mnt/x": ("dbfs", None, None, "/mnt/x"),
    "file:///data/my%20file.csv": ("file", None, None, "/data/my file.csv"),
    "file:/data": ("file", None, None, "/data"),
    "file://server/share": ("file://server", None, None, "/share"),
    "/data/in.csv": ("file", None, None, "/data/in.csv"),
    # databases that are a file
    "duckdb:////data/shop.duckdb": ("duckdb:///data/shop.duckdb", "shop"),
    "jdbc:duckdb:/data/shop.duckdb": ("duckdb:///data/shop.duckdb", "shop"),
    "duckdb://shop.duckdb": ("duckdb://shop.duckdb", "shop"),
    "duckdb:///md:shop?motherduck_token=canary": ("duckdb://md:shop", "shop"),
    "jdbc:sqlite:/data/app.db": ("sqlite:///data/app.db",),
    # others
    "kafka://b1:9092,b2": ("kafka://b1:9092,b2:9092",),
    "azurecosmos://h/dbs/d": ("azurecosmos://h/dbs/d", "d"),
    "azurekusto://h.kusto.windows.net": ("azurekusto://h.kusto.windows.net",),
    "headwater://shop/warehouse": ("headwater://shop/warehouse",),
}
# fmt: on
NO_ADDRESS = [
    *("", " ", "prod", "my-namespace", "food_delivery", "two words", "a:b", "shop.sales.orders"),
    *(
        r"C:\data",
        "mailto:ada@example.com",
        "https://example.com/a",
        "{{ var }}://h",
        "postgres://${HOST}:5432",
    ),
    *("jdbc:oracle:thin:@alias", "hdfs:///a", "duckdb:///:memory:", "postgres://", "s3://", "jdbc:", "\0"),
    "postgres://ada:ca/nary@h/shop",  # a password with a slash: no part of it may come out
    "s3a://KEY:ca/nary@bucket/a",
]


@pytest.mark.parametrize("address", PLACES)
def test_an_address_names_one_place_in_whatever_words(address):
    place = place_of(address)
    assert place == Place(*PLACES[address])
    assert "canary" not in str(place)


@pytest.mark.parametrize("address", NO_ADDRESS)
def test_what_is_no_address_names_no_place(address):
    assert place_of(address) is None


@pytest.mark.parametrize("address", PLACES)
def test_a_place_s_namespace_names_itself(address):
    namespace = place_of(address).namespace
    assert place_of(namespace).namespace == namespace


_SCHEMES = sorted(
    {address.partition(":")[0] for address in PLACES} | {f"jdbc:{s}" for s in ("mysql", "oracle:thin")}
)
_PIECE = st.text(st.sampled_from("aB1.-_@:/;?=&%\\[](),~ \té"), max_size=12)


@settings(deadline=None)
@given(st.one_of(st.text(), st.builds(lambda s, sep, a, b: f"{s}{sep}{a}{b}", st.sampled_from(_SCHEMES),
    st.sampled_from([":", "://", ":@", ":@//", ":(HOST="]), _PIECE, _PIECE)))  # fmt: skip
def test_any_text_has_a_place_or_none_and_the_place_is_stable(text):
    place = place_of(text)
    if place is not None:
        again = place_of(place.namespace)
        assert again is not None
        assert again.namespace == place.namespace
    dataset_parts(text, text)


# -- names of datasets

ARGUMENTS = {
    "region_name": "eu-west-1", "account_id": "123456789012", "host": "h", "port": "5432", "region": "us-west-2",
    "cluster_identifier": "c", "organization_name": "org", "account_name": "acct", "container": "c", "workspace": "ws",
    "service": "acc", "service_name": "svc", "bucket_name": "b", "namenode_host": "nn", "namenode_port": "8020",
    "bootstrap_server_host": "h", "project_id": "proj", "resource_id": "t",
    "resource_type": official.PubSubResourceType.TOPIC,
    "catalog": "d1", "database": "d1", "database_name": "s1", "dataset_name": "s1", "keyspace": "s1", "schema": "s1",
    "table": "t1", "table_name": "t1", "topic": "t1", "path": "/a/t1", "object_key": "a/t1",
}  # fmt: skip
CLASSES = [
    one for one in vars(official).values()
    if isinstance(one, type) and getattr(one, "__attrs_attrs__", None) and hasattr(one, "get_namespace")
]  # fmt: skip


@pytest.mark.parametrize("naming", CLASSES, ids=lambda one: one.__name__)
def test_every_name_of_the_official_client_is_read_and_written(naming):
    made = naming(**{field.name: ARGUMENTS[field.name] for field in naming.__attrs_attrs__})
    namespace, name = made.get_namespace(), made.get_name()
    assert place_of(namespace) is not None
    if naming is not official.AzureSynapse:  # whose namespace is also SQL Server's, under another name
        assert place_of(namespace).namespace == namespace
    parts = dataset_parts(namespace, name)
    assert parts.table in ("t1", "/a/t1", "a/t1", "topic:proj:t")
    assert dataset_name(namespace, *parts) == (name.lstrip("/") if naming is official.ABFSS else name)


@pytest.mark.parametrize(("namespace", "name", "parts"), [
    (PG, "shop.sales.orders", ("shop", "sales", "orders")),
    (PG, "sales.orders", (None, "sales", "orders")),
    (PG, "orders", (None, None, "orders")),
    (PG, '"sh.op".sales."or""ders"', ("sh.op", "sales", 'or"ders')),
    (PG, "shop.sales.or.ders", ("shop", "sales", "or.ders")),
    (PG, 'shop."sales.orders', ("shop", None, None)),
    ("mssql://h:1433", "shop..orders", ("shop", None, "orders")),
    ("mssql://h:1433", "[sh.op].[dbo].[orders]", ("sh.op", "dbo", "orders")),
    ("mysql://h:3306", "shop.orders", (None, "shop", "orders")),
    ("hive://metastore:9083", "spark_catalog.sales.orders", ("spark_catalog", "sales", "orders")),
    ("databricks://h", "`main`.`sa.les`.orders", ("main", "sa.les", "orders")),
    ("awsathena://athena.eu-west-1.amazonaws.com", "awsdatacatalog.db.t", ("awsdatacatalog", "db", "t")),
    ("arn:aws:glue:us-east-1:123456789012", "table/db/t", (None, "db", "t")),
    ("duckdb://shop.duckdb", "shop.main.Stg Orders", ("shop", "main", "Stg Orders")),
    ("food_delivery", "public.orders", (None, "public", "orders")),
    ("my-jobs", "a/b.csv", (None, None, "a/b.csv")),
    ("s3://bucket", "/warehouse/sales.db/orders/", (None, None, "warehouse/sales.db/orders")),
    ("s3://bucket/warehouse", "sales.orders", (None, "sales", "orders")),  # a catalogue that is a folder
    ("file:/tmp/warehouse", "default.orders", (None, "default", "orders")),
    ("file", "/tmp/a.b.csv", (None, None, "/tmp/a.b.csv")),
    ("kafka://h:9092", "orders.v1", (None, None, "orders.v1")),
])  # fmt: skip
def test_a_dataset_s_name_is_split_by_its_platform_s_rule(namespace, name, parts):
    if parts[-1] is None:  # a quote that does not end is a character as any other
        assert dataset_parts(namespace, name) == ("shop", '"sales', "orders")
    else:
        assert dataset_parts(namespace, name) == parts


_PART = st.text(st.sampled_from('aB1."`[] é'), min_size=1, max_size=6)
_THREE = st.tuples(st.one_of(st.none(), _PART), _PART, _PART)


@settings(deadline=None)
@given(st.sampled_from([PG, "snowflake://org-acct", "bigquery", "food_delivery"]), _THREE)
def test_what_is_written_is_read(namespace, parts):
    assert dataset_parts(namespace, dataset_name(namespace, *parts)) == parts


def test_the_official_client_is_loaded_when_it_is_used():
    code = """
import sys, connectors, lineage, lineage.platforms
assert not any(name.startswith("openlineage") for name in sys.modules)
from lineage.platforms import place_of
assert place_of("prod") is None
assert not any(name.startswith("openlineage") for name in sys.modules)
assert place_of("postgres://h").namespace == "postgres://h:5432"
assert "openlineage.client" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
