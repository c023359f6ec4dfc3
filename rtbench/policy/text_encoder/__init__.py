"""Sentence encoders that turn instructions into vectors."""
