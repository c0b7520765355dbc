"""Auto Scaling groups at work: their instances run before they are InService; those that do not run are replaced."""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.aws.account import ACCOUNT_ID, REGION
from sandbox.aws.backends.scaling import LAUNCH, Change, ScalingGroups, Seen
from sandbox.aws.clients import Clients
from sandbox.aws.protocol import AwsError
from sandbox.clock import Clock, Timer
from sandbox.errors import SandboxError, log_failure
from sandbox.model import autoscaling as model
from sandbox.model.autoscaling import LAUNCH_ACTION, LAUNCHED, TERMINATE_ACTION, TERMINATED, Activity
from sandbox.timeline import Timeline

log = logging.getLogger(__name__)

_HISTORY = 1000  # activities that are remembered


@dataclass
class _Waiting:
    """An instance that a lifecycle hook holds.

    Attributes:
        proceed: What happens when the last of the hooks has been completed: with its result.
    """

    token: str
    hook: str
    group: str
    instance_id: str
    result: str
    timeout: float
    proceed: Callable[[str], None]
    timer: Timer | None = field(default=None)


class AutoScaling:
    """Follows the groups. Safe to use from several threads.

    Timeline: ``scaling.instance`` (group, instance, state, cause) for each change of a lifecycle state.

    Args:
        groups: The groups; asked for when something has happened to one.
        is_settled: Whether nothing of an instance is being made any more.
        aws: Clients of the endpoint, for target groups.
        publish: Puts an event on EventBridge's default bus.
        clock: Times everything.
        timeline: See above.

    Attributes:
        instances_changed: Called when this has terminated or launched instances.
    """

    def __init__(
        self,
        groups: Callable[[], ScalingGroups],
        is_settled: Callable[[str], bool],
        aws: Clients,
        publish: Callable[[dict[str, Any]], None],
        clock: Clock,
        timeline: Timeline,
    ) -> None:
        self.instances_changed: Callable[[], None] = lambda: None
        self.activities: list[Activity] = []
        self._groups = groups
        self._is_settled = is_settled
        self._aws = aws
        self._publish = publish
        self._clock = clock
        self._timeline = timeline
        self._lock = threading.RLock()
        self._changes: dict[str, tuple[Change, float]] = {}
        self._checking: set[str] = set()
        self._waiting: dict[str, _Waiting] = {}
        self._in_turn = ThreadPoolExecutor(1, thread_name_prefix="auto-scaling")

    def follow(self, change: Change) -> None:
        """A group has launched an instance, or wants one terminated. Returns at once."""
        with self._lock:
            self._changes[change.instance_id] = (change, self._clock.now())
        state = "Pending" if change.kind == LAUNCH else "Terminating"
        self._record(change, state)
        if change.kind != LAUNCH:
            self._submit(lambda: self._terminate(change))

    def refresh(self) -> None:
        """See what has become of the groups' instances. Returns at once."""
        if self._changes:  # else no group has ever had one
            self._submit(self._look)

    def complete(self, group: str, hook: str, result: str, instance_id: str, token: str) -> None:
        """CompleteLifecycleAction.

        Raises:
            AwsError: ValidationError: no hook holds that instance.
        """
        waiting = self._held(group, hook, instance_id, token)
        self._proceed(waiting, result)

    def heartbeat(self, group: str, hook: str, instance_id: str, token: str) -> None:
        """RecordLifecycleActionHeartbeat: the hook's time begins anew.

        Raises:
            AwsError: ValidationError: no hook holds that instance.
        """
        self._begin_timer(self._held(group, hook, instance_id, token))

    def close(self) -> None:
        """Let nothing more happen."""
        self._in_turn.shutdown(wait=False, cancel_futures=True)

    # -- in turn --

    def _submit(self, work: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # closed meanwhile
            self._in_turn.submit(self._guarded, work)

    def _guarded(self, work: Callable[[], None]) -> None:
        """What nobody foresaw must be heard: everyone who waits gets it."""
        try:
            work()
        except Exception as error:
            log_failure(log, error, "Auto Scaling failed")
            self._timeline.abort(SandboxError("Auto Scaling failed", state=f"{type(error).__name__}: {error}"))

    def _look(self) -> None:
        for seen in self._groups().seen():
            if seen.lifecycle == "Pending" and self._is_settled(seen.instance_id):
                self._hold(seen, "LAUNCHING", "Pending", functools.partial(self._launched, seen))
            elif seen.lifecycle == "InService" and not (seen.is_healthy and seen.ec2_state in {"running", "pending"}):
                self._check_later(seen.instance_id)

    def _check_later(self, instance_id: str) -> None:
        with self._lock:
            if instance_id in self._checking:
                return
            self._checking.add(instance_id)
        self._clock.call_later(model.HEALTH_CHECK, lambda: self._submit(lambda: self._check(instance_id)))

    def _check(self, instance_id: str) -> None:
        """The time of a health check has come: what is still not well is replaced."""
        self._checking.discard(instance_id)
        groups = self._groups()
        seen = next((one for one in groups.seen() if one.instance_id == instance_id), None)
        if seen is None or (seen.is_healthy and seen.ec2_state == "running"):
            return
        groups.take_out(instance_id, model.unhealthy_cause(self._clock.now(), seen.ec2_state != "running"))
        self.instances_changed()

    def _launched(self, seen: Seen, result: str) -> None:
        groups = self._groups()
        if result == "ABANDON":
            groups.take_out(seen.instance_id, model.unhealthy_cause(self._clock.now(), False))
            self.instances_changed()
            return
        groups.set_lifecycle(seen.instance_id, "InService")
        self._targets(seen, "register_targets")
        self._tell(seen.instance_id, LAUNCHED, "InService")

    def _terminate(self, change: Change) -> None:
        seen = next((one for one in self._groups().seen() if one.instance_id == change.instance_id), None)
        if seen is None:  # with its group
            seen = Seen(change.instance_id, change.group, "Terminating", True, "running", ())
        self._targets(seen, "deregister_targets")
        self._hold(seen, "TERMINATING", "Terminating", lambda result: self._end(change))

    def _end(self, change: Change) -> None:
        groups = self._groups()
        groups.set_lifecycle(change.instance_id, "Terminating")
        groups.terminate(change.instance_id)
        self.instances_changed()
        self._clock.call_later(model.TERMINATING_FOR, lambda: self._submit(lambda: self._forget(change.instance_id)))

    def _forget(self, instance_id: str) -> None:
        self._groups().forget(instance_id)
        self._tell(instance_id, TERMINATED, "Terminated")

    def _targets(self, seen: Seen, operation: str) -> None:
        for arn in seen.target_groups:
            with contextlib.suppress(ClientError, BotoCoreError):  # the target group has been deleted
                getattr(self._aws("elbv2"), operation)(TargetGroupArn=arn, Targets=[{"Id": seen.instance_id}])

    def _tell(self, instance_id: str, kind: str, state: str) -> None:
        change, began = self._changes[instance_id]
        activity = Activity(
            str(uuid.uuid4()),
            kind,
            change.group,
            change.group_arn,
            instance_id,
            change.zone,
            change.subnet,
            change.cause,
            began,
            self._clock.now(),
        )
        with self._lock:
            self.activities.append(activity)
            del self.activities[:-_HISTORY]
        self._record(change, state)
        self._publish(activity.event(str(uuid.uuid4()), ACCOUNT_ID, REGION))

    def _record(self, change: Change, state: str) -> None:
        self._timeline.record(
            "scaling.instance", group=change.group, instance=change.instance_id, state=state, cause=change.cause
        )

    # -- lifecycle hooks --

    def _hold(self, seen: Seen, transition: str, state: str, proceed: Callable[[str], None]) -> None:
        """Let an instance go on when its hooks for a transition, one after another, let it."""
        hooks = self._groups().hooks(seen.group, transition)

        def following(index: int, result: str) -> None:
            if index == len(hooks) or result == "ABANDON":
                proceed(result)
                return
            self._wait(seen, hooks[index], transition, state, lambda given: following(index + 1, given))

        following(0, "CONTINUE")

    def _wait(
        self, seen: Seen, hook: dict[str, Any], transition: str, state: str, proceed: Callable[[str], None]
    ) -> None:
        waiting = _Waiting(
            str(uuid.uuid4()), hook["name"], seen.group, seen.instance_id, hook["result"], hook["timeout"], proceed
        )
        with self._lock:
            self._waiting[waiting.token] = waiting
        change, _ = self._changes[seen.instance_id]
        self._groups().set_lifecycle(seen.instance_id, f"{state}:Wait")
        self._record(change, f"{state}:Wait")
        self._begin_timer(waiting)
        detail = {
            "LifecycleActionToken": waiting.token,
            "AutoScalingGroupName": seen.group,
            "LifecycleHookName": waiting.hook,
            "EC2InstanceId": seen.instance_id,
            "LifecycleTransition": f"autoscaling:EC2_INSTANCE_{transition}",
        }
        kind = LAUNCH_ACTION if transition == "LAUNCHING" else TERMINATE_ACTION
        now = self._clock.now()
        event = model.envelope(str(uuid.uuid4()), kind, ACCOUNT_ID, REGION, now, (change.group_arn,), detail)
        self._publish(event)

    def _begin_timer(self, waiting: _Waiting) -> None:
        if waiting.timer is not None:
            waiting.timer.cancel()
        waiting.timer = self._clock.call_later(waiting.timeout, lambda: self._proceed(waiting, waiting.result))

    def _proceed(self, waiting: _Waiting, result: str) -> None:
        with self._lock:
            if self._waiting.pop(waiting.token, None) is None:
                return
        if waiting.timer is not None:
            waiting.timer.cancel()
        self._submit(lambda: waiting.proceed(result))

    def _held(self, group: str, hook: str, instance_id: str, token: str) -> _Waiting:
        with self._lock:
            found = next(
                (
                    one
                    for one in self._waiting.values()
                    if (one.group, one.hook) == (group, hook) and (one.token == token or one.instance_id == instance_id)
                ),
                None,
            )
        if found is None:
            what = f"token {token}" if token else f"instance {instance_id}"
            raise AwsError("ValidationError", f"No active Lifecycle Action found with {what}")
        return found
