"""What the linter puts for dbt's target."""

type = "duckdb"
name = "duckdb"
