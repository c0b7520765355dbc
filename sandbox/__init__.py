"""A sandbox in which AWS container deployments fail on a laptop instead of in production."""

__version__ = "0.1.0"
