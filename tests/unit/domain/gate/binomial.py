"""Exact chances of small counts."""

from math import comb


def chance(failures: int, requests: int, rate: float) -> float:
    """That so many of so many requests fail."""
    return comb(requests, failures) * rate**failures * (1 - rate) ** (requests - failures)
