"""What a call to an API asks IAM for: actions, each with a resource and condition keys.

Service Authorization Reference: "Actions, resources, and condition keys" of Systems Manager, SNS, Lambda, ECS,
Route 53, STS, EC2 and EC2 Auto Scaling; "Grant permissions to pass a role to an AWS service" (IAM User Guide). A call
that is not listed here asks for the action of its own name, of a resource that is not known (`evaluation.Request`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sandbox.model.iam.patterns import Context

Parameters = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """An action that a caller needs.

    Attributes:
        action: Such as "iam:PassRole".
        resource: The ARN; "*" for an action that knows no resources; None where it is not known.
        context: The condition keys of this action, in lower case.
    """

    action: str
    resource: str | None = None
    context: Context = field(default_factory=dict)


class Account(Protocol):
    """What has to be known of an account's resources."""

    def task_definition(self, name: str) -> tuple[str, Sequence[str]]:
        """The ARN of a task definition, and the ARNs of its roles; of one that there is not, ARN and none."""

    def instance_tags(self, instance_id: str) -> Mapping[str, str]:
        """The tags of an EC2 instance; empty where there is none."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call is made, and what there is."""

    region: str
    account_id: str
    account: Account

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource of this account and region."""
        return f"arn:aws:{service}:{self.region}:{self.account_id}:{resource}"


# Prefixes of actions that are not the service's name in signatures; SNS writes its own in capitals.
_PREFIXES = {"sns": "SNS", "monitoring": "cloudwatch", "tagging": "tag", "email": "ses"}
_ACTIONS = {
    ("lambda", "Invoke"): "InvokeFunction",
    ("lambda", "InvokeAsync"): "InvokeFunction",
    ("sns", "PublishBatch"): "Publish",
    ("sqs", "SendMessageBatch"): "SendMessage",
    ("sqs", "DeleteMessageBatch"): "DeleteMessage",
    ("sqs", "ChangeMessageVisibilityBatch"): "ChangeMessageVisibility",
    ("cloudfront", "CreateDistributionWithTags"): "CreateDistribution",
}
# Nobody needs a permission for it ("GetCallerIdentity", API reference of STS).
_FREE = frozenset({("sts", "GetCallerIdentity")})
_NO_RESOURCES = ("ec2:Describe", "autoscaling:Describe")


def asked(service: str, operation: str, parameters: Callable[[], Parameters], place: Place) -> Iterable[Asked]:
    """What a call needs, in the order in which it is looked at; the first that is refused is what the caller hears of.

    Args:
        service: Its name in signatures ("elasticloadbalancing").
        operation: AWS's name of the operation.
        parameters: The call's parameters; asked for only where they matter.
        place: See `Place`.
    """
    if (service, operation) in _FREE:
        return ()
    listed = _LISTED.get((service, operation))
    if listed is not None:
        return listed(parameters(), place)
    action = f"{_PREFIXES.get(service, service)}:{_ACTIONS.get((service, operation), operation)}"
    return (Asked(action, "*" if action.startswith(_NO_RESOURCES) else None),)


def trusts(role: str) -> Asked:
    """What a service needs of a role's trust policy."""
    return Asked("sts:AssumeRole", role)


def _pass_role(role: str, service: str) -> Asked:
    return Asked("iam:PassRole", role, {"iam:passedtoservice": [service]})


# -- Systems Manager --


def _send_command(parameters: Parameters, place: Place) -> list[Asked]:
    action = "ssm:SendCommand"
    document = str(parameters.get("DocumentName", ""))
    if not document.startswith("arn:"):
        owner = "" if document.startswith(("AWS-", "AWSEC2-", "AmazonCloudWatch-")) else place.account_id
        document = f"arn:aws:ssm:{place.region}:{owner}:document/{document}"
    found = [Asked(action, document)]
    instances = list(parameters.get("InstanceIds", ()))
    for target in parameters.get("Targets", ()):
        key, values = str(target.get("Key", "")), [str(value) for value in target.get("Values", ())]
        if key == "InstanceIds":
            instances += values
        else:
            tag = key.removeprefix("tag:") if key.startswith("tag:") else ""
            tags = {f"{prefix}:resourcetag/{tag.lower()}": values for prefix in ("ssm", "aws")} if tag else {}
            found.append(Asked(action, place.arn("ec2", "instance/*"), tags))
    for instance in dict.fromkeys(instances):
        context = {
            f"{prefix}:resourcetag/{tag.lower()}": [value]
            for tag, value in place.account.instance_tags(instance).items()
            for prefix in ("ssm", "aws")
        }
        found.append(Asked(action, place.arn("ec2", f"instance/{instance}"), context))
    if role := parameters.get("ServiceRoleArn"):
        found.append(_pass_role(role, "ssm.amazonaws.com"))
    return found


