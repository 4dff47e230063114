"""What a benchmark looks like: tables for the terminal, plots for a page."""
