"""The kinds of action that are carried out: how many artifacts they take and give, and how they are configured.

Sources: user guide "Valid input and output artifacts for each action type", "Action structure reference" (one page a
provider) and "Quotas in AWS CodePipeline" (time-outs).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Type = tuple[str, str, str]
"""Category, owner and provider. The version is "1" for all of them."""

_HOUR = 3600.0


@dataclass(frozen=True)
class ActionType:
    """What AWS says of a kind of action.

    Attributes:
        inputs: Least and most input artifacts.
        outputs: Least and most output artifacts.
        required: Keys that its configuration must have.
        optional: Keys that it may have, and that are carried out.
        others: Keys that it may have on AWS, and that are not carried out.
        only: Values that the sandbox carries out, by key; AWS has others.
        timeout: Seconds until it has failed.
    """

    inputs: tuple[int, int]
    outputs: tuple[int, int]
    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()
    only: Mapping[str, frozenset[str]] = field(default_factory=dict)
    timeout: float = _HOUR


_CODEBUILD = ActionType(
    (1, 5),
    (0, 5),
    frozenset({"ProjectName"}),
    frozenset({"PrimarySource", "EnvironmentVariables"}),
    frozenset({"BatchEnabled", "CombineArtifacts"}),
    timeout=8 * _HOUR,
)

ACTION_TYPES: Mapping[Type, ActionType] = {
    ("Source", "AWS", "S3"): ActionType(
        (0, 0),
        (1, 1),
        frozenset({"S3Bucket", "S3ObjectKey"}),
        frozenset({"PollForSourceChanges"}),
        frozenset({"AllowOverrideForS3ObjectKey"}),
    ),
    # What a local repository goes through is not told to anybody: nothing starts a pipeline for it.
    ("Source", "AWS", "CodeCommit"): ActionType(
        (0, 0),
        (1, 1),
        frozenset({"RepositoryName", "BranchName", "PollForSourceChanges"}),
        frozenset({"OutputArtifactFormat"}),
        only={"PollForSourceChanges": frozenset({"false"}), "OutputArtifactFormat": frozenset({"CODE_ZIP"})},
    ),
    ("Source", "AWS", "CodeStarSourceConnection"): ActionType(
        (0, 0),
        (1, 1),
        frozenset({"ConnectionArn", "FullRepositoryId", "BranchName", "DetectChanges"}),
        frozenset({"OutputArtifactFormat"}),
        only={"DetectChanges": frozenset({"false"}), "OutputArtifactFormat": frozenset({"CODE_ZIP"})},
    ),
    ("Build", "AWS", "CodeBuild"): _CODEBUILD,
    ("Test", "AWS", "CodeBuild"): _CODEBUILD,
    ("Approval", "AWS", "Manual"): ActionType(
        (0, 0),
        (0, 0),
        optional=frozenset({"CustomData", "ExternalEntityLink", "NotificationArn"}),
        timeout=7 * 24 * _HOUR,
    ),
    ("Invoke", "AWS", "Lambda"): ActionType(
        (0, 5), (0, 5), frozenset({"FunctionName"}), frozenset({"UserParameters"}), timeout=24 * _HOUR
    ),
    # Its own time-out, DeploymentTimeout, is an hour at most and tells more.
    ("Deploy", "AWS", "ECS"): ActionType(
        (1, 1),
        (0, 0),
        frozenset({"ClusterName", "ServiceName"}),
        frozenset({"FileName", "DeploymentTimeout"}),
        timeout=2 * _HOUR,
    ),
}

# Those that AWS has and the sandbox has not, so that the refusal can say so.
OTHERS_OF_AWS = frozenset(
    {
        *(("Source", "AWS", provider) for provider in ("ECR",)),
        *(("Source", "ThirdParty", provider) for provider in ("GitHub",)),
        *(("Build", "AWS", provider) for provider in ("ECRBuildAndPublish",)),
        ("Test", "AWS", "DeviceFarm"),
        *(
            ("Deploy", "AWS", provider)
            for provider in (
                *("S3", "CloudFormation", "CloudFormationStackSet", "CodeDeploy", "CodeDeployToECS"),
                *("ElasticBeanstalk", "OpsWorks", "ServiceCatalog", "AppConfig", "EKS", "EC2", "Lambda"),
            )
        ),
        *(("Invoke", "AWS", provider) for provider in ("StepFunctions", "InspectorScan", "CodePipeline")),
        ("Compute", "AWS", "Commands"),
    }
)
