"""The contestants. Each module is a process of its own: it reads the options of one run, works, prints its laps."""