# -- SNS --


def _publish(parameters: Parameters, place: Place) -> list[Asked]:
    target = parameters.get("TopicArn") or parameters.get("TargetArn") or parameters.get("PhoneNumber")
    return [Asked("SNS:Publish", target)]


# -- Lambda --


def _function(parameters: Parameters, place: Place) -> str:
    name = str(parameters.get("FunctionName", ""))
    if not name.startswith("arn:"):
        name = place.arn("lambda", f"function:{name.rpartition('function:')[2]}")
    qualifier = parameters.get("Qualifier")
    return f"{name}:{qualifier}" if qualifier else name


def _invoke(parameters: Parameters, place: Place) -> list[Asked]:
    return [Asked("lambda:InvokeFunction", _function(parameters, place))]


def _change_function(operation: str) -> Callable[[Parameters, Place], list[Asked]]:
    def needed(parameters: Parameters, place: Place) -> list[Asked]:
        roles = [parameters["Role"]] if "Role" in parameters else []
        function = Asked(f"lambda:{operation}", _function(parameters, place))
        return [function, *(_pass_role(role, "lambda.amazonaws.com") for role in roles)]

    return needed


# -- ECS --


def _cluster(parameters: Parameters, place: Place) -> str:
    cluster = str(parameters.get("cluster") or "default")
    return cluster if cluster.startswith("arn:") else place.arn("ecs", f"cluster/{cluster}")


def _run_task(operation: str) -> Callable[[Parameters, Place], list[Asked]]:
    def needed(parameters: Parameters, place: Place) -> list[Asked]:
        definition, roles = place.account.task_definition(str(parameters.get("taskDefinition", "")))
        overrides = parameters.get("overrides", {})
        given = [overrides[name] for name in ("taskRoleArn", "executionRoleArn") if overrides.get(name)]
        run = Asked(f"ecs:{operation}", definition, {"ecs:cluster": [_cluster(parameters, place)]})
        return [run, *(_pass_role(role, "ecs-tasks.amazonaws.com") for role in dict.fromkeys([*given, *roles]))]

    return needed


def _register(parameters: Parameters, place: Place) -> list[Asked]:
    roles = [parameters[name] for name in ("taskRoleArn", "executionRoleArn") if parameters.get(name)]
    definition = place.arn("ecs", f"task-definition/{parameters.get('family', '')}:*")
    passed = (_pass_role(role, "ecs-tasks.amazonaws.com") for role in dict.fromkeys(roles))
    return [Asked("ecs:RegisterTaskDefinition", definition), *passed]


def _service(operation: str) -> Callable[[Parameters, Place], list[Asked]]:
    def needed(parameters: Parameters, place: Place) -> list[Asked]:
        service = str(parameters.get("service") or parameters.get("serviceName") or "")
        cluster = _cluster(parameters, place)
        if not service.startswith("arn:"):
            service = place.arn("ecs", f"service/{cluster.rpartition('/')[2]}/{service}")
        return [Asked(f"ecs:{operation}", service, {"ecs:cluster": [cluster]})]

    return needed


# -- Route 53 and STS --


def _zone(operation: str) -> Callable[[Parameters, Place], list[Asked]]:
    def needed(parameters: Parameters, place: Place) -> list[Asked]:
        zone = str(parameters.get("HostedZoneId") or parameters.get("Id") or "").rpartition("/")[2]
        return [Asked(f"route53:{operation}", f"arn:aws:route53:::hostedzone/{zone}")]

    return needed


def _assume_role(parameters: Parameters, place: Place) -> list[Asked]:
    return [Asked("sts:AssumeRole", parameters.get("RoleArn"))]


_LISTED: dict[tuple[str, str], Callable[[Parameters, Place], list[Asked]]] = {
    ("ssm", "SendCommand"): _send_command,
    ("sns", "Publish"): _publish,
    ("sns", "PublishBatch"): _publish,
    ("lambda", "Invoke"): _invoke,
    ("ecs", "RegisterTaskDefinition"): _register,
    ("sts", "AssumeRole"): _assume_role,
    **{("lambda", name): _change_function(name) for name in ("CreateFunction", "UpdateFunctionConfiguration")},
    **{("lambda", name): _change_function(name) for name in ("UpdateFunctionCode", "DeleteFunction", "GetFunction")},
    **{("ecs", name): _run_task(name) for name in ("RunTask", "StartTask")},
    **{("ecs", name): _service(name) for name in ("CreateService", "UpdateService", "DeleteService")},
    **{
        ("route53", name): _zone(name)
        for name in ("ChangeResourceRecordSets", "ListResourceRecordSets", "GetHostedZone", "DeleteHostedZone")
    },
}
