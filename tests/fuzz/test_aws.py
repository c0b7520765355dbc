"""What callers of the AWS endpoint, and events, say: patterns, targets, recordings, policies, task definitions."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from typing import Any

from botocore.validate import ParamValidator
from hypothesis import example, given
from hypothesis import strategies as st

from sandbox.aws.protocol import service_model
from sandbox.model.cloudfront import config, managed
from sandbox.model.cloudfront.errors import CloudFrontError
from sandbox.model.cloudfront.policies import Policies
from sandbox.model.ecs import taskdef
from sandbox.model.ecs.errors import EcsError
from sandbox.model.eventbridge import compile_pattern
from sandbox.model.eventbridge_entries import RefusedEntryError, accepted_detail, json_object
from sandbox.model.eventbridge_input import UnsupportedInputPathError, log_event, parse_path, target_input
from sandbox.model.eventbridge_operators import InvalidEventPatternError
from sandbox.model.eventbridge_transformer import InvalidJsonError, InvalidTemplateError, transformer_of
from sandbox.model.iam import policy
from sandbox.model.iam.errors import PolicyError
from sandbox.model.iam.evaluation import Principal, Request, evaluate
from sandbox.model.replay.files import FormatError, is_recording, read_recording, read_state, write_recording
from sandbox.model.replay.plan import Delivery
from sandbox.model.replay.recording import RecordingError, read_events, recorded
from sandbox.model.ssm import documents
from sandbox.model.ssm.errors import SsmError
from tests.fuzz.documents import changed, json_texts, reshaped, yaml_texts

# -- EventBridge --

EVENT = {
    "version": "0",
    "id": "1",
    "detail-type": "ECS Task State Change",
    "source": "aws.ecs",
    "time": "2026-01-01T00:00:00Z",
    "detail": {
        "updatedAt": "2026-01-01T00:00:00.5Z",
        "taskArn": "arn:aws:ecs:us-east-1:1:task/a",
        "version": 3,
        "lastStatus": "RUNNING",
        "desiredStatus": "RUNNING",
        "containers": [{"name": "web", "exitCode": 1}],
        "attachments": [
            {
                "type": "eni",
                "status": "ATTACHED",
                "details": [
                    {"name": "networkInterfaceId", "value": "eni-1"},
                    {"name": "privateIPv4Address", "value": "10.0.0.9"},
                ],
            }
        ],
    },
}
PATTERN = {
    "source": [{"prefix": "aws."}, {"anything-but": {"suffix": "x"}}, {"equals-ignore-case": "A"}],
    "detail": {
        "lastStatus": ["RUNNING", {"exists": False}, {"wildcard": "R*G"}],
        "version": [{"numeric": [">", 0, "<=", 5]}],
        "ip": [{"cidr": "10.0.0.0/8"}],
        "$or": [{"a": [1]}, {"b": [{"anything-but": [1, 2]}]}],
    },
}


@given(json_texts(PATTERN) | changed(PATTERN), changed(EVENT))
def test_any_event_pattern_matches_or_is_refused(pattern: Any, event: Any):
    with suppress(InvalidEventPatternError):
        compiled = compile_pattern(pattern)
        if isinstance(event, dict):
            assert compiled.matches(event) in (True, False)


ENTRY = {
    "Source": "shop",
    "DetailType": "sold",
    "Detail": "{}",
    "Time": "2026",
    "Resources": ["a"],
    "EventBusName": "x",
}


@given(json_texts(EVENT))
@example("[" * 100_000)
def test_any_detail_is_accepted_or_refused(text: str):
    with suppress(RefusedEntryError):
        assert isinstance(accepted_detail({**ENTRY, "Detail": text}), dict)
    json_object(text)
    log_event(text)


@given(changed({"timestamp": 1, "message": "a"}, {"timestamp": "2026-01-01", "message": {}}))
@example({"timestamp": 10**400, "message": ""})
@example({"timestamp": "0001-01-01T00:00:00+23:59", "message": ""})
def test_any_target_of_a_log_group_gets_a_message(content: Any):
    message, at = log_event(json.dumps(content))
    assert isinstance(message, str)
    assert at is None or math.isfinite(at)


PATHS = st.lists(st.sampled_from(["$", ".", "detail", "[", "]", "0", "*", "'", "a b", "version", "99" * 2500])).map(
    "".join
)
TEMPLATES = st.lists(
    st.sampled_from(["<a>", "<", ">", '"', "{", "}", ":", '"k"', "<aws.events.event.json>", "\\", " ", "x"])
)


@given(PATHS, TEMPLATES.map("".join), changed(EVENT))
@example("$[" + "9" * 5000 + "]", "<a>", EVENT)
def test_any_input_of_a_target_is_made_or_refused(path: str, template: str, event: Any):
    transformer = {"InputPathsMap": {"a": path}, "InputTemplate": template}
    with suppress(UnsupportedInputPathError, InvalidJsonError, InvalidTemplateError):
        parse_path(path)
        transformer_of(template).check({"a"})
        if isinstance(event, dict):
            assert isinstance(target_input({"InputTransformer": transformer}, event), str)
            assert isinstance(target_input({"InputPath": path}, event), str)


# -- replay --

STATE = {
    "HostedZones": [
        {
            "Id": "/hostedzone/Z1",
            "Name": "example.com.",
            "ResourceRecordSets": [
                {"Name": "a.example.com.", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
            ],
        }
    ],
    "NetworkInterfaces": [
        {
            "NetworkInterfaceId": "eni-1",
            "SubnetId": "subnet-1",
            "PrivateIpAddress": "10.0.0.9",
            "Association": {"PublicIp": "192.0.2.1"},
        }
    ],
    "tasks": [EVENT["detail"]],
    "services": [{"serviceArn": "arn:aws:ecs:us-east-1:1:service/c/s", "serviceName": "s", "desiredCount": 1}],
}


@example(json.dumps({**EVENT, "detail": {**EVENT["detail"], "attachments": 5}}))
@example(json.dumps({**EVENT, "detail": {**EVENT["detail"], "attachments": [{"details": [{"name": []}]}]}}))
@example(json.dumps({**EVENT, "detail": {**EVENT["detail"], "attachments": ["a"]}}))
@example("[" * 100_000)
@given(json_texts(EVENT, [EVENT, EVENT], {"kind": "event.published", "event": EVENT}))
def test_any_recording_is_read_or_refused(text: str):
    with suppress(RecordingError):
        events, addresses = read_events(text)
        assert recorded(events, addresses).events


@given(changed(STATE))
@example(
    {"HostedZones": [{"Id": "Z", "Name": "a.", "ResourceRecordSets": [{"Name": "a.", "Type": "A", "TTL": math.inf}]}]}
)
def test_any_state_is_read_or_refused(content: Any):
    with suppress(FormatError):
        assert isinstance(read_state(content).public_ips(), dict)


SAVED = json.loads(
    json.dumps(
        write_recording(recorded([EVENT]), (Delivery(0, 1.0), Delivery(0, 2.0, lost=True)), read_state(STATE).zones)
    )
)


@given(changed(SAVED))
@example({**SAVED, "events": [{"at": 10**400, "event": EVENT}]})
@example({**SAVED, "facts": [{"at": 0, "shows": []}]})
@example({**SAVED, "events": [{"at": 0, "event": {"detail": 5}}]})
@example({**SAVED, "facts": [{"at": 0, "shows": "task", "task": 5}]})
@example({**SAVED, "deliveries": [{"event": None}]})
def test_any_saved_replay_is_read_or_refused(content: Any):
    if is_recording(content):
        with suppress(FormatError):
            recording, _, _ = read_recording(content)
            assert recording.matching(compile_pattern(PATTERN).matches) is not None


# -- IAM and Systems Manager --

POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "a",
            "Effect": "Allow",
            "Action": ["ecs:Run*", "s3:*"],
            "Resource": ["arn:aws:s3:::${aws:username}/*"],
            "Condition": {
                "StringLike": {"aws:username": ["a*", "${aws:x, 'y'}"]},
                "IpAddress": {"aws:SourceIp": "10.0.0.0/8"},
                "DateLessThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"},
                "NumericLessThanIfExists": {"a:b": "5"},
                "ForAnyValue:StringEquals": {"aws:TagKeys": ["a"]},
                "Null": {"aws:x": "true"},
                "Bool": {"aws:SecureTransport": "false"},
                "ArnLike": {"aws:SourceArn": "arn:aws:s3:::*"},
            },
        },
        {"Effect": "Deny", "NotAction": "ecs:*", "NotResource": "*", "Principal": {"AWS": "*"}},
    ],
}
CONTEXT = {
    "aws:username": ("ann",),
    "aws:sourceip": ("10.1.2.3",),
    "aws:currenttime": ("2025-01-01T00:00:00Z",),
    "a:b": ("x",),
    "aws:tagkeys": ("a", "b"),
    "aws:securetransport": ("true",),
    "aws:sourcearn": ("arn:aws:s3:::b",),
}


@given(json_texts(POLICY) | changed(POLICY))
@example("[" * 100_000)
@example({"Statement": {"Effect": [], "Action": "*"}})
def test_any_policy_decides_or_is_refused(document: Any):
    with suppress(PolicyError):
        parsed = policy.parse(document, "p")
        who = Principal(
            "arn:aws:sts::123456789012:assumed-role/r/s", "arn:aws:iam::123456789012:role/r", "123456789012"
        )
        request = Request(who, "ecs:RunTask", "arn:aws:s3:::ann/x", CONTEXT)
        assert evaluate(request, [parsed], resource=parsed).allowed in (True, False)


DOCUMENT = {
    "schemaVersion": "2.2",
    "description": "Purge",
    "parameters": {
        "path": {"type": "String", "allowedPattern": "^/[a-z/]*$", "default": "/", "maxChars": 5},
        "hosts": {"type": "StringList", "default": ["localhost"], "maxItems": 2},
        "wait": {"type": "Integer", "default": 60},
    },
    "mainSteps": [
        {
            "action": "aws:runShellScript",
            "name": "purge",
            "precondition": {"StringEquals": ["platformType", "Linux"]},
            "inputs": {"timeoutSeconds": "{{ wait }}", "runCommand": ["purge {{path}} {{ hosts }}"]},
        }
    ],
}
OLD = {
    "schemaVersion": "1.2",
    "runtimeConfig": {"aws:runShellScript": {"properties": [{"id": "0", "runCommand": ["x"]}]}},
}


@given(yaml_texts(DOCUMENT, OLD), st.sampled_from(["JSON", "YAML"]))
@example(json.dumps({**DOCUMENT, "parameters": {"path": {"type": []}}}), "JSON")
@example(json.dumps({**DOCUMENT, "mainSteps": [{"name": "a", "action": []}]}), "JSON")
@example(json.dumps({**DOCUMENT, "mainSteps": [{**DOCUMENT["mainSteps"][0], "onFailure": []}]}), "JSON")
@example("- !!int ''", "YAML")
def test_any_document_is_one_or_refused(text: str, form: str):
    with suppress(SsmError):
        assert documents.parse(text, form).raw


# -- CloudFront --

CUSTOM = {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"}
DEFAULT = {
    "TargetOriginId": "o",
    "ViewerProtocolPolicy": "redirect-to-https",
    "ForwardedValues": {
        "QueryString": False,
        "Cookies": {"Forward": "whitelist", "WhitelistedNames": {"Quantity": 1, "Items": ["a*"]}},
    },
    "MinTTL": 0,
}
DISTRIBUTION = {
    "CallerReference": "1",
    "Comment": "",
    "Enabled": True,
    "Origins": {"Quantity": 1, "Items": [{"Id": "o", "DomainName": "o.example", "CustomOriginConfig": CUSTOM}]},
    "DefaultCacheBehavior": DEFAULT,
    "CacheBehaviors": {"Quantity": 1, "Items": [{**DEFAULT, "PathPattern": "/a/*.?"}]},
    "CustomErrorResponses": {
        "Quantity": 1,
        "Items": [{"ErrorCode": 504, "ErrorCachingMinTTL": 5, "ResponseCode": "200"}],
    },
}
DISTRIBUTION_SHAPE = service_model("cloudfront").shape_for("DistributionConfig")
MANAGED = Policies(managed.CACHE, managed.ORIGIN_REQUEST, managed.RESPONSE_HEADERS)


@given(st.data(), st.booleans())
def test_any_distribution_is_one_or_refused(data: st.DataObject, lenient: bool):
    content = {
        **data.draw(reshaped(DISTRIBUTION, DISTRIBUTION_SHAPE)),
        "DefaultCacheBehavior": data.draw(reshaped(DEFAULT, DISTRIBUTION_SHAPE.members["DefaultCacheBehavior"])),
    }
    if ParamValidator().validate(content, DISTRIBUTION_SHAPE).has_errors():
        return  # a text is too short, which the endpoint and the check say before
    with suppress(CloudFrontError):
        distribution = config.parse(content, policies=MANAGED, lenient=lenient)
        assert distribution.behavior("/a/b.c").pattern


# -- ECS --


REGISTER = service_model("ecs").operation_model("RegisterTaskDefinition").input_shape
GOOD = {
    "family": "shop",
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "cpu": "256",
    "memory": "512",
    "volumes": [{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-1", "rootDirectory": "/"}}],
    "containerDefinitions": [
        {
            "name": "web",
            "image": "nginx",
            "portMappings": [{"containerPort": 80, "protocol": "tcp"}],
            "environment": [{"name": "A", "value": "b"}],
            "mountPoints": [{"sourceVolume": "v", "containerPath": "/srv"}],
            "healthCheck": {"command": ["CMD-SHELL", "true"], "interval": 5},
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {"awslogs-group": "g", "awslogs-region": "r", "awslogs-stream-prefix": "p"},
            },
        }
    ],
}


@given(st.data())
def test_any_task_definition_is_registered_or_refused(data: st.DataObject):
    container = REGISTER.members["containerDefinitions"].member
    containers = st.lists(reshaped(GOOD["containerDefinitions"][0], container), min_size=1, max_size=2)
    request = {**data.draw(reshaped(GOOD, REGISTER)), "containerDefinitions": data.draw(containers)}
    with suppress(EcsError):
        definition = taskdef.register(request, arn_prefix="arn:aws:ecs:r:1", revision=1, now=0.0)
        assert definition.containers
        json.dumps(definition.raw)
