"""Checks that several components' arguments share. Each tells what is wrong, and what follows and helps."""

import re
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from components._arguments import Check, show, similar

Finding = tuple[str, str] | None

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_QUANTITY = re.compile(r"(\d+(\.\d+)?|\.\d+)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|e\d+)?")
_UNITS = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", 1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)},
}
_DURATION = re.compile(r"(\d+(\.\d+)?(ms|s|m|h))+")
_IMAGE = re.compile(r"(?P<repository>[^@\s]+?)(:(?P<tag>\w[\w.-]{0,127}))?(@(?P<digest>sha256:[0-9a-f]{64}))?")


def between(least: int, most: int, consequence: str) -> Check:
    """A number from `least` to `most`; `consequence` tells what follows from another."""

    def check(value: int) -> Finding:
        if least <= value <= most:
            return None
        return f"is not between {least} and {most}", f"{consequence} Choose a number from {least} to {most}."

    return check


def one_of(options: Iterable[str], consequence: str) -> Check:
    known = tuple(options)

    def check(value: str) -> Finding:
        return None if value in known else ("is not one of the choices", f"{consequence} {similar(value, known)}")

    return check


def dns_label(value: str) -> Finding:
    """A name as most Kubernetes objects want it (RFC 1123 label)."""
    if _DNS_LABEL.fullmatch(value):
        return None
    remedy = "The API server would refuse it. Use up to 63 lowercase letters, digits and inner dashes."
    return "is not a name that Kubernetes takes", remedy


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
    for name, each in value.items():
        if isinstance(each, str) and (found := quantity(each)):
            return f"holds {name}: {each}, which {found[0]}", found[1]
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


def timestamp(value: str) -> Finding:
    """An RFC 3339 time, as in 2027-01-31T12:00:00Z."""
    try:
        if datetime.fromisoformat(value).tzinfo is not None:
            return None
    except ValueError:
        pass
    return "is not a time with a time zone", "The API server would refuse it. Write it as 2027-01-31T12:00:00Z."


def environment(value: dict[str, Any]) -> Finding:
    """A map whose names are names of environment variables."""
    for name in value:
        if not _ENVIRONMENT_NAME.fullmatch(name):
            remedy = "No container would start. Use letters, digits, dashes, dots and underscores, no digit first."
            return f"holds {show(name)}, which is not a variable's name", remedy
    return None


def each(check: Check) -> Check:
    """A list whose entries all pass `check`."""

    def check_all(values: Iterable[Any]) -> Finding:
        for value in values:
            if found := check(value):
                return f"holds {show(value)}, which {found[0]}", found[1]
        return None

    return check_all


dns_labels = each(dns_label)
"""Names, as a list or as a map's keys."""


def pod_metadata(value: dict[str, Any]) -> Finding:
    """Labels or annotations of a sandbox's pod, none of which is the controller's own."""
    for key in value:
        if not _METADATA_KEY.fullmatch(key):
            return f"holds {show(key)}, which is not a key of metadata", "The API server would refuse it. " + _KEY_FORM
        if key.startswith(RESERVED):
            remedy = (
                "Sandboxes are found and told apart by these keys, so it ignores other people's. Choose another key."
            )
            return f"holds {key}, which belongs to the controller", remedy
    return None


RESERVED = ("agents.x-k8s.io/", "extensions.agents.x-k8s.io/")
"""Label and annotation keys that begin so are the controller's."""
_ENVIRONMENT_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_METADATA_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?")
_KEY_FORM = "Write it as name, or as your.domain/name."
