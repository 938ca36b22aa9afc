#!/bin/sh
# Runs when the database is first made: roles, and a database each for the data and for Dagster.
set -eu
psql -v ON_ERROR_STOP=1 -U postgres -d postgres -q -f /run/secrets/roles.sql
