"""What of task definitions and services is left out, and entries that name nothing."""

from __future__ import annotations

import pytest

from sandbox.model.own.errors import OwnError
from sandbox.model.own.left_out import leave_out

WEB = {
    "name": "web",
    "dependsOn": [{"containerName": "router", "condition": "START"}, {"containerName": "db", "condition": "HEALTHY"}],
    "linuxParameters": {"initProcessEnabled": True, "devices": [{"hostPath": "/dev/x"}]},
    "logConfiguration": {"logDriver": "awsfirelens"},
}
DEFINITION = {
    "family": "shop",
    "containerDefinitions": [WEB, {"name": "router", "firelensConfiguration": {}}, {"name": "db"}],
    "proxyConfiguration": {"type": "APPMESH"},
}
SERVICE = {"serviceName": "web", "desiredCount": 2, "serviceConnectConfiguration": {"enabled": True}}


def left(*ignore):
    ((_, definition),), ((_, service),) = leave_out(ignore, [("a", DEFINITION)], [("b", SERVICE)])
    return definition, service


def test_a_container_goes_with_what_depends_on_it():
    definition, service = left("router")
    web, db = definition["containerDefinitions"]
    assert (web["dependsOn"], db["name"]) == ([{"containerName": "db", "condition": "HEALTHY"}], "db")
    assert service == SERVICE


def test_members_of_what_has_the_name():
    definition, service = left(
        "web.logConfiguration",
        "web.linuxParameters.devices",
        "web.serviceConnectConfiguration",
        "shop.proxyConfiguration",
    )
    web = definition["containerDefinitions"][0]
    assert "logConfiguration" not in web
    assert web["linuxParameters"] == {"initProcessEnabled": True}
    assert "proxyConfiguration" not in definition
    assert service == {"serviceName": "web", "desiredCount": 2}


def test_nothing_is_changed_in_place():
    before = repr((DEFINITION, SERVICE))
    left("router", "web.linuxParameters.devices")
    assert repr((DEFINITION, SERVICE)) == before
    assert left() == (DEFINITION, SERVICE)


@pytest.mark.parametrize("entry", ["shop.containerDefinitions", "shop.family", "web.name", "web.serviceName"])
def test_what_a_request_cannot_be_without(entry):
    with pytest.raises(OwnError) as refused:
        left(entry)
    assert refused.value.message == f"[stack] ignore: {entry} cannot be left out"


@pytest.mark.parametrize(
    ("entry", "hint"),
    [
        ("ruter", "is 'router' meant?"),
        ("web.logConfig", "is 'web.logConfiguration' meant?"),
        ("db.image", "is 'db.name' meant?"),
        ("web.linuxParameters.tmpfs", "web.linuxParameters"),
        ("zzzzzz", "known: db, router, shop, web"),
    ],
)
def test_an_entry_that_names_nothing(entry, hint):
    with pytest.raises(OwnError) as refused:
        left(entry)
    assert refused.value.message == f"[stack] ignore: unknown name '{entry}'"
    assert hint in refused.value.hint
