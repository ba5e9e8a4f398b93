"""Trees to programs: each statement's tables, scopes and flows, without a schema."""
