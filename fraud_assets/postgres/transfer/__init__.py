"""Rows over the wire, in bulk and in binary: COPY in, and two kinds of sessions that read.

What does not live here: which tables there are, and what a value means (`values`).
"""
