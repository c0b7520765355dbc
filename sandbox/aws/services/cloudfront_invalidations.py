"""The actions on invalidations and on tags of distributions."""

from __future__ import annotations

from sandbox.aws.protocol import AwsError, RequestContext
from sandbox.aws.services.cloudfront_state import (
    Answer,
    CloudFrontActions,
    Config,
    HeldDistribution,
    Invalidation,
    Request,
    invalid_argument,
    location,
    new_id,
    paged,
    refusals,
)
from sandbox.model.cloudfront.patterns import invalidated
from sandbox.model.cloudfront.policies import items


class InvalidationActions(CloudFrontActions):
    """CreateInvalidation to ListInvalidations, TagResource to ListTagsForResource."""

    def create_invalidation(self, request: Request, context: RequestContext) -> Answer:
        """CreateInvalidation; answered when it is over. The same request again is answered as the first one was."""
        batch = request["InvalidationBatch"]
        with refusals():
            paths = items(batch["Paths"])
            invalidated(paths)
        if not paths:
            raise invalid_argument("An invalidation must have at least one path.")
        with self._state.lock:
            one = self._state.find(request["DistributionId"])
            made = _previous(one, batch)
            is_new = made is None
            if made is None:
                made = Invalidation(new_id("I"), self._state.now(), batch)
                one.invalidations.append(made)
        if is_new:
            self._carry_out(one, made, paths)
        where = location(f"distribution/{one.id}/invalidation/{made.id}")
        return {"Invalidation": _shown(made), "Location": where}

    def _carry_out(self, one: HeldDistribution, made: Invalidation, paths: list[str]) -> None:
        try:
            self._state.carrier.invalidate(one.id, paths)
        except BaseException:
            with self._state.lock:
                one.invalidations.remove(made)
            raise
        made.status = "Completed"

    def get_invalidation(self, request: Request, context: RequestContext) -> Answer:
        """GetInvalidation."""
        with self._state.lock:
            one = self._state.find(request["DistributionId"])
            found = next((each for each in one.invalidations if each.id == request["Id"]), None)
        if found is None:
            raise AwsError("NoSuchInvalidation", "The specified invalidation does not exist.", 404)
        return {"Invalidation": _shown(found)}

    def list_invalidations(self, request: Request, context: RequestContext) -> Answer:
        """ListInvalidations, most recent first."""
        with self._state.lock:
            one = self._state.find(request["DistributionId"])
            shown = {
                each.id: {"Id": each.id, "CreateTime": each.created, "Status": each.status}
                for each in reversed(one.invalidations)
            }
        page, more = paged(shown, request)
        return {"InvalidationList": {**page, "Marker": request.get("Marker", ""), "IsTruncated": more}}

    # -- tags --

    def tag_resource(self, request: Request, context: RequestContext) -> Answer:
        """TagResource; a known key gets the new value."""
        with self._state.lock:
            self._tagged(request["Resource"]).update(tag_map(request["Tags"]))
        return {}

    def untag_resource(self, request: Request, context: RequestContext) -> Answer:
        """UntagResource."""
        with self._state.lock:
            tags = self._tagged(request["Resource"])
            for key in request["TagKeys"].get("Items", []):
                tags.pop(key, None)
        return {}

    def list_tags_for_resource(self, request: Request, context: RequestContext) -> Answer:
        """ListTagsForResource."""
        with self._state.lock:
            tags = self._tagged(request["Resource"])
            return {"Tags": {"Items": [{"Key": key, "Value": value} for key, value in tags.items()]}}

    def _tagged(self, arn: str) -> dict[str, str]:
        found = next((one for one in self._state.distributions.values() if one.arn == arn), None)
        if found is None:
            raise AwsError("NoSuchResource", f"The resource {arn} does not exist.", 404)
        return found.tags


def tag_map(tags: Config) -> dict[str, str]:
    """The API's Tags as a mapping."""
    return {tag["Key"]: tag.get("Value", "") for tag in tags.get("Items", [])}


def _previous(one: HeldDistribution, batch: Config) -> Invalidation | None:
    """The invalidation of the same caller reference, if there is one.

    The API reference of InvalidationBatch has an error InvalidationBatchAlreadyExists for one with other paths, which
    its present version has no more; users saw InvalidArgument.
    """
    found = next(
        (each for each in one.invalidations if each.batch["CallerReference"] == batch["CallerReference"]), None
    )
    if found is not None and sorted(items(found.batch["Paths"])) != sorted(items(batch["Paths"])):
        raise invalid_argument(
            "Your request contains a caller reference that was used for a previous invalidation batch for the same "
            "distribution."
        )
    return found


def _shown(one: Invalidation) -> Answer:
    return {"Id": one.id, "Status": one.status, "CreateTime": one.created, "InvalidationBatch": one.batch}
