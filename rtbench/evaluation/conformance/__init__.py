"""The conformance probe: what a policy's numbers mean, and whether it keeps its contract."""
