"""What the linter puts for dbt's cross-engine types."""


def type_string() -> str:
    """The text type."""
    return "text"


def type_timestamp() -> str:
    """The timestamp type."""
    return "timestamp"


def type_numeric() -> str:
    """The decimal type."""
    return "numeric"


def type_int() -> str:
    """The integer type."""
    return "integer"


def type_bigint() -> str:
    """The long integer type."""
    return "bigint"


def type_boolean() -> str:
    """The truth type."""
    return "boolean"


def type_float() -> str:
    """The floating type."""
    return "double"
