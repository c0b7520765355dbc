"""Lines on their way to CloudWatch Logs: the limits of a batch, and what arrives."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from sandbox.aws.backends.embedded import Embedded
from sandbox.aws.clients import Clients
from sandbox.aws.gateway import Gateway
from sandbox.aws.log_writer import BATCH_BYTES, BATCH_EVENTS, BATCH_SPAN, EVENT_OVERHEAD, LogWriter, batches

DAY = BATCH_SPAN
TIMES = st.floats(1_700_000_000, 1_700_000_000 + 5 * DAY)


@given(st.lists(st.tuples(TIMES, st.one_of(st.text(max_size=5), st.just("é" * 700_000))), max_size=30))
def test_batches_keep_the_limits_and_lose_nothing(events: list[tuple[float, str]]) -> None:
    made = list(batches(events))
    for batch in made:
        stamps = [event["timestamp"] for event in batch]
        assert stamps == sorted(stamps)
        assert stamps[-1] - stamps[0] <= DAY * 1000
        assert all(event["message"] for event in batch)
        assert sum(len(event["message"].encode()) + EVENT_OVERHEAD for event in batch) <= BATCH_BYTES
    ordered = sorted(events, key=lambda event: event[0])
    assert "".join(event["message"] for batch in made for event in batch) == "".join(text for _, text in ordered)


def test_no_more_events_than_a_batch_holds() -> None:
    sizes = [len(batch) for batch in batches([(1.0, "x")] * (2 * BATCH_EVENTS + 1))]
    assert sizes == [BATCH_EVENTS, BATCH_EVENTS, 1]


@pytest.fixture
def aws() -> Iterator[Clients]:
    backend = Embedded()
    with Gateway([], backend) as gateway:
        yield Clients(gateway.url)
    backend.reset()


@pytest.fixture
def writer(aws: Clients) -> Iterator[LogWriter]:
    made = LogWriter(aws, gather=0.01)
    yield made
    made.close()


def messages(aws: Clients, group: str, stream: str, region: str | None = None) -> list[str]:
    found = aws("logs", region).get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)
    return [event["message"] for event in found["events"]]


def test_lines_arrive_in_order_in_their_streams(aws: Clients, writer: LogWriter) -> None:
    now = time.time()
    for number in range(30):
        writer.write("/g", f"s{number % 2}", [(now, f"{number}\n"), (now, "and")])
    assert writer.flush()
    assert messages(aws, "/g", "s1") == [text for n in range(1, 30, 2) for text in (f"{n}\n", "and")]
    assert len(messages(aws, "/g", "s0")) == 30
    assert aws("logs").filter_log_events(logGroupName="/g", filterPattern="and")["events"]


def test_a_region_of_its_own(aws: Clients, writer: LogWriter) -> None:
    writer.write("/g", "s", [(time.time(), "x")], region="eu-west-1")
    assert writer.flush()
    assert messages(aws, "/g", "s", "eu-west-1") == ["x"]
    assert not aws("logs").describe_log_groups()["logGroups"]


def test_production_s_region_may_be_the_sandbox_s(aws: Clients, writer: LogWriter) -> None:
    aws("logs").create_log_group(logGroupName="/g")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        writer.open_stream("/g", "s", region="eu-west-1", create_group=False)
    writer.is_for_all_regions = True
    writer.open_stream("/g", "s", region="eu-west-1", create_group=False)
    writer.write("/g", "s", [(time.time(), "x")], region="eu-west-1", create_group=False)
    assert writer.flush()
    assert messages(aws, "/g", "s") == ["x"]


def test_a_group_that_was_deleted_is_made_again(aws: Clients, writer: LogWriter) -> None:
    writer.write("/g", "s", [(time.time(), "before")])
    assert writer.flush()
    aws("logs").delete_log_group(logGroupName="/g")
    writer.write("/g", "s", [(time.time(), "after")])
    assert writer.flush()
    assert messages(aws, "/g", "s") == ["after"]


def test_without_a_group_the_lines_are_dropped_and_said(
    aws: Clients, writer: LogWriter, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        writer.open_stream("/none", "s", create_group=False)
    writer.write("/none", "s", [(time.time(), "x")], create_group=False)
    assert writer.flush()
    assert "1 lines for /none, s are lost" in caplog.text
    assert not aws("logs").describe_log_groups()["logGroups"]


def test_an_open_stream_is_there_before_its_first_line(aws: Clients, writer: LogWriter) -> None:
    writer.open_stream("/g", "s")
    writer.open_stream("/g", "s")
    assert messages(aws, "/g", "s") == []


def test_nothing_is_made_before_the_first_line(aws: Clients) -> None:
    before = threading.active_count()
    idle = LogWriter(aws)
    assert threading.active_count() == before
    assert idle.flush()
    idle.close()


def test_closing_drops_what_is_waiting(aws: Clients) -> None:
    slow = LogWriter(aws, gather=60)
    slow.write("/g", "s", [(time.time(), "x")])
    slow.close()
    slow.write("/g", "s", [(time.time(), "x")])
    assert slow.flush()
    assert not aws("logs").describe_log_groups()["logGroups"]
