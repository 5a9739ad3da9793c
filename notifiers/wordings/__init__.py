"""Names and advice of every language, as data."""
