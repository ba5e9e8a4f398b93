"""SQL text without its literals, and statements that carry credentials."""

import pytest

from lineage.sql.masking import carries_credentials, mask_literals

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
