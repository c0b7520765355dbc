"""A page and its assets as a browser sees them: references, chunks, answers, page loads, findings."""
