"""The model of CloudFront alone, in virtual time: a million requests of viewers to one distribution.

Run: ``python benchmarks/cloudfront.py``. Two behaviours, 2,000 pages and assets, a few of them popular, two kinds of
Accept-Encoding, and an origin that answers at once with short and long times to live and validators; so there are hits,
misses and revalidations. Exit code 1 above 5 s of one core.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter

from sandbox.model.cloudfront import config
from sandbox.model.cloudfront.edge import Edge
from sandbox.model.cloudfront.messages import Request, Response

REQUESTS, OBJECTS = 1_000_000, 2_000
GOAL = 5.0  # seconds on one core
SECONDS = 3_600.0  # of virtual time

OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
AS_ORIGIN_SAYS = {
    "ForwardedValues": {"QueryString": True, "Cookies": {"Forward": "none"}},
    "MinTTL": 0,
    "ViewerProtocolPolicy": "redirect-to-https",
    "TargetOriginId": "site",
}
DISTRIBUTION = {
    "CallerReference": "1",
    "Comment": "",
    "Enabled": True,
    "Origins": {
        "Quantity": 1,
        "Items": [
            {
                "Id": "site",
                "DomainName": "origin.example.org",
                "CustomOriginConfig": {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"},
            }
        ],
    },
    "DefaultCacheBehavior": AS_ORIGIN_SAYS,
    "CacheBehaviors": {
        "Quantity": 1,
        "Items": [
            {
                "PathPattern": "/assets/*",
                "TargetOriginId": "site",
                "ViewerProtocolPolicy": "redirect-to-https",
                "CachePolicyId": OPTIMIZED,
                "Compress": True,
            }
        ],
    },
}


def answer(uri: str, headers: dict[str, str]) -> Response:
    if uri.startswith("/assets/"):
        kind = {"content-type": "text/css", "content-length": "20000", "cache-control": "max-age=31536000"}
        return Response(200, kind, length=20_000)
    if "if-none-match" in headers:
        return Response(304, {"cache-control": "max-age=60"})
    return Response(200, {"content-type": "text/html", "cache-control": "max-age=60", "etag": '"1"'})


def main() -> int:
    chance = random.Random(4)
    paths = [f"/assets/{number}.css" if number % 2 else f"/post/{number}/" for number in range(OBJECTS)]
    weights = [1 / (number + 1) for number in range(OBJECTS)]
    viewers = [{"host": "d111111abcdef8.cloudfront.net", "accept-encoding": one} for one in ("gzip, br", "gzip")]
    requests = [
        Request(path=path, headers=viewers[number % 2])
        for number, path in enumerate(chance.choices(paths, weights, k=REQUESTS))
    ]
    edge = Edge(config.parse(DISTRIBUTION))
    seen: Counter[str] = Counter()
    begun = time.process_time()
    for number, request in enumerate(requests):
        now = SECONDS * number / REQUESTS
        decision = edge.handle(request, now)
        if decision.fetch is not None:
            sent = decision.fetch.request
            decision = edge.answered(decision.fetch, answer(sent.uri, sent.headers), now)
        assert decision.answer is not None
        seen[decision.answer.x_cache] += 1
    spent = time.process_time() - begun
    assert sum(seen.values()) == REQUESTS
    for x_cache, number in seen.most_common():
        print(f"{number:>9,} {x_cache}")
    print(f"{REQUESTS:,} requests in {spent:.2f} s of one core: {REQUESTS / spent:,.0f}/s")
    print(f"{spent / GOAL:.2f} times the {GOAL:.0f} s that are allowed")
    return 0 if spent <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
