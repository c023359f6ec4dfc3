"""Two runs or more, compared: better, worse, or can't say."""
