"""The agent's configuration in user data, in the ways that scripts write it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.ecs.agent_config import AgentConfiguration, parse

HERE_DOCUMENT = """#!/bin/bash
cat <<'EOF' >> /etc/ecs/ecs.config
ECS_CLUSTER=blue
ECS_INSTANCE_ATTRIBUTES={"stack": "prod", "rack": "3"}
ECS_RESERVED_MEMORY=256
ECS_ENABLE_SPOT_INSTANCE_DRAINING=true
EOF
"""


@pytest.mark.parametrize(
    ("user_data", "cluster"),
    [
        ("", ""),
        ("#!/bin/bash\nyum update -y\n", ""),
        ("#!/bin/bash\necho ECS_CLUSTER=blue >> /etc/ecs/ecs.config", "blue"),
        ('#!/bin/bash\necho "ECS_CLUSTER=blue" >> /etc/ecs/ecs.config', "blue"),
        ("#!/bin/bash\necho 'ECS_CLUSTER=blue'>>/etc/ecs/ecs.config", "blue"),
        ('ECS_CLUSTER="blue"\n', "blue"),
        ("echo ECS_CLUSTER=one >> f; echo ECS_CLUSTER=two >> f", "two"),
        ("MY_ECS_CLUSTER=blue", ""),
    ],
)
def test_the_cluster(user_data: str, cluster: str) -> None:
    assert parse(user_data).cluster == cluster


def test_other_settings() -> None:
    assert parse(HERE_DOCUMENT) == AgentConfiguration(
        "blue", {"stack": "prod", "rack": "3"}, 256, ("ECS_ENABLE_SPOT_INSTANCE_DRAINING",)
    )
    assert parse('echo "ECS_INSTANCE_ATTRIBUTES={\\"stack\\":\\"prod\\"}"').attributes == {"stack": "prod"}
    assert parse("ECS_INSTANCE_ATTRIBUTES={stack}\nECS_RESERVED_MEMORY=much").attributes == {}


@given(st.text())
def test_any_text_can_be_user_data(text: str) -> None:
    parse(text)
