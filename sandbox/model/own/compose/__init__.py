"""Compose files as task definitions and services of ECS. docs/own-stacks.md has the rules."""
