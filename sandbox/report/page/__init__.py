"""The report of a run: one HTML page that shows what happened, and needs no network to be looked at."""
