"""What Dagster says of a step and is told of it: partitions, windows, metadata, failures, in storage's own terms.

Nothing here runs a statement.
"""
