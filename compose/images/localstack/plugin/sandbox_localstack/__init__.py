"""The sandbox's plugin for LocalStack: Lambda functions that run without images from a registry.

LocalStack finds it by the entry points in the .dist-info folder beside it, once both are on PYTHONPATH.
"""
