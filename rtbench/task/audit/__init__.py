"""The audit of instructions: checks that each one asks for what its goal checks, and lists where not.

Nothing here imports the simulator but `rtbench.evaluation.solvability`, which resets and plays episodes.
"""
