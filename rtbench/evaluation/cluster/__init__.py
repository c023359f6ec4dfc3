"""Runs on many machines: replicas of policy and workers, and who gives them episodes."""
