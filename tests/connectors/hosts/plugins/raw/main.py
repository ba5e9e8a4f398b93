"""A plugin without the SDK, that takes freedoms with the protocol: each table asked for shows one."""

import json
import os
import subprocess
import sys
import time
from concurrent import futures

import grpc
import pyarrow as pa
from cloudquery.discovery_v1 import discovery_pb2, discovery_pb2_grpc
from cloudquery.plugin_v3 import plugin_pb2 as pb
from cloudquery.plugin_v3 import plugin_pb2_grpc

BIG = 200 * 1024 * 1024
KEY = {"cq:extension:primary_key": "true"}
ID = pa.field("id", pa.int64(), nullable=False, metadata=KEY)


def extension(name, type_, kind):
    return pa.field(name, type_, metadata={"ARROW:extension:name": kind, "ARROW:extension:metadata": ""})


def table(name, *fields, parent=""):
    metadata = {"cq:table_name": name, "cq:table_depends_on": parent}
    return pa.schema([ID, *(fields or [pa.field("name", pa.string())])], metadata=metadata)


KINDS = table(
    "kinds",
    extension("net", pa.string(), "inet"),
    extension("card", pa.binary(), "mac"),
    extension("tags", pa.binary(), "json"),
    pa.field("codes", pa.list_(extension("item", pa.binary(16), "uuid"))),
    pa.field("word", pa.dictionary(pa.int8(), pa.string())),
)
NAMES = [
    "cut",
    "deleting",
    "crash",
    "hang",
    "chatter",
    "huge",
    "batches",
    "nulls",
    "stranger",
    "orphan",
    "counted",
    "failing_below",
    "plain",
    "forgetful",
]
TABLES = {
    "parents": table("parents"),
    "children": table("children", parent="parents"),
    "grandchildren": table("grandchildren", parent="children"),
    "kinds": KINDS,
    **{name: table(name) for name in NAMES},
}


def stream(schema, *batches):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def rows(name, *ids, schema=None):
    schema = schema or TABLES[name]
    given = [{"id": one, "name": f"{name} {one}"} for one in ids]
    return insert(stream(schema, pa.RecordBatch.from_pylist(given, schema=schema)))


def insert(payload):
    return pb.Sync.Response(insert=pb.Sync.MessageInsert(record=payload))


def error(name, text):
    return pb.Sync.Response(error=pb.Sync.MessageError(table_name=name, error=text))


class Raw(plugin_pb2_grpc.PluginServicer):
    def GetName(self, request, context):
        return pb.GetName.Response(name="raw")

    def GetVersion(self, request, context):
        return pb.GetVersion.Response(version="v0")

    def GetSpecSchema(self, request, context):
        return pb.GetSpecSchema.Response(json_schema='{"type": "no such type"}')

    def Init(self, request, context):
        self.spec = json.loads(request.spec)
        return pb.Init.Response()

    def TestConnection(self, request, context):
        text = f"no way in with {json.loads(request.spec).get('token')}"
        return pb.TestConnection.Response(success=False, failure_code="DENIED", failure_description=text)

    def GetTables(self, request, context):
        # Children come before their parents.
        return pb.GetTables.Response(tables=[stream(schema) for schema in reversed(TABLES.values())])

    def Sync(self, request, context):
        print("asked for", *request.tables, "without", *request.skip_tables, flush=True)
        for name in request.tables:
            yield from getattr(self, name, lambda name=name: self.some(name))()

    def some(self, name):
        yield rows(name, *range(1, 1 + self.spec.get("rows", 2)))

    def parents(self):
        # It goes by rules of its own: whoever asks for parents gets all below.
        yield from (rows(name, 1, 2) for name in ("parents", "children", "grandchildren"))

    def kinds(self):
        word = pa.array(["a", None]).dictionary_encode().cast(pa.dictionary(pa.int8(), pa.string()))
        arrays = [
            pa.array([1, 2]),
            pa.array(["10.0.0.0/8", None]),
            pa.array([b"\x00\x1b\xff\x01\x02\x03", None]),
            pa.array([b'{"a": 1}', None]),
            pa.array([[bytes(range(16)), None], None], pa.list_(pa.binary(16))).cast(
                KINDS.field("codes").type
            ),
            word,
        ]
        yield insert(stream(KINDS, pa.RecordBatch.from_arrays(arrays, schema=KINDS)))

    def batches(self):
        batch = pa.RecordBatch.from_pylist([{"id": 1, "name": "a"}, {"id": 2}], schema=TABLES["batches"])
        yield insert(stream(TABLES["batches"], batch, batch.slice(1)))
        yield insert(stream(TABLES["batches"]))

    def cut(self):
        whole = rows("cut", 2).insert.record
        yield rows("cut", 1)
        yield insert(whole[: len(whole) - 40])
        yield insert(b"no stream at all")
        yield rows("cut", 3)

    def nulls(self):
        bare = pa.schema(
            [pa.field("id", pa.int64()), TABLES["nulls"].field("name")], TABLES["nulls"].metadata
        )
        yield rows("nulls", 1, None, 3, schema=bare)

    def stranger(self):
        yield rows("stranger", 1)
        yield rows("stranger", 2, schema=table("never_told"))

    def deleting(self):
        yield rows("deleting", 1)
        for _ in range(3):
            yield pb.Sync.Response(delete_record=pb.Sync.MessageDeleteRecord(table_name="deleting"))

    def failing_below(self):
        yield rows("parents", 1)
        yield error("parents", "the second page is missing")
        yield rows("children", 1)

    def forgetful(self):
        for i in range(10_050):
            line = {
                "client_id": "c",
                "table": "forgetful",
                "exc_info": f"E({i})",
                "event": "failed to resolve resource",
            }
            print(json.dumps(line))
        long = {"table": "forgetful", "exc_info": "x" * 3_000_000, "event": "failed to resolve resource"}
        print(json.dumps(long), flush=True)
        yield rows("forgetful", 1)

    def crash(self):
        yield rows("crash", 1)
        time.sleep(0.2)
        os.abort()

    def hang(self):
        yield rows("hang", 1)
        time.sleep(600)

    def chatter(self):
        yield rows("chatter", 1)
        while True:
            print("z" * 100_000)

    def huge(self):
        yield rows("huge", 1)
        given = [{"id": 2, "name": "x" * 300_000}]
        yield insert(stream(TABLES["huge"], pa.RecordBatch.from_pylist(given, schema=TABLES["huge"])))

    def orphan(self):
        left = subprocess.Popen(["sleep", "600"], start_new_session=True)
        with open(self.spec["file"] + ".new", "w") as file:
            file.write(f"{os.getpid()} {left.pid} {os.environ['TMPDIR']}")
        os.rename(self.spec["file"] + ".new", self.spec["file"])
        yield rows("orphan", 1)
        time.sleep(600)


class Discovery(discovery_pb2_grpc.DiscoveryServicer):
    def GetVersions(self, request, context):
        return discovery_pb2.GetVersions.Response(versions=[3])


def main():
    address = sys.argv[sys.argv.index("--address") + 1]
    sizes = [("grpc.max_send_message_length", BIG)]
    server = grpc.server(futures.ThreadPoolExecutor(4), options=sizes)
    plugin_pb2_grpc.add_PluginServicer_to_server(Raw(), server)
    discovery_pb2_grpc.add_DiscoveryServicer_to_server(Discovery(), server)
    server.add_insecure_port(address)
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
