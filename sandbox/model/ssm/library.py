"""The documents of an account and their versions.

Source: API reference of Systems Manager: CreateDocument, UpdateDocument, UpdateDocumentDefaultVersion, GetDocument,
DeleteDocument.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.model.ssm.documents import RUN_SHELL_SCRIPT, Document, parse
from sandbox.model.ssm.errors import SsmError

_RESERVED = ("aws", "amazon", "amzn", "AWSEC2", "AWSConfigRemediation", "AWSSupport")
DEFAULT, LATEST = "$DEFAULT", "$LATEST"


@dataclass(frozen=True)
class Version:
    """A version of a document.

    Attributes:
        number: From 1.
        content: As it was sent.
        form: JSON or YAML.
        document: What it says.
        created: Seconds since the epoch.
    """

    number: int
    content: str
    form: str
    document: Document
    created: float
    name: str = ""
    display_name: str = ""
    target_type: str = ""

    @property
    def hash(self) -> str:
        """Sha256 of the content."""
        return hashlib.sha256(self.content.encode()).hexdigest()


@dataclass
class Entry:
    """A document with its versions by number; deleted ones are gone."""

    name: str
    owner: str
    versions: dict[int, Version]
    default: int = 1
    tags: list[Mapping[str, str]] = field(default_factory=list)
    latest: int = 1


class Library:
    """See the module.

    Args:
        account_id: Who owns what is made here.
    """

    def __init__(self, account_id: str) -> None:
        self._account_id = account_id
        shell = Version(1, RUN_SHELL_SCRIPT, "JSON", parse(RUN_SHELL_SCRIPT), 0.0)
        self._entries = {"AWS-RunShellScript": Entry("AWS-RunShellScript", "Amazon", {1: shell})}

    def create(self, request: Mapping[str, Any], now: float) -> Entry:
        """CreateDocument.

        Raises:
            SsmError: DocumentAlreadyExists, or those of `sandbox.model.ssm.documents.parse`.
        """
        name = request["Name"]
        if name.lower().startswith(tuple(prefix.lower() for prefix in _RESERVED)):
            raise SsmError(
                "ValidationException", f"Document names can't begin with one of {', '.join(_RESERVED)}: {name}"
            )
        kind = request.get("DocumentType", "Command")
        if kind != "Command":
            raise SsmError("InvalidDocumentContent", f"The sandbox has documents of type Command, not {kind}.")
        if name in self._entries:
            raise SsmError("DocumentAlreadyExists", f"Document with same name {name} already exists")
        entry = Entry(name, self._account_id, {1: _version(1, request, now)}, tags=list(request.get("Tags", ())))
        self._entries[name] = entry
        return entry

    def update(self, request: Mapping[str, Any], now: float) -> tuple[Entry, Version]:
        """UpdateDocument: a new version, from the latest one alone.

        Raises:
            SsmError: InvalidDocument, InvalidDocumentVersion, DuplicateDocumentContent, DuplicateDocumentVersionName,
                or those of `sandbox.model.ssm.documents.parse`.
        """
        entry = self._own(request["Name"])
        asked = request.get("DocumentVersion", LATEST)
        if asked not in {LATEST, str(entry.latest)}:
            raise SsmError("InvalidDocumentVersion", "The document version is not valid or is not the latest one.")
        version = _version(entry.latest + 1, {**_kept(entry), **request}, now)
        if any(version.hash == other.hash for other in entry.versions.values()):
            raise SsmError(
                "DuplicateDocumentContent",
                "The content of the association document matches another document. Change the content of the document "
                "and try again.",
            )
        if version.name and any(version.name == other.name for other in entry.versions.values()):
            raise SsmError("DuplicateDocumentVersionName", "The version name has already been used in this document.")
        entry.latest = version.number
        entry.versions[version.number] = version
        return entry, version

    def set_default(self, name: str, version: str) -> Version:
        """UpdateDocumentDefaultVersion.

        Raises:
            SsmError: InvalidDocument or InvalidDocumentVersion.
        """
        entry = self._own(name)
        found = self.version(name, version)
        entry.default = found.number
        return found

    def delete(self, name: str, version: str = "", version_name: str = "") -> None:
        """DeleteDocument: all of it, or one version that is not the default.

        Raises:
            SsmError: InvalidDocument, InvalidDocumentVersion or InvalidDocumentOperation.
        """
        entry = self._own(name)
        if not version and not version_name:
            del self._entries[name]
            return
        found = self.version(name, version, version_name)
        if found.number == entry.default:
            raise SsmError("InvalidDocumentOperation", "Default version of the document can't be deleted.")
        del entry.versions[found.number]

    def entry(self, name: str) -> Entry:
        """A document, by name or ARN.

        Raises:
            SsmError: InvalidDocument.
        """
        found = self._entries.get(name.rpartition("document/")[2] if name.startswith("arn:") else name)
        if found is None:
            raise SsmError("InvalidDocument", f"Document with name {name} does not exist.")
        return found

    def version(self, name: str, version: str = "", version_name: str = "") -> Version:
        """A version of a document: by number, $DEFAULT (also where none is given), $LATEST, or its own name.

        Raises:
            SsmError: InvalidDocument or InvalidDocumentVersion.
        """
        entry = self.entry(name)
        if version_name:
            found = next((one for one in entry.versions.values() if one.name == version_name), None)
        elif version in {"", DEFAULT}:
            found = entry.versions[entry.default]
        elif version == LATEST:
            found = entry.versions[max(entry.versions)]
        else:
            found = entry.versions.get(int(version)) if version.isdecimal() else None
        if found is None:
            raise SsmError("InvalidDocumentVersion", f"Document {name} has no version {version_name or version}.")
        return found

    def listed(self, passes: Callable[[Entry], bool] = lambda entry: True) -> list[Entry]:
        """The documents that pass, by name."""
        return sorted((entry for entry in self._entries.values() if passes(entry)), key=lambda entry: entry.name)

    def _own(self, name: str) -> Entry:
        entry = self.entry(name)
        if entry.owner == "Amazon":
            raise SsmError("InvalidDocumentOperation", f"{name} is owned by Amazon.")
        return entry


def _version(number: int, request: Mapping[str, Any], now: float) -> Version:
    form = request.get("DocumentFormat", "JSON")
    return Version(
        number,
        request["Content"],
        form,
        parse(request["Content"], form),
        now,
        request.get("VersionName", ""),
        request.get("DisplayName", ""),
        request.get("TargetType", ""),
    )


def _kept(entry: Entry) -> dict[str, Any]:
    """What a new version takes over from the latest."""
    before = entry.versions[max(entry.versions)]
    return {"DisplayName": before.display_name, "TargetType": before.target_type}


def described(entry: Entry, version: Version) -> dict[str, Any]:
    """As DescribeDocument shows a version."""
    return {
        **_identified(entry, version),
        "Hash": version.hash,
        "HashType": "Sha256",
        "Status": "Active",
        "Description": version.document.description,
        "Parameters": [parameter.described() for parameter in version.document.parameters.values()],
        "LatestVersion": str(entry.latest),
        "DefaultVersion": str(entry.default),
    }


def _identified(entry: Entry, version: Version) -> dict[str, Any]:
    shown = {
        "Name": entry.name,
        "CreatedDate": version.created,
        "Owner": entry.owner,
        "PlatformTypes": version.document.platforms,
        "DocumentVersion": str(version.number),
        "DocumentType": "Command",
        "SchemaVersion": version.document.schema,
        "DocumentFormat": version.form,
        "Tags": list(entry.tags),
    }
    named = {"VersionName": version.name, "DisplayName": version.display_name, "TargetType": version.target_type}
    return {**shown, **{key: value for key, value in named.items() if value}}


def identified(entry: Entry) -> dict[str, Any]:
    """As ListDocuments shows a document: its default version."""
    return _identified(entry, entry.versions[entry.default])


def version_listed(entry: Entry, version: Version) -> dict[str, Any]:
    """As ListDocumentVersions shows it."""
    shown = {
        "Name": entry.name,
        "DocumentVersion": str(version.number),
        "CreatedDate": version.created,
        "IsDefaultVersion": version.number == entry.default,
        "DocumentFormat": version.form,
        "Status": "Active",
    }
    return {**shown, **({"VersionName": version.name} if version.name else {})}


def passes(entry: Entry, filters: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a document passes the Filters of ListDocuments.

    Raises:
        SsmError: InvalidFilterKey.
    """
    version = entry.versions[entry.default]
    have = {
        "Name": {entry.name},
        "Owner": {entry.owner, "Self" if entry.owner != "Amazon" else "Public", "All"},
        "PlatformTypes": set(version.document.platforms),
        "DocumentType": {"Command"},
        "TargetType": {version.target_type},
    }
    for item in filters:
        if item["Key"] not in have:
            raise SsmError("InvalidFilterKey", f"The filter key {item['Key']} is not valid.")
        if item["Key"] == "Name":
            if not any(entry.name.startswith(value) for value in item["Values"]):
                return False
        elif not have[item["Key"]] & set(item["Values"]):
            return False
    return True
