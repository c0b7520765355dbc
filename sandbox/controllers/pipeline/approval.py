"""Manual approval: nothing is done but to tell, where the action has a topic for that.

Source: user guide "Manual approval action reference" and "JSON data format for manual approval notifications".
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

from botocore.exceptions import ClientError

from sandbox.aws.account import REGION
from sandbox.aws.clients import Clients
from sandbox.clock import Clock
from sandbox.controllers.pipeline.job import ActionFailedError, Job


class Approval:
    """Awaits PutApprovalResult.

    Args:
        aws: Clients of the sandbox's endpoint, where the topics are.
        clock: Gives the time at which the request expires.
    """

    def __init__(self, aws: Clients, clock: Clock) -> None:
        self._aws = aws
        self._clock = clock

    def run(self, job: Job) -> None:
        """See `Runner`."""
        topic = job.setting("NotificationArn")
        if not topic:
            return
        expires = datetime.fromtimestamp(self._clock.now() + job.run.action.timeout, UTC)
        link = f"https://console.aws.amazon.com/codesuite/codepipeline/pipelines/{job.pipeline}/view"
        message = {
            "region": REGION,
            "consoleLink": link,
            "approval": {
                "pipelineName": job.pipeline,
                "stageName": job.run.stage,
                "actionName": job.run.action.name,
                "token": job.run.token,
                "expires": expires.strftime("%Y-%m-%dT%H:%MZ"),
                "externalEntityLink": job.setting("ExternalEntityLink") or None,
                "approvalReviewLink": f"{link}#/{job.run.stage}/{job.run.action.name}/approve/{job.run.token}",
                "customData": job.setting("CustomData") or None,
            },
        }
        subject = f"APPROVAL NEEDED: AWS CodePipeline {job.pipeline} for action {job.run.action.name}"[:100]
        try:
            self._aws("sns").publish(TopicArn=topic, Subject=subject, Message=json.dumps(message))
        except ClientError as error:
            raise ActionFailedError("PermissionError", f"{topic}: {error.response['Error']['Message']}") from error

    def abandon(self, job: Job) -> None:
        """There is nothing to end."""
