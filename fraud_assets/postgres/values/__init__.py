"""What a value is on each side: frames in and out, their types and PostgreSQL's, and how each is written in binary.

Nothing here knows a connection or a table.
"""
