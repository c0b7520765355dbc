from __future__ import annotations

import threading

from sandbox.aws.lambda_runtime.workers import Workers


def test_one_worker_keeps_the_order() -> None:
    workers, done, seen = Workers("w", 1), threading.Event(), []
    for number in range(50):
        workers.submit(lambda number=number: seen.append(number))
    workers.submit(done.set)
    assert done.wait(5)
    assert seen == list(range(50))


def test_a_failing_job_does_not_end_the_worker() -> None:
    workers, done = Workers("w", 1), threading.Event()
    workers.submit(lambda: 1 / 0)
    workers.submit(done.set)
    assert done.wait(5)


def test_jobs_run_side_by_side_up_to_the_bound() -> None:
    workers, together = Workers("w", 3), threading.Barrier(4)
    for _ in range(3):
        workers.submit(lambda: together.wait(5))
    together.wait(5)


def test_what_has_not_started_is_dropped_on_closing() -> None:
    workers, started, go, seen = Workers("w", 1), threading.Event(), threading.Event(), []

    def first() -> None:
        started.set()
        go.wait(5)
        seen.append("first")

    workers.submit(first)
    workers.submit(lambda: seen.append("second"))
    assert started.wait(5)
    workers.close()
    go.set()
    workers.submit(lambda: seen.append("third"))
    assert "second" not in seen
    assert "third" not in seen
