"""Replaying events: what happened, in which order it is told, and what must hold afterwards."""
