"""A source plugin as the SDK's users write them. Its tables do what their names say."""

import json
import os
import sys
import time
from dataclasses import dataclass

import pyarrow as pa
from cloudquery.sdk import plugin, schema, serve
from cloudquery.sdk.scheduler import Scheduler, TableResolver
from cloudquery.sdk.schema import Column, Table
from cloudquery.sdk.stateclient.stateclient import StateClientBuilder
from cloudquery.sdk.types import JSONType, UUIDType

SCHEMA = {
    "type": "object",
    "required": ["token"],
    "additionalProperties": False,
    "properties": {
        "token": {"type": "string", "minLength": 8},
        "rows": {"type": "integer", "minimum": 0},
        "checkpoints": {"type": "boolean"},
        "login": {"type": "object"},
    },
}


@dataclass
class Spec:
    token: str = ""
    rows: int = 3
    checkpoints: bool = False
    login: dict | None = None


class Client:
    def __init__(self, spec):
        self.spec = spec

    def id(self):
        return "shop"


class Resolver(TableResolver):
    def __init__(self, table, rows):
        super().__init__(table=table, child_resolvers=[relation.resolver for relation in table.relations])
        self.rows = rows

    def resolve(self, client, parent_resource):
        yield from self.rows(self, client.spec, parent_resource)


class Rows(Table):
    def __init__(self, name, columns, rows, relations=(), **more):
        super().__init__(name=name, columns=columns, relations=list(relations), **more)
        for relation in self.relations:
            relation.parent = self
        self.rows = rows

    @property
    def resolver(self):
        if not hasattr(self, "_resolver"):
            self._resolver = Resolver(self, self.rows)
        return self._resolver


def number():
    return Column("id", pa.int64(), primary_key=True, not_null=True)


def text(name="name"):
    return Column(name, pa.string())


def typed(resolver, spec, parent):
    yield {
        "id": 1,
        "tags": {"k": [1, None]},
        "code": "12345678-1234-5678-1234-567812345678",
        "at": "2026-01-02T03:04:05.678901+02:00",
        "size": 2**64 - 1,
        "on": "2026-01-02",
    }
    yield {"id": 2}


def people(resolver, spec, parent):
    yield from ({"id": i, "name": f"person {i}"} for i in (1, 2))


def pets(resolver, spec, parent):
    yield from ({"id": 10 * parent.item["id"] + i, "name": "pet"} for i in (1, 2))


def failing(resolver, spec, parent):
    yield {"id": 1, "name": "before"}
    raise RuntimeError(f"the source refused {spec.token} of {(spec.login or {}).get('pin')}")


def dropping(resolver, spec, parent):
    yield from ({"id": i, "name": i if i == 2 else f"row {i}"} for i in (1, 2, 3))


def below_dropping(resolver, spec, parent):
    yield {"id": parent.item["id"], "name": "below"}


def counting(resolver, spec, parent):
    since = int(resolver.state_client.get_key("since") or 0)
    for i in range(since + 1, since + 1 + spec.rows):
        yield {"id": i, "name": "new"}
        resolver.state_client.set_key("since", str(i))
        resolver.state_client.flush()


def surroundings(resolver, spec, parent):
    yield from ({"id": i, "name": name, "value": value} for i, (name, value) in enumerate(os.environ.items()))
    yield {"id": -1, "name": "folder", "value": os.getcwd()}
    yield {"id": -2, "name": "arguments", "value": " ".join(sys.argv)}


def noisy(resolver, spec, parent):
    # Each in one piece: what other threads log would come between.
    sys.stdout.write(f"plain words about {spec.token}\n")
    sys.stdout.write('{"level": "error", "table": "noisy"}\n[1]\n' + "y" * 100_000 + "\n")
    print("before ", end="")
    sys.stderr.write("on the other stream\n")
    yield {"id": 1, "name": "heard"}


def crashing(resolver, spec, parent):
    yield {"id": 1, "name": "before"}
    time.sleep(0.5)
    sys.stderr.write(f"about to go with {spec.token}\n")
    os._exit(3)


def tables():
    below = Rows("dropping_below", [number(), text()], below_dropping)
    return [
        Rows(
            "typed",
            [
                number(),
                Column("tags", JSONType()),
                Column("code", UUIDType()),
                Column("at", pa.timestamp("us", "UTC")),
                Column("size", pa.uint64()),
                Column("on", pa.date32()),
            ],
            typed,
            title="Typed",
            description="One of each",
        ),
        Rows("people", [number(), text()], people, [Rows("people_pets", [number(), text()], pets)]),
        Rows("failing", [number(), text()], failing),
        Rows("dropping", [number(), text()], dropping, [below]),
        Rows("counting", [number(), text()], counting, is_incremental=True),
        Rows("surroundings", [number(), text(), text("value")], surroundings),
        Rows("noisy", [number(), text()], noisy),
        Rows("crashing", [number(), text()], crashing),
    ]


class Shop(plugin.Plugin):
    def __init__(self):
        options = plugin.plugin.Options(team="t", kind="source", json_schema=json.dumps(SCHEMA))
        super().__init__("shop", "v1.2.3", options)

    def set_logger(self, logger):
        self.logger = logger

    def init(self, spec, no_connection=False):
        self.spec = Spec(**json.loads(spec))
        if self.spec.token == "refuse me now":
            raise ValueError(f"no entry with {self.spec.token}")
        self.scheduler = Scheduler(4, logger=self.logger)

    def get_tables(self, options):
        return schema.filter_dfs(tables(), options.tables, options.skip_tables, options.skip_dependent_tables)

    def sync(self, options):
        checkpoints = {"checkpoints": self.scheduler.checkpoints} if self.spec.checkpoints else {}
        state = StateClientBuilder.build(backend_options=options.backend_options, **checkpoints)
        self.scheduler.set_post_sync_hook(state.flush)
        resolvers = [table.resolver for table in self.get_tables(options)]
        for resolver in resolvers:
            resolver.set_state_client(state)
        return self.scheduler.sync(Client(self.spec), resolvers)


if __name__ == "__main__":
    serve.PluginCommand(Shop()).run(sys.argv[1:])
