"""The end of health checks; what they find out is in test_load_balancer.py."""

from __future__ import annotations

import gc
import socket
import threading

from sandbox.controllers.health_checks import HealthChecks, HealthRequest
from sandbox.model.elb.config import TargetGroup

GROUP = TargetGroup("arn:web", "web", "HTTP", 80, "ip", "vpc-1")


def test_what_is_under_way_at_the_end_is_given_up_quietly(tmp_path, caplog):
    path, told, before = tmp_path / "checks.sock", [], threading.enumerate()
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen()
        checks = HealthChecks()
        request = HealthRequest(GROUP, path, "10.0.0.4", 80, timeout=60)
        for _ in range(10):
            checks.begin(request, told.append)
        connection, _ = silent.accept()
        racing = threading.Thread(target=lambda: [checks.begin(request, told.append) for _ in range(200)])
        racing.start()
        checks.close()
        racing.join()
        checks.begin(request, told.append)
        connection.close()
    gc.collect()
    assert told == []
    assert caplog.messages == []
    assert not [one for one in threading.enumerate() if one.name == "health-checks" and one not in before]
