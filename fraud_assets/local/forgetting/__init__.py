"""`forget`: a customer leaves every current and archived version of every table, and every text that mentions them.

`command` is what people call, `search` finds the rows, `identifiers` knows the customer in a text, and `traces` goes
through what Dagster has written down. Taking rows out of stored versions is storage's business (postgres).
"""
