"""Sentence encoders, which turn instructions into vectors."""
