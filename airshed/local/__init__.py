"""The local runtime: every stage in one process, state, events and ledger in one SQLite file."""
