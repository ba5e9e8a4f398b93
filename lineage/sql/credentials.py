"""Passwords, keys and tokens in SQL text. Loads no parser: every stored text is looked through."""

from __future__ import annotations

import re

# What tells a password, a key or a token: a word before a literal, functions that take one by its place, texts that
# are one by their form, and addresses with one in them.
_CREDENTIALS = re.compile(
    "|".join(
        (
            r"\bpass\b\W{0,12}['\"$]",
            r"(?:password|passwd|passphrase|pwd|credential|secret|token)(?:s|_string)?\b\W{0,12}['\"$]",
            r"(?:secret|access|private|api|account|shared|encryption|master)[\s_-]?\w{0,40}[\s_-]?keys?(?:[\s_]id)?\b\W{0,12}['\"$]",
            r"\b(?:aws_\w+|azure_\w+|sas|authorization|bearer)\b\W{0,12}['\"$]",
            r"\bidentified\s+(?:\w+\s+){0,2}by\b",
            r"(?:password|passwd|passphrase)\b[^'\"$]{0,200}['\"$=]",
            r"\b(?:pwd\s*=|sp_(?:addlogin|password|addlinkedsrvlogin)\b|connect\s+\w+/)",
            r"^\s*connect\s+to\b",
            r"\bset\s+[\w.:\"`]*(?:key|secret|token|credential)[\w.:\"`]*\s*(?:=|\bto\b)",
            r"\b(?:pragma|attach)\b[^;]{0,500}\bkey\b",
            r"(?:en|de)crypt\w*\s*\([^()]*['\"$]",
            r"\b(?:mysql|postgresql|mongodb|redis|remotesecure|remote|azureblobstorage|s3|gcs|oss|cosn)(?:cluster)?"
            r"\s*\(\s*['\"](?:[^,()]*,){2}",
            r"://[^\s/:@'\"]+:[^\s/@'\"]+@",
            r"[?&;](?:\w*token|\w*key|\w*secret|sig|signature|x-amz-\w+|x-goog-\w+)=",
            r"\beyJ[\w-]{8,}\.|\bgh[oprsu]_\w{16}|\bAKIA[0-9A-Z]{16}\b|\bxox[abprs]-|-----BEGIN [A-Z ]*PRIVATE KEY",
        )
    ),
    re.I,
)
_ADDRESS = re.compile(r"://[^\s/@]*@")


def carries_credentials(sql: str) -> bool:
    """Whether a statement seems to hold a password, a key or a token: rather once too often."""
    return _CREDENTIALS.search(sql) is not None


def without_credentials(name: str) -> str:
    """The name of a table; one that is an address without the user, the password and the parameters in it."""
    if "://" not in name:
        return name
    return _ADDRESS.sub("://", name).partition("?")[0]
