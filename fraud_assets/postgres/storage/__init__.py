"""What is in the database: tables and their columns, the ledger of versions, and how one version replaces another.

Nothing here knows Dagster's contexts; `steps` does.
"""
