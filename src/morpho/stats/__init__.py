"""Statistics as pure functions: numbers in, numbers out. Knows no regions, participants, tables or files."""
