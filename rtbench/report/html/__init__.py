"""The HTML report of one or several runs: one module for each section of the page."""
