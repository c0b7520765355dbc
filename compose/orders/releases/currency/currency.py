"""The currencies that orders may be in."""

KNOWN = frozenset({"JPY", "EUR"})


def check(code):
    if code not in KNOWN:
        raise ValueError(f"{code} is no currency of ours")
