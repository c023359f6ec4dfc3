"""Policies and the contract they keep."""
