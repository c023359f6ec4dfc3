"""Values and contracts that all other packages share. Nothing here reads or writes a file."""
