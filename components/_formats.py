"""Checks of written values: images, quantities, durations, times and address ranges, as Kubernetes and Go read them."""

import re
from datetime import datetime
from decimal import Decimal
from ipaddress import ip_network
from typing import Any

from components._checks import Finding, each

_QUANTITY = re.compile(r"(\d+(\.\d+)?|\.\d+)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|e\d+)?")
_UNITS = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", 1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)},
}
_DURATION = re.compile(r"(\d+(\.\d+)?(ms|s|m|h))+")
_PART = re.compile(r"(\d+(\.\d+)?)(ms|s|m|h)")
_IMAGE = re.compile(r"(?P<repository>[^@\s]+?)(:(?P<tag>\w[\w.-]{0,127}))?(@(?P<digest>sha256:[0-9a-f]{64}))?")


def pinned_image(value: str) -> Finding:
    """A container image with a tag that does not move, or a digest."""
    match = _IMAGE.fullmatch(value)
    if match is None:
        return (
            "is not an image reference",
            "Nothing could be pulled. Write registry/repository:tag.",
        )
    if match["digest"]:
        return None
    moving = "What runs would change under an unchanged stack. Name a release's tag, or a digest (@sha256:...)."
    if match["tag"] is None:
        return "has neither a tag nor a digest, so it means latest", moving
    if match["tag"].startswith("latest"):
        return "has a tag that moves", moving
    return None


def quantity(value: str) -> Finding:
    """A Kubernetes quantity, as in 250m, 512Mi or 2."""
    if _QUANTITY.fullmatch(value):
        return None
    return (
        "is not a quantity",
        "The API server would refuse it. Write a number with a unit, as in 250m (CPU) or 512Mi (memory).",
    )


def quantities(value: dict[str, Any]) -> Finding:
    """A map whose plain values are quantities."""
    for name, written in value.items():
        if isinstance(written, str) and (found := quantity(written)):
            return f"holds {name}: {written}, which {found[0]}", found[1]
    return None


def amount(value: str) -> Decimal:
    """What a quantity amounts to, in its base unit."""
    number, unit = re.fullmatch(r"([\d.]+)(.*)", value).groups()  # type: ignore[union-attr]  # `quantity` has seen it
    if unit.startswith("e"):
        return Decimal(number + unit)
    return Decimal(number) * _UNITS[unit]


def duration(value: str) -> Finding:
    """A Go duration, as in 180s or 5m."""
    if _DURATION.fullmatch(value):
        return None
    return "is not a duration", "The program would not start. Write a number with a unit, as in 180s or 5m."


def seconds(value: str) -> float:
    """A checked Go duration in seconds."""
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    return sum(float(number) * units[unit] for number, _, unit in _PART.findall(value))


def positive_duration(value: str) -> Finding:
    """A Go duration above zero."""
    if (found := duration(value)) is not None:
        return found
    return None if seconds(value) > 0 else ("is not above zero", "The program would not start. Choose a longer one.")


def timestamp(value: str) -> Finding:
    """An RFC 3339 time, as in 2027-01-31T12:00:00Z."""
    try:
        if datetime.fromisoformat(value).tzinfo is not None:
            return None
    except ValueError:
        pass
    return "is not a time with a time zone", "The API server would refuse it. Write it as 2027-01-31T12:00:00Z."


def cidr(value: str) -> Finding:
    """An IP range in CIDR notation."""
    try:
        ip_network(value)
    except ValueError:
        return "is not an address range", "The API server would refuse it. Write it as in 10.0.0.0/8."
    return None


cidrs = each(cidr)
"""IP ranges in CIDR notation, as a list."""
