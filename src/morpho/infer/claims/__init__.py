"""Claims as data: their tests, their rows, their verdicts."""
