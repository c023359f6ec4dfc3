"""rtbench: evaluate language-conditioned robot policies in simulation."""
