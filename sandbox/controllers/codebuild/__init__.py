"""Builds of CodeBuild: the container in which commands run, and what they may ask of Docker."""
