"""Where the embedded backend and LocalStack differ: one probe a row, and what AWS does.

`test_differences.py` runs each probe on both, and compares the table in docs/localstack.md with this one.
"""

from __future__ import annotations

import io
import json
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

TAKEN = "taken"
ROLE = "arn:aws:iam::123456789012:role/any"


@dataclass(frozen=True)
class Place:
    """One of the two: clients by service, and the endpoint for who signs nothing."""

    client: Callable[[str], Any]
    url: str


@dataclass(frozen=True)
class Difference:
    """A row.

    Attributes:
        service: As botocore calls it.
        what: What is done.
        aws: What AWS does.
        source: The page that says so.
        embedded: What the embedded backend does; AWS's code of an error, or in a word.
        localstack: The same of LocalStack.
        probe: Does it and tells, in the same words.
    """

    service: str
    what: str
    aws: str
    source: str
    embedded: str
    localstack: str
    probe: Callable[[Place], str]

    def row(self) -> str:
        """Its line of the table."""
        return f"| {self.service} | {self.what} | {self.aws} ({self.source}) | {self.embedded} | {self.localstack} |"


def outcome(call: Callable[[], Any]) -> str:
    """The code of the error that a call is refused with, or that it is taken."""
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return TAKEN


def put_event(**entry: Any) -> Callable[[Place], str]:
    def probe(place: Place) -> str:
        given = {"Source": "my.app", "DetailType": "x", "Detail": "{}", **entry}
        try:
            (answer,) = place.client("events").put_events(Entries=[given])["Entries"]
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return str(answer.get("ErrorCode", TAKEN))

    return probe


def put_rule_with_a_string(place: Place) -> str:
    return outcome(lambda: place.client("events").put_rule(Name="bad", EventPattern='{"source": "my.app"}'))


def dead_letter(place: Place) -> str:
    """An event for a queue that is not there, with a dead-letter queue."""
    sqs, events = place.client("sqs"), place.client("events")
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    arn = "arn:aws:sqs:us-east-1:123456789012:"
    events.put_rule(Name="to-nowhere", EventPattern=json.dumps({"source": ["to.nowhere"]}))
    target = {"Id": "1", "Arn": f"{arn}nowhere", "DeadLetterConfig": {"Arn": f"{arn}dead"}}
    events.put_targets(Rule="to-nowhere", Targets=[target])
    events.put_events(Entries=[{"Source": "to.nowhere", "DetailType": "x", "Detail": "{}"}])
    found = sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=8, MessageAttributeNames=["All"]).get("Messages", [])
    return ", ".join(sorted(found[0].get("MessageAttributes", {}))) or "without attributes" if found else "nothing"


def change_record(*changes: tuple[str, str]) -> Callable[[Place], str]:
    """CREATE or UPSERT with a value each; the outcome of the last."""

    def probe(place: Place) -> str:
        client = place.client("route53")
        zone = client.create_hosted_zone(Name="d.example", CallerReference=str(changes))["HostedZone"]["Id"]
        told = ""
        for action, value in changes:
            record = {"Name": "w.d.example", "Type": "A", "TTL": 5, "ResourceRecords": [{"Value": value}]}
            batch = {"Changes": [{"Action": action, "ResourceRecordSet": record}]}
            told = outcome(lambda batch=batch: client.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch))
        return told

    return probe


def create_zone(*requests: dict[str, Any]) -> Callable[[Place], str]:
    """CreateHostedZone again and again; the outcome of the last."""

    def probe(place: Place) -> str:
        create = place.client("route53").create_hosted_zone
        return [outcome(lambda request=request: create(**request)) for request in requests][-1]

    return probe


def read_unsigned(key: str) -> Callable[[Place], str]:
    def probe(place: Place) -> str:
        s3 = place.client("s3")
        s3.create_bucket(Bucket="private-files")
        s3.put_object(Bucket="private-files", Key="there", Body=b"1")
        host = {"Host": "private-files.s3.us-east-1.amazonaws.com"}
        try:
            with urllib.request.urlopen(urllib.request.Request(f"{place.url}/{key}", headers=host)) as answer:
                return str(answer.status)
        except urllib.error.HTTPError as error:
            return str(error.code)

    return probe


