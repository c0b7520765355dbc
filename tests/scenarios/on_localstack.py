"""Which scenarios say something about LocalStack: those whose stacks, functions or scripts call what it answers.

Of what LocalStack answers, only `INDEPENDENT` is its own work. Its Route 53, SSM and Logs are moto, as the embedded
backend's are: a scenario that calls no more than those would be run twice on the same code.
"""

from __future__ import annotations

INDEPENDENT = frozenset({"events", "lambda", "s3", "scheduler", "sns", "sqs", "states", "cloudformation", "kms"})
"""By the name in the signature."""

TOUCHING = frozenset(
    {
        "alb-health-check",
        "apcu-cli-vs-fpm",
        "cached-error",
        "cookies-defeat-cache",
        "cross-az-traffic",
        "dns-lambda",
        "dns-lambda-no-ip-yet",
        "dns-lambda-order",
        "edge-resize",
        "efs-persistence",
        "ghost-cache-control",
        "migration-order",
        "nginx-websocket",
        "origin-outage",
        "pipeline-rollback",
        "purge-fleet",
        "purge-partial",
        "purge-permission",
        "rolling-deploy-assets",
        "run-command-zero-targets",
        "spot-interruption",
        "task-localhost",
    }
)
"""The scenarios that call `INDEPENDENT` services; each run on the embedded backend looks whether that is still so."""


def touches(called: frozenset[str]) -> bool:
    """Whether these calls have gone to what is LocalStack's own."""
    return not INDEPENDENT.isdisjoint(called)
