"""What the real CloudQuery SDK does, as JSON on standard output; run by the plugins' interpreter.

    python sdk_answers.py values     values against types: the Arrow value as text, or null where the SDK refuses
    python sdk_answers.py select     selections of tables: the names that are left, or null where it raises

The question is JSON on standard input, in the forms that `coercion_cases` and `selection_cases` write.
"""

import datetime as dt
import json
import sys
import uuid
import warnings

import pyarrow as pa
from cloudquery.sdk.scalar import ScalarFactory
from cloudquery.sdk.schema import Table
from cloudquery.sdk.schema.table import filter_dfs, flatten_tables
from cloudquery.sdk.types import JSONType, UUIDType

TYPES = {"json": JSONType, "uuid": UUIDType}


def kind_of(text):
    if text in TYPES:
        return TYPES[text]()
    return eval(text, {"pa": pa})


def value_of(text):
    return eval(text, {"dt": dt, "uuid": uuid, "nan": float("nan"), "inf": float("inf")})


def taken(kind, value):
    try:
        scalar = ScalarFactory().new_scalar(kind)
        scalar.set(value)
        array = pa.array([scalar.value], kind)
    except Exception:
        return None
    array = array.storage if isinstance(array, pa.ExtensionArray) else array
    if pa.types.is_timestamp(array.type):
        array = array.cast(pa.int64())  # a time may be finer than Python's
    return str(array[0])


def tree(nested):
    return [Table(name, [], relations=tree(below)) for name, below in nested.items()]


def main():
    warnings.simplefilter("ignore")
    asked = json.load(sys.stdin)
    if sys.argv[1] == "values":
        answers = [
            [taken(kind_of(kind), value_of(value)) for value in asked["values"]] for kind in asked["types"]
        ]
    else:
        answers = []
        for nested, wanted, skipped, skip_dependent in asked:
            try:
                left = filter_dfs(tree(nested), wanted, skipped, skip_dependent)
                answers.append(sorted(table.name for table in flatten_tables(left)))
            except ValueError:
                answers.append(None)
    json.dump(answers, sys.stdout)


main()
