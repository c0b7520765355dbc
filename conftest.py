"""Registers the plugin where the package is not installed; an installed package does so by its entry point."""

from importlib.metadata import entry_points

pytest_plugins = [] if entry_points(group="pytest11", name="sandbox") else ["sandbox.pytest_plugin"]
