"""`python bench/sql_ways.py TEXTS TIMES ROUNDS`: the ways to take texts through the engine, in the process at hand.

Prints, as JSON, the file of the engine and the best CPU seconds of each way; rounds go through all ways in turn.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path

import sqlglot

from lineage.sql import Program, analyze, bind, compile_sql, program
from lineage.sql.collector import hold, release
from lineage.sql.fingerprint import fingerprint

# A warning of the bare parser is no work that we compare with.
logging.getLogger("sqlglot").setLevel(logging.ERROR)


def main(path: str, times: int, rounds: int) -> None:
    texts: list[tuple[str, str]] = [(sql, dialect) for sql, dialect in json.loads(Path(path).read_text())]
    programs = [compile_sql(*one) for one in texts]
    stored = [program.to_bytes() for program in programs]
    known = {fingerprint(*one): program for one, program in zip(texts, stored, strict=True)}

    def batch() -> None:
        hold()
        try:
            for sql, dialect in texts:
                analyze(sql, dialect)
        finally:
            release()

    ways: dict[str, Callable[[], object]] = {
        "parse": lambda: [sqlglot.parse(sql, dialect=dialect) and None for sql, dialect in texts],
        "analyze": lambda: [analyze(sql, dialect) and None for sql, dialect in texts],
        "in a batch": batch,
        "analyze, as JSON's dictionary": lambda: [analyze(s, d).to_dict() and None for s, d in texts],
        "bind": lambda: [bind(program, {}) and None for program in programs],
        "program loaded and bound": lambda: [bind(Program.from_bytes(p), {}) and None for p in stored],
        "a shape seen before": lambda: [known[fingerprint(sql, dialect)] and None for sql, dialect in texts],
    }
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for way, work in ways.items():
            begun = time.process_time()
            for _ in range(times):
                work()
            best[way] = min(best[way], (time.process_time() - begun) / times)
    print(json.dumps({"engine": program.__file__, "seconds": best}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
