"""The audit: proves of every instruction that it means what its goal says, or says where it does not.

Nothing here imports the simulator but `rtbench.evaluation.solvability`, which resets and plays episodes.
"""
