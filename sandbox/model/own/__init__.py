"""Stacks of somebody's own: what the tables of a ``sandbox.toml`` mean."""

FILE = "sandbox.toml"
