"""``sandbox check``: what AWS would do with a site that runs, before it is there. One module a check."""
