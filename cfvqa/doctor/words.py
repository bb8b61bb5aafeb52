"""Sizes and durations in words that a person takes in at a glance."""

_SIZES = (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3))
_TIMES = (("days", 86400.0), ("h", 3600.0), ("min", 60.0))


def size(count: float) -> str:
    """Return a number of bytes, as "1.2 GB"."""
    unit, scale = next(((unit, scale) for unit, scale in _SIZES if count >= scale), ("bytes", 1.0))
    return f"{short(count / scale)} {unit}"


def duration(seconds: float) -> str:
    """Return seconds, as "2.5 h"."""
    unit, scale = next(((unit, scale) for unit, scale in _TIMES if seconds >= 1.5 * scale), ("s", 1.0))
    return f"{short(seconds / scale)} {unit}"


def short(value: float) -> str:
    """Return a number, in two digits where it is below ten."""
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"
