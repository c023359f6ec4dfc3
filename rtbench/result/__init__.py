"""A run on disk: its folder, records, summary, provenance and exports."""
