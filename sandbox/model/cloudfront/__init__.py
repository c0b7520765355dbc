"""CloudFront as pure code: configuration, cache key, time to live, and the decisions of one edge cache.

`config.parse` makes a `Distribution` from the API's DistributionConfig; an `edge.Edge` takes viewers' requests and
origins' answers, with the time, and says what is served, asked of an origin and kept.
"""
