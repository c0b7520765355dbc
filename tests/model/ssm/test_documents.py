"""Documents: what is refused, what a command makes of one, and versions."""

from __future__ import annotations

import contextlib
import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.ssm import library
from sandbox.model.ssm.documents import RUN_SHELL_SCRIPT, Document, parse
from sandbox.model.ssm.errors import SsmError
from sandbox.model.ssm.library import Library
from sandbox.model.ssm.parameters import given as values_of

PURGE = {
    "schemaVersion": "2.2",
    "description": "Purge a cache",
    "parameters": {
        "path": {"type": "String", "allowedPattern": "^/[a-z/]*$", "default": "/"},
        "mode": {"type": "String", "allowedValues": ["soft", "hard"], "default": "soft"},
        "hosts": {"type": "StringList", "default": ["localhost"], "maxItems": 2},
        "wait": {"type": "Integer", "default": 60},
        "quiet": {"type": "Boolean", "default": True},
    },
    "mainSteps": [
        {
            "action": "aws:runShellScript",
            "name": "purge",
            "precondition": {"StringEquals": ["platformType", "Linux"]},
            "inputs": {
                "timeoutSeconds": "{{ wait }}",
                "workingDirectory": "/srv",
                "runCommand": ["purge {{ mode }} {{path}}", "for {{ hosts }} {{ quiet }}", "docker ps {{.Names}}"],
            },
        }
    ],
}


def purge(**changes):
    """The document with other members; None takes one out."""
    return {key: value for key, value in {**PURGE, **changes}.items() if value is not None}


def step(**changes):
    (one,) = PURGE["mainSteps"]
    return purge(mainSteps=[{key: value for key, value in {**one, **changes}.items() if value is not None}])


def steps(document: Document, **values):
    return document.steps(values_of("purge", document.parameters, {k: [v] for k, v in values.items()}))


def refused(content, form="JSON"):
    with pytest.raises(SsmError) as caught:
        parse(content if isinstance(content, str) else json.dumps(content), form)
    return caught.value


def test_the_steps_of_a_command():
    (one,) = steps(parse(json.dumps(PURGE)), path="/a/b")
    assert (one.name, one.plugin, one.directory, one.timeout) == ("purge", "aws:runShellScript", "/srv", 60)
    assert one.script == ("purge soft /a/b", 'for ["localhost"] true', "docker ps {{.Names}}")
    assert one.runs_on_linux


def test_yaml_is_the_same_document():
    assert parse(yaml.safe_dump(PURGE), "YAML") == parse(json.dumps(PURGE))


def test_run_shell_script_takes_its_commands_as_they_are():
    document = parse(RUN_SHELL_SCRIPT)
    values = values_of("AWS-RunShellScript", document.parameters, {"commands": ["echo {{ executionTimeout }}", "id"]})
    (one,) = document.steps(values)
    assert one.script == ("echo {{ executionTimeout }}", "id")
    assert (one.name, one.directory, one.timeout) == ("aws:runShellScript", "", 3600)


def test_a_precondition_on_a_parameter_and_a_step_of_another_platform():
    document = parse(json.dumps(step(precondition={"StringEquals": ["{{ mode }}", "hard"]})))
    assert not steps(document)[0].runs_on_linux
    assert steps(document, mode="hard")[0].runs_on_linux
    windows = parse(json.dumps(step(action="aws:runPowerShellScript", precondition=None)))
    assert windows.platforms == ["Windows"]
    assert not steps(windows)[0].runs_on_linux


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        ("{", "InvalidDocumentContent", "no JSON"),
        ("[]", "InvalidDocumentContent", "must be an object"),
        ("[" * 50_000, "InvalidDocumentContent", ""),
        (" " * 70_000, "MaxDocumentSizeExceeded", "64 KB"),
        (purge(schemaVersion=None), "InvalidDocumentContent", "schemaVersion is missing"),
        (purge(schemaVersion="0.3"), "InvalidDocumentSchemaVersion", "0.3"),
        (purge(mainSteps=None), "InvalidDocumentContent", "mainSteps is missing"),
        (purge(mainSteps=[]), "InvalidDocumentContent", "mainSteps is missing"),
        (purge(mainSteps=["purge"]), "InvalidDocumentContent", "step 1 must be an object"),
        (purge(mainSteps=PURGE["mainSteps"] * 2), "InvalidDocumentContent", "two steps have the name purge"),
        (purge(schemaVersion="2.0"), "InvalidDocumentContent", "precondition needs schema 2.2"),
        (purge(schemaVersion="1.2"), "InvalidDocumentContent", "runtimeConfig is missing"),
        (purge(parameters=[]), "InvalidDocumentContent", "parameters must be an object"),
        (purge(parameters={"path": {"type": "Path"}}), "InvalidDocumentContent", "parameter path has the type"),
        (
            purge(parameters={"a": {"type": "String", "allowedPattern": "("}}),
            "InvalidDocumentContent",
            "allowedPattern",
        ),
        (purge(parameters={"a": {"type": "StringList", "default": "x"}}), "InvalidDocumentContent", "a list"),
        (purge(parameters={}), "InvalidDocumentContent", "does not declare: hosts, mode, path, quiet, wait"),
        (step(name=None), "InvalidDocumentContent", "step 1 has no name"),
        (step(action="aws:downloadContent"), "InvalidDocumentContent", "no plugin 'aws:downloadContent'"),
        (step(inputs={}), "InvalidDocumentContent", "purge has no runCommand"),
        (step(inputs={"runCommand": "id", "user": "root"}), "InvalidDocumentContent", "unknown inputs: user"),
        (step(inputs={"runCommand": "id", "timeoutSeconds": "soon"}), "InvalidDocumentContent", "timeoutSeconds"),
        (step(precondition={"StringEquals": ["a"]}), "InvalidDocumentContent", "two texts"),
        (step(onFailure="stop"), "InvalidDocumentContent", "onFailure of purge must be exit or successAndExit"),
    ],
)
def test_content_that_is_refused(content, code, words):
    error = refused(content)
    assert error.code == code
    assert words in error.message


