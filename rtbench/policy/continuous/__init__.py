"""Policies that give continuous numbers and chunks of them, and their way to the eleven tokens."""