def subscribe_by_carrier(place: Place) -> str:
    sns = place.client("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    return outcome(lambda: sns.subscribe(TopicArn=topic, Protocol="carrier", Endpoint="pigeon"))


def send_nothing(place: Place) -> str:
    sqs = place.client("sqs")
    queue = sqs.create_queue(QueueName="q")["QueueUrl"]
    return outcome(lambda: sqs.send_message(QueueUrl=queue, MessageBody=""))


def create_function(place: Place, name: str, **more: Any) -> Any:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", "def handler(event, context): return event")
    given = {"Runtime": "python3.12", "Role": ROLE, "Handler": "app.handler", "Code": {"ZipFile": package.getvalue()}}
    client = place.client("lambda")
    made = client.create_function(FunctionName=name, **{**given, **more})
    client.get_waiter("function_active_v2").wait(FunctionName=name)
    return made


def state_of_a_new_function(place: Place) -> str:
    return str(create_function(place, "new")["State"])


def invoke(kind: str, payload: bytes) -> Callable[[Place], str]:
    def probe(place: Place) -> str:
        name = f"invoked-{kind}"
        create_function(place, name)
        return outcome(lambda: place.client("lambda").invoke(FunctionName=name, InvocationType=kind, Payload=payload))

    return probe


def reserved_variable(place: Place) -> str:
    variables = {"Variables": {"AWS_REGION": "eu-west-1"}}
    return outcome(lambda: create_function(place, "reserved", Environment=variables))


LIMIT_MB = 1_048_576

DIFFERENCES = (
    Difference(
        "events",
        "PutEvents with a source that begins with `aws.`",
        "refuses the entry",
        "API reference, PutEvents",
        "NotAuthorizedForSourceException",
        TAKEN,
        put_event(Source="aws.ecs"),
    ),
    Difference(
        "events",
        "PutEvents with an entry of 300 KB",
        "takes it: the limit is 1 MB",
        "user guide, PutEvents event entry size",
        TAKEN,
        "ValidationException",
        put_event(Detail=json.dumps({"text": "x" * 300_000})),
    ),
    Difference(
        "events",
        'PutRule with a pattern that is none, `{"source": "my.app"}`',
        "refuses it",
        "API reference, PutRule: InvalidEventPatternException",
        "InvalidEventPatternException",
        TAKEN,
        put_rule_with_a_string,
    ),
    Difference(
        "events",
        "an event for a queue that is not there, with a dead-letter queue: the attributes of what is in that",
        "says the rule, the target, the error and how often it was tried",
        "user guide, Using dead-letter queues",
        "ERROR_CODE, ERROR_MESSAGE, RETRY_ATTEMPTS, RULE_ARN, TARGET_ARN",
        "nothing",
        dead_letter,
    ),
    Difference(
        "route53",
        "CREATE of a record set that exists, with another value",
        "refuses the batch",
        "API reference, Change",
        "InvalidChangeBatch",
        TAKEN,
        change_record(("CREATE", "192.0.2.1"), ("CREATE", "192.0.2.2")),
    ),
    Difference(
        "route53",
        "an A record whose value is no address",
        "refuses the batch",
        "API reference, ChangeResourceRecordSets: InvalidChangeBatch",
        "InvalidChangeBatch",
        TAKEN,
        change_record(("UPSERT", "nonsense")),
    ),
    Difference(
        "route53",
        "CreateHostedZone with the caller reference of another zone",
        "refuses it",
        "API reference, CreateHostedZone: HostedZoneAlreadyExists",
        "HostedZoneAlreadyExists",
        TAKEN,
        create_zone(
            {"Name": "a.example", "CallerReference": "the same"}, {"Name": "b.example", "CallerReference": "the same"}
        ),
    ),
    Difference(
        "route53",
        "CreateHostedZone with a name that is none, `a..example`",
        "refuses it",
        "API reference, CreateHostedZone: InvalidDomainName",
        "InvalidDomainName",
        TAKEN,
        create_zone({"Name": "a..example", "CallerReference": "no name"}),
    ),
    Difference(
        "s3",
        "who signs nothing reads a private object",
        "403",
        "S3 user guide, access control",
        "403",
        "200",
        read_unsigned("there"),
    ),
    Difference(
        "s3",
        "who signs nothing reads an object that is not there",
        "403 without s3:ListBucket",
        "API reference, GetObject",
        "403",
        "404",
        read_unsigned("missing"),
    ),
    Difference(
        "sns",
        "Subscribe with a protocol that there is not",
        "refuses it",
        "API reference, Subscribe",
        TAKEN,
        "InvalidParameter",
        subscribe_by_carrier,
    ),
    Difference(
        "sqs",
        "SendMessage with an empty body",
        "refuses it: one character at least",
        "API reference, SendMessage",
        TAKEN,
        "MissingParameter",
        send_nothing,
    ),
    Difference(
        "lambda",
        "the state that CreateFunction answers",
        "Pending, and Active some seconds later",
        "developer guide, Lambda function states",
        "Active",
        "Pending",
        state_of_a_new_function,
    ),
    Difference(
        "lambda",
        "Invoke with a payload that is no JSON",
        "refuses it",
        "API reference, Invoke: InvalidRequestContentException",
        "InvalidRequestContentException",
        TAKEN,
        invoke("RequestResponse", b"{"),
    ),
    Difference(
        "lambda",
        "an asynchronous invocation with more than 1 MB",
        "refuses it",
        "developer guide, Lambda quotas",
        "RequestEntityTooLargeException",
        TAKEN,
        invoke("Event", json.dumps({"text": "x" * LIMIT_MB}).encode()),
    ),
    Difference(
        "lambda",
        "a function with the environment variable AWS_REGION of its own",
        "refuses it",
        "developer guide, Defined runtime environment variables",
        "InvalidParameterValueException",
        TAKEN,
        reserved_variable,
    ),
)
