"""From YAML to tasks, suites and episodes, without importing the simulator."""
