"""Source actions: an object in S3, or a branch of a git repository on this machine.

Sources: user guide "Amazon S3 source action reference", "CodeCommit source action reference", "CodeStarSourceConnection
for Bitbucket, GitHub, ... actions" (configuration, output variables).

A repository is one of CodeCommit's records whose description says where it is: ``file:///PATH``. An action of
CodeStarSourceConnection with FullRepositoryId OWNER/NAME takes the record NAME; nobody checks the connection.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit

from botocore.exceptions import ClientError

from sandbox.aws.clients import Clients
from sandbox.controllers.pipeline.artifacts import read_object
from sandbox.controllers.pipeline.job import ActionFailedError, Artifacts, Job
from sandbox.model.codepipeline.execution import Revision, Success

_GIT_WITHIN = 60.0  # seconds


class S3Source:
    """Takes the object as it is when the action runs.

    Args:
        aws: Clients of the sandbox's endpoint.
        artifacts: Where it goes.
    """

    def __init__(self, aws: Clients, artifacts: Artifacts) -> None:
        self._aws = aws
        self._artifacts = artifacts

    def run(self, job: Job) -> Success:
        """See `Runner`."""
        bucket, key = job.setting("S3Bucket"), job.setting("S3ObjectKey")
        found = read_object(self._aws, bucket, key, "The source object")
        version = found.get("VersionId", "null")
        if version in ("", "null"):
            raise ActionFailedError(
                "ConfigurationError",
                f"The S3 bucket {bucket} has no versioning; enable it: a source bucket must have it",
            )
        self._artifacts.put(job.run.outputs[0], found["Body"])
        variables = {"VersionId": version, "ETag": found["ETag"].strip('"'), "BucketName": bucket, "ObjectKey": key}
        summary = f"Amazon S3 version id: {version}"
        return Success(summary, version, variables, Revision(job.run.action.name, version, summary))

    def abandon(self, job: Job) -> None:
        """It ends by itself."""


class GitSource:
    """Takes the head of a branch.

    Args:
        aws: Clients of the sandbox's endpoint, which has CodeCommit's records.
        artifacts: Where it goes.
    """

    def __init__(self, aws: Clients, artifacts: Artifacts) -> None:
        self._aws = aws
        self._artifacts = artifacts

    def run(self, job: Job) -> Success:
        """See `Runner`."""
        full = job.setting("RepositoryName") or job.setting("FullRepositoryId")
        branch = job.setting("BranchName")
        folder = self._folder(full.rpartition("/")[2])
        commit = _git(folder, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}^{{commit}}").decode().strip()
        if not commit:
            raise ActionFailedError(
                "ConfigurationError", f"The repository {full} has no branch '{branch}' with a commit ({folder})"
            )
        date, author, message = _git(folder, "show", "-s", "--format=%aI%x00%an%x00%s", commit).decode().split("\0")
        self._artifacts.put(job.run.outputs[0], _git(folder, "archive", "--format=zip", commit))
        named = {"RepositoryName": full} if job.setting("RepositoryName") else {"FullRepositoryName": full}
        variables = {
            **named,
            "BranchName": branch,
            "CommitId": commit,
            "AuthorDate": date,
            "AuthorDisplayName": author,
            "CommitMessage": message.strip(),
        }
        revision = Revision(job.run.action.name, commit, message.strip() or commit)
        return Success(message.strip(), commit, variables, revision)

    def abandon(self, job: Job) -> None:
        """It ends by itself."""

    def _folder(self, name: str) -> Path:
        try:
            record = self._aws("codecommit").get_repository(repositoryName=name)["repositoryMetadata"]
        except ClientError as error:
            raise ActionFailedError("ConfigurationError", f"{name}: {error.response['Error']['Message']}") from error
        url = urlsplit(record.get("repositoryDescription", ""))
        folder = Path(unquote(url.path))
        if url.scheme != "file" or not folder.is_dir():
            raise ActionFailedError(
                "ConfigurationError",
                f"The description of the repository {name} is to be file:///PATH of a git repository on this machine, "
                f"not '{record.get('repositoryDescription', '')}'",
            )
        return folder


def _git(folder: Path, *arguments: str) -> bytes:
    """What git prints; b"" where ``--quiet`` finds nothing.

    Raises:
        ActionFailedError: There is no git, or it fails.
    """
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
    # Nothing of the repository's own configuration may run a program.
    command = ["git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_GIT_WITHIN, env=environment, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ActionFailedError("SystemUnavailable", f"git could not be run: {error}") from error
    if done.returncode and "--quiet" not in arguments:
        raise ActionFailedError("ConfigurationError", done.stderr.decode(errors="replace").strip()[-500:])
    return done.stdout
