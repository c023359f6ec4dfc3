"""The commands of `rtbench`, a file each."""
