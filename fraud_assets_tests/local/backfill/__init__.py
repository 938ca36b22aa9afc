"""Backfills from the command line."""
