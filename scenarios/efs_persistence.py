"""What an editor has written, after a deployment: gone with the task, lost between two tasks, or there.

Ghost keeps its content in a SQLite file and its settings in memory. Without EFS the file goes with the task. With EFS
the default rolling update runs the new task beside the old one for 40 s and more, on the same file: what is saved
through the old one, the new one does not know.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sandbox import evidence
from sandbox.errors import SandboxError
from sandbox.scenario import Play, Scenario, Variant, Verdict
from sandbox.timeline import Observation

if TYPE_CHECKING:  # scenarios are listed without loading what runs them
    from sandbox.controllers.sandbox import Sandbox
    from sandbox.probes.http import HttpResult

NAME = "blog.example.com"
URL = f"http://{NAME}/"
POST = f"{URL}kept/"
SETTINGS = f"{URL}ghost/api/admin/settings/"
CLUSTER = "blog"
TITLE = "Renamed during the deployment"
ACCOUNT = {"email": "editor@example.com", "password": "a long enough passphrase 7"}

ROLLING = {"minimumHealthyPercent": 100, "maximumPercent": 200}  # AWS's default
STOP_FIRST = {"minimumHealthyPercent": 0, "maximumPercent": 100}


class Editor:
    """Uses Ghost's Admin API, at one address, as a browser with an open page does."""

    def __init__(self, sandbox: Sandbox, address: str) -> None:
        self.address = address
        self._sandbox = sandbox
        self._cookie = ""

    def sign_up(self) -> None:
        """Set the blog up and sign in."""
        self._send("POST", "authentication/setup/", {"setup": [{"name": "Ed", "blogTitle": "As it was", **ACCOUNT}]})
        answer = self._send("POST", "session/", {"username": ACCOUNT["email"], "password": ACCOUNT["password"]})
        self._cookie = answer.headers["set-cookie"].partition(";")[0]

    def publish(self, title: str) -> None:
        """Publish a post."""
        self._send(
            "POST", "posts/?source=html", {"posts": [{"title": title, "html": "<p>x</p>", "status": "published"}]}
        )

    def rename(self, title: str) -> None:
        """Give the site another title."""
        self._send("PUT", "settings/", {"settings": [{"key": "title", "value": title}]})

    def _send(self, method: str, path: str, body: dict[str, Any]) -> HttpResult:
        headers = {"Content-Type": "application/json", "Origin": URL.rstrip("/"), "Cookie": self._cookie}
        url = f"{URL}ghost/api/admin/{path}"
        sent = json.dumps(body).encode()
        result = self._sandbox.http_send(method, url, address=self.address, headers=headers, body=sent)
        if result.status not in {200, 201}:
            raise SandboxError(f"Ghost refused {method} {url}", state=f"{result}: {result.body[:200]}")
        return result


def play(play: Play) -> None:
    """Write a post, deploy, and rename the site as soon as the new task serves."""
    sandbox, timeline = play.sandbox, play.sandbox.timeline
    first = [seen for seen in timeline.since() if evidence.runs(seen)][-1]
    editor = Editor(sandbox, first["public_ip"])
    editor.sign_up()
    editor.publish("Kept")
    sandbox.http_get(POST)

    mark = timeline.mark()
    sandbox.progress("deploying the service anew")
    sandbox.aws("ecs").update_service(
        cluster=CLUSTER,
        service="ghost",
        forceNewDeployment=True,
        deploymentConfiguration=play.variant.settings["limits"],
    )
    running = timeline.wait_for("the new task to be RUNNING", evidence.runs, within=90, since=mark)
    sandbox.progress("waiting for the new task's Ghost at its own address")
    sandbox.wait_serving(f"http://{running['public_ip']}/")
    if any(seen.kind == "container.exited" and seen["task"] == first["task"] for seen in timeline.since(mark)):
        if play.variant.settings["limits"] is ROLLING:
            raise SandboxError("the old task ended before the new one served", hint="use a lower --speed")
        editor.address = running["public_ip"]  # the old one is dead, so the editor has to reload
    if play.variant.parameters["taskdef"] == "taskdef":  # else the account is gone with the task
        editor.rename(TITLE)

    sandbox.progress("waiting for the old task to be stopped")
    sandbox.wait_task(first["task"], "STOPPED", within=180)
    sandbox.http_get(POST)
    page = sandbox.http_get(URL)
    title = re.search("<title>(.*?)</title>", page.body)
    timeline.record("page.title", url=URL, title=title[1] if title else "")


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when something that Ghost has taken is not there after the deployment."""
    responses = [seen for seen in observations if seen.kind == "http.response"]
    before, after = [seen for seen in responses if seen["url"] == POST]
    saved = [seen for seen in responses if seen["url"] == SETTINGS and seen["status"] == 200]
    title = [seen for seen in observations if seen.kind == "page.title"][-1]["title"]
    states = [seen for seen in observations if seen.kind == "task.state"]
    tasks = {seen["task"]: seen for seen in states if evidence.runs(seen)}
    old, new = list(tasks.values())[-2:]
    told = next((seen for seen in states if seen["task"] == old["task"] and seen["desired_status"] == "STOPPED"), None)
    beside = told.at - new.at if told is not None else 0.0

    lost = after["status"] != 200 or bool(saved and title != TITLE)
    facts = (
        f"post published on task {evidence.task(old)}: {evidence.page(before)}",
        f"task {evidence.task(new)} RUNNING "
        + (f"beside it for {beside:.1f} s" if beside > 0 else "after it had been told to stop"),
        *(f"title saved through {seen['remote_ip']}, {_whose(seen, old)} task: HTTP 200" for seen in saved),
        f"after the deployment: post {evidence.page(after)}, title {title!r}",
    )
    return Verdict(lost, facts)


def _whose(seen: Observation, old: Observation) -> str:
    return "the old" if seen["remote_ip"] == old["public_ip"] else "the new"


SCENARIO = Scenario(
    name="efs-persistence",
    stack="ghost",
    parameters={"blog": "image:ghost-blog/blog"},
    symptom="After a deployment posts are gone; or they are there, and what an editor has just saved is not.",
    cause=(
        "Ghost's SQLite file is on the task's own volume and goes with it. Or it is on EFS, and the default rolling "
        "update (100/200) runs two Ghosts on it side by side: each keeps settings in memory, so what is saved through "
        "the old one, the new one does not know."
    ),
    fix="Keep the content on EFS, and deploy with minimumHealthyPercent 0 and maximumPercent 100: one Ghost at a time.",
    variants=(
        Variant(
            "task-volume",
            "reproduces",
            "content on a volume of the task",
            {"taskdef": "taskdef-no-efs"},
            {"limits": STOP_FIRST},
        ),
        Variant(
            "default-rolling-update",
            "reproduces",
            "content on EFS, old and new task side by side (100/200)",
            {"taskdef": "taskdef"},
            {"limits": ROLLING},
        ),
        Variant(
            "stop-first",
            "holds",
            "content on EFS, the old task ends before the new one starts (0/100)",
            {"taskdef": "taskdef"},
            {"limits": STOP_FIRST},
        ),
    ),
    play=play,
    judge=judge,
)
