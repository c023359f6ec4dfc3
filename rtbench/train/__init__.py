"""Training: demonstrations, data, loops. Nothing here is needed to evaluate a policy."""
