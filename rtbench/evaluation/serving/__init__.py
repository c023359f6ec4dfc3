"""Serves a policy to other harnesses and robots: `rtbench serve`."""
