"""The functions that a transform may call, by what a call may make of the size of its arguments.

The names are DuckDB's own, as its parser gives them: operators are functions too, `extract` is date_part and
`interval 1 day` is to_days. What is not here is refused. Left out on purpose: what is not deterministic (random,
now, uuid), what reads anything (files, settings, the environment, the catalogue), what makes much out of little
(repeat, range, printf), and what needs time that grows with the square of a text (levenshtein).
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What comes out has a size of its own: a number, a truth value, a date, a hash.
FIXED = _words("""
    - * / // % ** ^ & | << >> ~ @ <=> ^@
    ~~ !~~ ~~* !~~* like_escape not_like_escape ilike_escape not_ilike_escape
    abs ceil ceiling floor round round_even trunc sign mod fmod pow power sqrt cbrt exp ln log log10 log2 pi
    degrees radians sin cos tan asin acos atan atan2 isnan isinf isfinite even gcd lcm xor bit_count
    length len strlen char_length character_length bit_length octet_length array_length json_array_length
    json_type json_valid json_exists json_contains
    position strpos instr ascii ord unicode starts_with ends_with prefix suffix contains
    regexp_matches regexp_full_match
    md5 md5_number sha1 sha256
    list_contains list_has array_contains array_has list_position array_position list_indexof list_has_any
    list_has_all list_sum list_avg list_count cardinality
    date_trunc datetrunc date_part datepart date_diff datediff date_sub datesub date_add time_bucket last_day
    year quarter month week day hour minute second millisecond microsecond dayofweek dayofmonth dayofyear
    weekday isodow isoyear weekofyear yearweek dayname monthname epoch epoch_ms epoch_us epoch_ns
    make_date make_time make_timestamp make_timestamp_ms to_timestamp strptime try_strptime timezone age
    to_years to_quarters to_months to_weeks to_days to_hours to_minutes to_seconds to_milliseconds
    to_microseconds to_centuries to_decades to_millennia
    """)

# What comes out is at most as long as the arguments together.
ADDED = _words("""
    || concat lower upper lcase ucase trim ltrim rtrim substring substr left right reverse split_part
    regexp_extract strip_accents nfc_normalize chr translate
    -> ->> json_extract json_extract_string json_extract_path json_extract_path_text
    list_value list_pack struct_pack row list_extract list_element array_extract struct_extract map_extract
    list_concat list_cat array_concat array_cat list_append list_prepend array_append array_prepend list_slice
    array_slice list_sort array_sort list_reverse_sort list_distinct array_distinct list_unique list_reverse flatten
    map map_keys map_values element_at
    greatest least nullif if
    """)

# One of the arguments comes out.
CHOSEN = _words("greatest least nullif if")

# Names and quotes come with every value.
WRITTEN = _words("to_json json strftime")
# Sixteen bytes and more for each character, at the worst.
SPLIT = _words("string_split str_split string_to_array split regexp_extract_all regexp_split_to_array")
# A constant may stand in the place of each character.
REPLACED = _words("replace regexp_replace array_to_string concat_ws")
PADDED = _words("lpad rpad")

# Numbers are added, and lists are put together.
PLUS = frozenset({"+"})

SCALARS = FIXED | PLUS | ADDED | WRITTEN | SPLIT | REPLACED | PADDED

# Which argument must stand in the text as a constant, since a size, a time or what is read hangs on it.
CONSTANT_ARGUMENT = {
    "lpad": 1,
    "rpad": 1,
    "replace": 2,
    "regexp_replace": 2,
    "array_to_string": 1,
    "concat_ws": 0,
    "strftime": 1,
    "->": 1,
    "->>": 1,
    "json_extract": 1,
    "json_extract_string": 1,
    "json_extract_path": 1,
    "json_extract_path_text": 1,
    "json_exists": 1,
    "json_type": 1,
    "json_array_length": 1,
    "regexp_matches": 1,
    "regexp_full_match": 1,
    "regexp_extract": 1,
    "regexp_extract_all": 1,
    "regexp_split_to_array": 1,
}
JSON_PATHS = _words(
    """
    -> ->> json_extract json_extract_string json_extract_path json_extract_path_text json_exists
    json_type json_array_length
    """
)

# Aggregates and window functions whose results are as small as one of their arguments.
AGGREGATES = _words("""
    count count_star count_if countif sum sum_no_overflow fsum kahan_sum avg mean min max median mode quantile
    quantile_cont quantile_disc stddev stddev_samp stddev_pop variance var_samp var_pop product bool_and bool_or
    bit_and bit_or bit_xor arg_max arg_min max_by min_by corr covar_pop covar_samp regr_slope regr_intercept
    regr_r2 regr_count skewness kurtosis entropy approx_count_distinct geomean geometric_mean
    row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value
    """)
# Those that put values of many records together. DuckDB holds them to its memory limit.
GATHERING = _words("string_agg listagg group_concat list array_agg histogram")

# What may make a list where there was none.
LISTING = SPLIT | _words("list_value list_pack list array_agg map_keys map_values map_extract histogram")

QUERY_ONLY = AGGREGATES | GATHERING | {"unnest"}

# Types to cast to.
TYPES = _words("""
    boolean bool logical tinyint smallint integer bigint hugeint int int1 int2 int4 int8 int16 int32 int64 int128
    short long signed utinyint usmallint uinteger ubigint uhugeint uint8 uint16 uint32 uint64 uint128
    float real float4 double float8 decimal numeric dec varchar char bpchar text string date time timestamp
    datetime timestamptz timestamp_s timestamp_ms timestamp_us timestamp_ns interval blob bytea binary varbinary
    uuid guid json list
    """) | {
    "timestamp with time zone",
    "timestamp without time zone",
    "time without time zone",
    "double precision",
}
TEXT_TYPES = _words("varchar char bpchar text string json blob bytea binary varbinary list")

# Names that DuckDB reads as calls when no column has them.
MOMENTS = _words("""
    current_date current_time current_timestamp localtime localtimestamp current_localtime
    current_localtimestamp current_user current_role current_schema current_catalog current_database
    session_user
    """)
