"""What storage refuses, each with one sentence that names the table or column and says what to do."""


class PostgresStorageError(Exception):
    """Storage cannot do what was asked, and trying again cannot help."""


class DatabaseUnavailable(PostgresStorageError):
    """The database cannot be reached, or somebody holds a lock too long: trying again may help."""


class UnstorableColumn(PostgresStorageError):
    """A column whose type or values PostgreSQL cannot hold without loss."""


class SchemaChangeRefused(PostgresStorageError):
    """A frame whose columns do not fit the table that exists."""


class PartitionMissing(PostgresStorageError):
    """A partition that was asked for and has never been stored."""


class ModelRefused(PostgresStorageError):
    """A stored model that must not be unpickled: its signature, its key or its library version is wrong."""
