"""Demonstrations: collecting them, their file format, and exports to other formats."""
