"""Dagster's own event log in PostgreSQL, kept in bounds: what Dagster itself has no means to remove piece by piece.

Dagster deletes runs whole, with the record of what they materialized, and wipes assets whole. What is here goes by the
tables of its storage (event_logs, asset_keys, asset_event_tags, runs), as they are since Dagster 1.5. What does not
live here: the data and its ledger (`storage`).
"""
