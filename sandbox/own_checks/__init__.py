"""Kinds of checks of a sandbox.toml that need more than one question: ``replay``, ``eni`` and ``purge``."""
