"""The command line, and the PostgreSQL server that comes along for those who have none."""
