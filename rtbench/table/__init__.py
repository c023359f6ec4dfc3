"""Comparison tables for papers."""
