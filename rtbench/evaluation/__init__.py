"""Playing episodes: scheduler, worker processes, batched policy, and the loop of one episode."""