def test_yaml_that_is_none():
    assert refused("a: [", "YAML").code == "InvalidDocumentContent"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(ANYTHING)
def test_any_content_is_a_document_or_refused_by_name(value):
    for content in (value, {**PURGE, "parameters": value}, {**PURGE, "mainSteps": value}):
        with contextlib.suppress(SsmError):
            assert parse(json.dumps(content)).raw


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"colour": ["red"]}, "does not support parameters: colour"),
        ({"path": ["a"]}, "must match"),
        ({"path": ["/", "/a"]}, "takes one value, not 2"),
        ({"mode": ["loud"]}, "must be one of soft, hard"),
        ({"hosts": ["a", "b", "c"]}, "takes 0 to 2 values, not 3"),
        ({"wait": ["long"]}, "must be a number"),
        ({"quiet": ["perhaps"]}, "must be true or false"),
    ],
)
def test_parameters_that_are_refused(values, words):
    with pytest.raises(SsmError, match=words) as caught:
        values_of("purge", parse(json.dumps(PURGE)).parameters, values)
    assert caught.value.code == "InvalidParameters"


def test_a_parameter_without_default_has_to_be_given():
    with pytest.raises(SsmError, match="commands") as caught:
        values_of("AWS-RunShellScript", parse(RUN_SHELL_SCRIPT).parameters, {})
    assert caught.value.code == "InvalidParameters"


def test_execution_timeouts_of_run_shell_script():
    declared = parse(RUN_SHELL_SCRIPT).parameters
    for taken in ("1", "3600", "99999", "172800"):
        values_of("d", declared, {"commands": ["id"], "executionTimeout": [taken]})
    for given_up in ("0", "172801", "-1", "ten"):
        with pytest.raises(SsmError, match="executionTimeout"):
            values_of("d", declared, {"commands": ["id"], "executionTimeout": [given_up]})


# -- versions --


def make(name="Purge", **changes):
    return {"Name": name, "Content": json.dumps(PURGE), "DocumentType": "Command", **changes}


def test_versions_of_a_document():
    documents = Library("123456789012")
    entry = documents.create(make(), 1.0)
    shown = library.described(entry, entry.versions[1])
    assert (shown["DocumentVersion"], shown["LatestVersion"], shown["DefaultVersion"]) == ("1", "1", "1")
    assert (shown["Owner"], shown["SchemaVersion"], shown["PlatformTypes"]) == ("123456789012", "2.2", ["Linux"])
    quick = json.dumps(purge(description="Quick"))
    _, second = documents.update(make(Content=quick, DocumentVersion="$LATEST", VersionName="quick"), 2.0)
    assert (second.number, documents.version("Purge").number, documents.version("Purge", "$LATEST").number) == (2, 1, 2)
    assert documents.version("Purge", version_name="quick") is second
    assert documents.set_default("Purge", "2") is second
    assert documents.version("Purge") is second
    documents.delete("Purge", "1")
    assert list(documents.entry("Purge").versions) == [2]
    documents.delete("Purge")
    with pytest.raises(SsmError, match="does not exist"):
        documents.entry("Purge")


def test_what_a_library_refuses():
    documents = Library("123456789012")
    documents.create(make(), 1.0)
    for work, code in (
        (lambda: documents.create(make(), 1.0), "DocumentAlreadyExists"),
        (lambda: documents.create(make("AWS-Purge"), 1.0), "ValidationException"),
        (lambda: documents.create(make("Other", DocumentType="Automation"), 1.0), "InvalidDocumentContent"),
        (lambda: documents.update(make(), 1.0), "DuplicateDocumentContent"),
        (lambda: documents.update(make(DocumentVersion="7"), 1.0), "InvalidDocumentVersion"),
        (lambda: documents.version("Purge", "7"), "InvalidDocumentVersion"),
        (lambda: documents.set_default("Purge", "7"), "InvalidDocumentVersion"),
        (lambda: documents.delete("Purge", "1"), "InvalidDocumentOperation"),
        (lambda: documents.delete("AWS-RunShellScript"), "InvalidDocumentOperation"),
        (lambda: documents.entry("None"), "InvalidDocument"),
    ):
        with pytest.raises(SsmError) as caught:
            work()
        assert caught.value.code == code


def test_which_documents_are_listed():
    documents = Library("123456789012")
    documents.create(make(), 1.0)

    def listed(**filters):
        wanted = [{"Key": key, "Values": [value]} for key, value in filters.items()]
        return [entry.name for entry in documents.listed(lambda entry: library.passes(entry, wanted))]

    assert listed() == ["AWS-RunShellScript", "Purge"]
    assert listed(Owner="Self") == ["Purge"]
    assert listed(Owner="Amazon") == ["AWS-RunShellScript"]
    assert listed(Name="AWS-") == ["AWS-RunShellScript"]
    assert listed(PlatformTypes="Windows") == []
    with pytest.raises(SsmError, match="Colour"):
        listed(Colour="red")
