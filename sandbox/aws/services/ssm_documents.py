"""The actions of Systems Manager's API on documents, and what all of its actions have in common."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from sandbox.aws.protocol import AwsError, RequestContext
from sandbox.aws.services.paging import position, token
from sandbox.model.ssm import library
from sandbox.model.ssm.errors import SsmError
from sandbox.model.ssm.library import Library

Request = dict[str, Any]
Answer = dict[str, Any]
Action = Callable[[Any, Request, RequestContext], Answer]


def answered(action: Action) -> Action:
    """An action whose errors of the model become those of the API."""

    @functools.wraps(action)
    def called(service: Any, request: Request, context: RequestContext) -> Answer:
        try:
            return action(service, request, context)
        except SsmError as error:
            raise AwsError(error.code, error.message) from error

    return called


def page(items: Sequence[Any], request: Request, member: str, *, size: int = 50) -> Answer:
    """The page of ``items`` that a request asks for by MaxResults and NextToken.

    Raises:
        AwsError: InvalidNextToken.
    """
    wanted = request.get("MaxResults") or size
    start = position(request["NextToken"]) if request.get("NextToken") else 0
    if start is None:
        raise AwsError("InvalidNextToken", "The specified token is not valid.")
    answer: Answer = {member: list(items[start : start + wanted])}
    if start + wanted < len(items):
        answer["NextToken"] = token(start + wanted)
    return answer


class DocumentActions:
    """The base of the service.

    Args:
        documents: The account's.
        now: Seconds since the epoch.
    """

    def __init__(self, documents: Library, now: Callable[[], float]) -> None:
        self._library = documents
        self._now = now

    @answered
    def create_document(self, request: Request, context: RequestContext) -> Answer:
        """CreateDocument."""
        for member in ("Requires", "Attachments"):
            if request.get(member):
                raise AwsError("ValidationException", f"The sandbox does not carry out {member} of documents yet.")
        entry = self._library.create(request, self._now())
        return {"DocumentDescription": library.described(entry, entry.versions[1])}

    @answered
    def describe_document(self, request: Request, context: RequestContext) -> Answer:
        """DescribeDocument."""
        version = self._library.version(
            request["Name"], request.get("DocumentVersion", ""), request.get("VersionName", "")
        )
        return {"Document": library.described(self._library.entry(request["Name"]), version)}

    @answered
    def get_document(self, request: Request, context: RequestContext) -> Answer:
        """GetDocument; the content is as it was sent, whatever format is asked for."""
        entry = self._library.entry(request["Name"])
        version = self._library.version(
            request["Name"], request.get("DocumentVersion", ""), request.get("VersionName", "")
        )
        asked = request.get("DocumentFormat", version.form)
        if asked != version.form:
            raise AwsError("ValidationException", f"The sandbox gives a document as it was made: {version.form}.")
        described = library.described(entry, version)
        kept = ("Name", "CreatedDate", "DisplayName", "VersionName", "DocumentVersion", "Status", "DocumentType")
        shown = {name: described[name] for name in kept if name in described}
        return {**shown, "Content": version.content, "DocumentFormat": version.form}

    @answered
    def list_documents(self, request: Request, context: RequestContext) -> Answer:
        """ListDocuments."""
        filters = [*(request.get("Filters") or [])]
        old = {"Name": "Name", "Owner": "Owner", "PlatformTypes": "PlatformTypes", "DocumentType": "DocumentType"}
        filters += [
            {"Key": old[item["key"]], "Values": [item["value"]]} for item in request.get("DocumentFilterList") or []
        ]
        found = self._library.listed(lambda entry: library.passes(entry, filters))
        return page([library.identified(entry) for entry in found], request, "DocumentIdentifiers")

    @answered
    def list_document_versions(self, request: Request, context: RequestContext) -> Answer:
        """ListDocumentVersions, the newest first."""
        entry = self._library.entry(request["Name"])
        newest_first = sorted(entry.versions.values(), key=lambda version: -version.number)
        return page([library.version_listed(entry, one) for one in newest_first], request, "DocumentVersions")

    @answered
    def update_document(self, request: Request, context: RequestContext) -> Answer:
        """UpdateDocument."""
        if request.get("Attachments"):
            raise AwsError("ValidationException", "The sandbox does not carry out Attachments of documents yet.")
        entry, version = self._library.update(request, self._now())
        return {"DocumentDescription": library.described(entry, version)}

    @answered
    def update_document_default_version(self, request: Request, context: RequestContext) -> Answer:
        """UpdateDocumentDefaultVersion."""
        version = self._library.set_default(request["Name"], request["DocumentVersion"])
        named = {"DefaultVersionName": version.name} if version.name else {}
        return {"Description": {"Name": request["Name"], "DefaultVersion": str(version.number), **named}}

    @answered
    def delete_document(self, request: Request, context: RequestContext) -> Answer:
        """DeleteDocument."""
        self._library.delete(request["Name"], request.get("DocumentVersion", ""), request.get("VersionName", ""))
        return {}
