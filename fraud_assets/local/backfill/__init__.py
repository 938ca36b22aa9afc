"""Backfills from the command line: the days of a range, of some assets or of all, in as few runs as possible.

What is asked for (`selection`), what needs what (`lineage`), what cannot be made and is known not to be (`refused`),
which runs to make of the rest (`pieces`), making them (`work`), the record that lets a backfill go on (`record`), and
what came of it (`summary`). What does not live here: how one run is executed, and backfills from Dagster's UI.
"""
