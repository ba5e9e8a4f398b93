"""Stars expanded: which columns `*` and `t.*` stand for."""

from __future__ import annotations

from typing import Any

from lineage.names import Identifier
from lineage.sql.binding.columns import STAR, OpenStar, Source
from lineage.sql.binding.combine import merge, without_text
from lineage.sql.binding.lookup import Lookup
from lineage.sql.binding.refs import Refs
from lineage.sql.dialects import merged_columns_come_first


def expand(lookup: Lookup, number: int, star: list[Any], refs: Refs) -> list[Any]:
    """The items that a star among a scope's outputs stands for."""
    _, qualifier, except_names, replace, rename = star
    if qualifier:
        at, wanted = number, lookup.keys[qualifier[-1]]
        chosen: list[Source] = []
        while at >= 0 and not chosen:
            chosen = [s for s in lookup.sources(at) if s.key == wanted]
            at = lookup.program.scopes[at].parent
        if not chosen:  # the fields of a struct
            ups = lookup.find(number, qualifier) or {}
            return [("*", STAR, ups)]
        items = _items_of(chosen[0])
    else:
        items = _joined_items(lookup, [s for s in lookup.sources(number) if s.using is not False])
    if not (except_names or replace or rename):
        return items
    keys = lookup.keys
    dropped = frozenset(keys[name] for name in except_names)
    replaced = {keys[name]: without_text(refs.gather(deps, False, False)) for name, deps in replace}
    renamed = {keys[old]: new for old, new in rename}
    out: list[Any] = []
    for item in items:
        if type(item) is OpenStar:
            back: dict[str, tuple[str, Any]] = {
                keys[new]: (old, Identifier(old)) for old, new in renamed.items()
            }
            gone = dropped | frozenset(replaced) | frozenset(renamed)
            out += [(key, Identifier(key), ups) for key, ups in replaced.items()]
            out.append(item.without(gone, back))
        elif item[0] in dropped:
            continue
        elif item[0] in replaced:
            out.append((item[0], item[1], replaced[item[0]]))
        elif item[0] in renamed:
            new = renamed[item[0]]
            out.append((keys[new], new, item[2]))
        else:
            out.append(item)
    return out


def _joined_items(lookup: Lookup, sources: list[Source]) -> list[Any]:
    """All columns of all sources; those of USING and NATURAL once."""
    if len(sources) == 1:
        return _items_of(sources[0])
    items: list[Any] = []
    for source in sources:
        own = _items_of(source)
        if source.using:
            lookup.work.spend(len(items))
            have = {item[0]: place for place, item in enumerate(items) if type(item) is not OpenStar}
            shared = set(have) if source.using is True else {lookup.keys[name] for name in source.using}
            rest = []
            merged = set()
            for item in own:
                if type(item) is OpenStar:
                    rest.append(item.without(frozenset(shared & set(have)), {}))
                elif item[0] in shared and item[0] in have:
                    place = have[item[0]]
                    old = items[place]
                    items[place] = (old[0], old[1], merge([old[2], item[2]]))
                    merged.add(item[0])
                else:
                    rest.append(item)
            own = rest
            if merged and len(have) == len(items) and merged_columns_come_first(lookup.dialect):
                wanted = have if source.using is True else [lookup.keys[name] for name in source.using]
                front = [items[have[key]] for key in wanted if key in merged]
                items = front + [item for item in items if item[0] not in merged]
        items += own
    return items


def _items_of(source: Source) -> list[Any]:
    items: list[Any] = source.columns.items
    if not items and getattr(source.columns, "open_ups", None):
        return [("*", STAR, source.columns.open_ups)]
    return items
