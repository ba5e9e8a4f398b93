"""The questions to a PostgreSQL catalogue, from version 12 on."""

from __future__ import annotations

from connectors.builtin.database.catalogue import Queries, Query

# A partition's rows are its parent's, so only the parent is a table. Temporary and system schemas are pg_*.
_RELATIONS = """
    pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
      and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
"""
_TABLES = f"""
    select n.nspname as schema_name, c.relname as table_name,
           case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table'
                          when 'p' then 'partitioned table' else 'table' end as kind,
           obj_description(c.oid, 'pg_class') as comment, pg_get_userbyid(c.relowner) as owner,
           case when c.reltuples >= 0 and c.relkind <> 'v' then c.reltuples::bigint end as row_estimate,
           coalesce(has_schema_privilege(n.oid, 'USAGE')
                    and has_any_column_privilege(c.oid, 'SELECT'), false) as readable
    from {_RELATIONS} order by 1, 2
"""  # noqa: S608 - fixed text
_SCHEMAS = """
    select n.nspname as schema_name, obj_description(n.oid, 'pg_namespace') as comment
    from pg_catalog.pg_namespace n
    where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' order by 1
"""
_DEFINITIONS = f"""
    select n.nspname as schema_name, c.relname as table_name, pg_get_viewdef(c.oid, true) as definition
    from {_RELATIONS} and c.relkind in ('v', 'm')
"""  # noqa: S608
_COLUMNS = f"""
    select r.schema_name, r.table_name, a.attname as column_name, a.attnum as position,
           format_type(a.atttypid, a.atttypmod) as data_type, not a.attnotnull as nullable,
           pg_get_expr(d.adbin, d.adrelid) as default_value, a.attgenerated <> '' as generated,
           s.description as comment
    from (select c.oid, n.nspname as schema_name, c.relname as table_name from {_RELATIONS}) r
    join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
    left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    left join pg_catalog.pg_description s
      on s.objoid = a.attrelid and s.classoid = 'pg_catalog.pg_class'::regclass and s.objsubid = a.attnum
    order by 1, 2, 4
"""  # noqa: S608
# A foreign key to a partitioned table is repeated for each partition; those rows have a parent.
_KEYS = f"""
    select r.schema_name, r.table_name, a.attname as column_name,
           tn.nspname as to_schema, t.relname as to_table, ta.attname as to_column
    from (select c.oid, n.nspname as schema_name, c.relname as table_name from {_RELATIONS}) r
    join pg_catalog.pg_constraint k on k.conrelid = r.oid and k.contype in ('p', 'f') and k.conparentid = 0
    cross join lateral unnest(k.conkey, k.confkey) as pair(own, other)
    join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum = pair.own
    left join pg_catalog.pg_class t on t.oid = k.confrelid
    left join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
    left join pg_catalog.pg_attribute ta on ta.attrelid = t.oid and ta.attnum = pair.other
    order by 1, 2, k.conname
"""  # noqa: S608

QUERIES = Queries(
    database=Query("the database's name", "select current_database()"),
    schemas=Query("schemas", _SCHEMAS),
    tables=Query("tables", _TABLES),
    definitions=Query(
        "view definitions",
        _DEFINITIONS,
        # Fails for one view when that is dropped meanwhile.
        _DEFINITIONS + " and n.nspname = :schema_name and c.relname = :table_name",
    ),
    keys=Query("keys", _KEYS),
    columns=Query("columns", _COLUMNS),
)
