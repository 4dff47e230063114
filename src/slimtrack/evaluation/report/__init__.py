"""Shows the results of a benchmark: tables for the terminal, plots as files."""
