"""Reports of runs: HTML pages, comparison tables, tables for the terminal, contact sheets."""
