"""Training of policies on demonstrations. Nothing here is needed to evaluate a policy."""
