"""Replays events through a Lambda function, without a Docker engine."""
