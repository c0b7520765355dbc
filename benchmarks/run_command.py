"""A command of Systems Manager to twenty instances, until it is over, against the slowest of them alone.

Run: ``python benchmarks/run_command.py [instances]``. The script sleeps for a second. Each instance gets it alone, one
after another; then all get it at once (MaxConcurrency 100%), five times. Exit 1 where the median of those is over twice
the slowest instance alone. Beside it stands what the invocation took that was the slowest among the others.
"""

from __future__ import annotations

import json
import statistics
import sys
import time

from sandbox.controllers.sandbox import Sandbox

ROUNDS = 5
GOAL = 2.0
SCRIPT = "sleep 1"
POLICY = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}


def start(box: Sandbox, instances: int) -> list[str]:
    """A group of managed nodes; their ids."""
    iam = box.aws("iam")
    iam.create_role(RoleName="node", AssumeRolePolicyDocument=json.dumps(POLICY))
    iam.put_role_policy(RoleName="node", PolicyName="node", PolicyDocument=json.dumps(POLICY))
    iam.create_instance_profile(InstanceProfileName="node")
    iam.add_role_to_instance_profile(InstanceProfileName="node", RoleName="node")
    box.aws("autoscaling").create_launch_configuration(
        LaunchConfigurationName="bench", ImageId="ami-0abcdef", InstanceType="t3.small", IamInstanceProfile="node"
    )
    box.aws("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName="bench",
        LaunchConfigurationName="bench",
        MinSize=0,
        MaxSize=instances,
        DesiredCapacity=instances,
        VPCZoneIdentifier=",".join(box.subnets),
    )
    ids = box.wait_in_service("bench", instances, within=240)
    for instance in ids:
        box.wait_managed(instance, within=60)
    return ids


def measure(box: Sandbox, ids: list[str]) -> tuple[float, float]:
    """Seconds of a command to these instances, and those of its slowest invocation."""
    ssm = box.aws("ssm")
    begun = time.monotonic()
    command = ssm.send_command(
        DocumentName="AWS-RunShellScript",
        Parameters={"commands": [SCRIPT]},
        InstanceIds=ids,
        MaxConcurrency="100%",
    )["Command"]["CommandId"]
    over = box.wait_command(command, within=120)
    spent = time.monotonic() - begun
    if over["status"] != "Success":
        raise SystemExit(f"the command is {over['status']} ({over['details']})")
    found = ssm.list_command_invocations(CommandId=command, Details=True)["CommandInvocations"]
    steps = [one["CommandPlugins"][0] for one in found]
    assert len(steps) == len(ids)
    slowest = max((one["ResponseFinishDateTime"] - one["ResponseStartDateTime"]).total_seconds() for one in steps)
    return spent, slowest


def main() -> int:
    """Measure and print."""
    instances = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with Sandbox() as box:
        begun = time.monotonic()
        ids = start(box, instances)
        print(f"{instances} instances are managed nodes after {time.monotonic() - begun:.1f} s")
        alone = [measure(box, [instance])[0] for instance in ids]
        rounds = [measure(box, ids) for _ in range(ROUNDS)]
    print(f"one instance alone: {min(alone):.2f} to {max(alone):.2f} s")
    for spent, slowest in rounds:
        print(f"{instances} instances: {spent:.2f} s; the slowest among them {slowest:.2f} s")
    ratio = statistics.median(spent for spent, _ in rounds) / max(alone)
    print(f"median {ratio:.2f} times the slowest alone; goal: at most {GOAL:g} times")
    return 1 if ratio > GOAL else 0


if __name__ == "__main__":
    sys.exit(main())
