"""SQL text without its literals, and statements that carry credentials."""

import pytest

from lineage.sql import compile_sql
from lineage.sql.credentials import carries_credentials, without_credentials
from lineage.sql.masking import mask_literals

CARRYING = [
    "create user x identified by 'p'",
    "alter user x identified with mysql_native_password by 'p'",
    "alter role x with encrypted password 'p'",
    "create login x with password = N'p'",
    "exec sp_addlogin 'x', 'p'",
    "insert into users (name, password) values ('a', 'p')",
    "copy t from 's3://b' credentials 'aws_access_key_id=a;aws_secret_access_key=p'",
    "copy into t from @s credentials = (aws_key_id = 'a' aws_secret_key = 'p')",
    "unload ('select 1') to 's3://b' access_key_id 'a' secret_access_key 'p'",
    "create stage s url = 'azure://x' credentials = (azure_sas_token = '?sv=p')",
    "create secret s (type s3, key_id 'a', secret 'p')",
    "create database scoped credential c with identity = 'x', secret = 'p'",
    "attach 'postgres://u:p@h/d' as x",
    "select * from dblink('host=h password=p', 'select 1')",
    "create user mapping for x server s options (user 'a', password 'p')",
    "create user x identified by values 'p'",
    "change master to master_user = 'r', master_password = 'p'",
    "create security integration i type = oauth oauth_client_secret = 'p'",
    "create secret s type = generic_string secret_string = 'p'",
    "set my.db_password = 'p'",
    "select set_config('app.client_secret', 'p', false)",
    "select * from openrowset('SQLNCLI', 'Server=s;Uid=sa;Pwd=p;', 'select 1')",
    "exec sp_addlinkedsrvlogin 's', 'false', null, 'sa', 'p'",
    "select encryptbypassphrase('p', a) from t",
    "select pgp_sym_decrypt(a, 'p') from t",
    "select * from mysql('h:3306', 'd', 't', 'root', 'p')",
    "insert into function s3('https://b/x.csv', 'id', 'p', 'CSV') select * from t",
    "select * from read_csv('https://h/x.csv?sv=1&sig=p')",
    "unload ('select a from t') to 's3://b?X-Amz-Signature=p'",
    "attach 'md:x?motherduck_token=p'",
    "set s3_secret_access_key='p'",
    "set spark.hadoop.fs.s3a.secret.key=p",
    "pragma key = 'p'",
    """select http_get('x', '{"x-api-key": "p"}')""",
    "select * from t where jwt = 'eyJhbGciOiJIUzI1NiJ9.e30.abc'",
    "connect scott/p@db",
]
PLAIN = [
    "select id from t where name = 'x'",
    "select token_count, 'a' from t",
    "select password_changed_at from users where id = 1",
    "select a from t where secret_santa = 1",
    "copy t from 's3://bucket/path'",
]


@pytest.mark.parametrize("sql", CARRYING)
def test_statements_with_passwords_keys_and_tokens_are_known(sql: str):
    assert carries_credentials(sql)


@pytest.mark.parametrize("sql", PLAIN)
def test_statements_that_only_sound_like_it_are_not(sql: str):
    assert not carries_credentials(sql)


@pytest.mark.parametrize(
    ("dialect", "sql", "masked"),
    [
        (
            "postgres",
            "select a from t where b = 'x' -- why\n and c = 1.5",
            "select a from t where b = ? and c = ?",
        ),
        ("postgres", 'select "a" from t where b = $$x$$', 'select "a" from t where b = ?'),
        ("mysql", 'select `a` from t where b = "x"', "select `a` from t where b = ?"),
        ("bigquery", "select r'x', b'''y''' from `t`", "select ?, ? from `t`"),
        ("tsql", "select N'x', 0xFF from [t]", "select ?, ? from [t]"),
        ("oracle", "select q'[x]' from t", "select ? from t"),
    ],
)
def test_every_literal_is_masked_and_no_name(dialect: str, sql: str, masked: str):
    assert mask_literals(sql, dialect) == masked


def test_text_that_cannot_be_cut_into_words_is_not_stored():
    assert mask_literals("select 'x", "postgres") is None


UNQUOTED = [
    ("oracle", "create user x identified by hunter22", "create user x identified by ?"),
    ("oracle", 'alter user x identified by "hunter22"', "alter user x identified by ?"),
    (
        "oracle",
        "create database link l connect to u identified by p using 'x'",
        "create database link l connect to u identified by ? using ?",
    ),
    ("teradata", "create user x as password = hunter22", "create user x as password = ?"),
    ("exasol", 'create user x password "hunter22"', "create user x password ?"),
    ("sqlite", "pragma key = hunter22", "pragma key = ?"),
]


@pytest.mark.parametrize(("dialect", "sql", "masked"), UNQUOTED)
def test_passwords_written_as_names_are_masked_too(dialect: str, sql: str, masked: str):
    assert carries_credentials(sql)
    assert mask_literals(sql, dialect) == masked


def test_a_value_of_spark_s_set_is_masked_to_its_end():
    masked = mask_literals("set fs.azure.account.key.x=hunter/22+a", "spark")
    assert masked is not None
    assert "hunter" not in masked
    assert "22" not in masked


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        ("postgres", "select * from t where n = 'O'Brien and m = 'D'Arcy"),
        ("postgres", r"select 'it\'s private', 'x' from t"),
        ("mysql", r"select * from t where p = 'C:\' and n = 'private' and q = 'z'"),
    ],
)
def test_nothing_is_stored_where_quotes_are_not_what_they_seem(dialect: str, sql: str):
    assert mask_literals(sql, dialect) is None


def test_an_address_loses_its_user_password_and_parameters_and_no_other_name_changes():
    assert without_credentials('"https://u:p@h/x.csv?sig=abc') == '"https://h/x.csv'
    assert without_credentials("s3://bucket/x.csv") == "s3://bucket/x.csv"
    assert without_credentials("what?") == "what?"


def test_a_program_without_literals_keeps_no_credentials_in_the_names_of_files():
    program = compile_sql("select * from read_csv('https://u:hunter22@h/x.csv?sig=abc')", "duckdb")
    kept = program.without_literals(keep=True)
    assert "hunter22" in program.to_bytes().decode()
    assert "hunter22" not in kept.to_bytes().decode()
    assert "https://h/x.csv" in kept.to_bytes().decode()
