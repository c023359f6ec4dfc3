"""Comparison of runs without a simulator: differences, gates, sample sizes, correlation with real robots."""
