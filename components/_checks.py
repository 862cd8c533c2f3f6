"""Checks of numbers, choices, names and lists that several components share; _formats.py has those of written values.

Each tells what is wrong, and what follows and helps.
"""

import math
import re
from collections.abc import Iterable
from typing import Any

from components._arguments import Check, show, similar

Finding = tuple[str, str] | None

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def between(least: int, most: int, consequence: str) -> Check:
    """A number from `least` to `most`; `consequence` tells what follows from another."""

    def check(value: int) -> Finding:
        if least <= value <= most:
            return None
        return f"is not between {least} and {most}", f"{consequence} Choose a number from {least} to {most}."

    return check


def at_least(least: float, consequence: str) -> Check:
    """A number not below `least`; NaN and infinity are none."""

    def check(value: float) -> Finding:
        if math.isfinite(value) and value >= least:
            return None
        return f"is not {least:g} or more", f"{consequence} Choose a number from {least:g} up."

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


def dns_name(value: str) -> Finding:
    """A host or domain name: labels with dots between them."""
    if len(value) <= 253 and not any(dns_label(label) for label in value.split(".")):
        return None
    return "is not a domain name", "Nothing would resolve. Use lowercase letters, digits, inner dashes and dots."


def matches(pattern: str, wrong: str, remedy: str) -> Check:
    """A text that is wholly what the regular expression `pattern` describes."""
    compiled = re.compile(pattern)

    def check(value: str) -> Finding:
        return None if compiled.fullmatch(value) else (wrong, remedy)

    return check


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


def some_dns_labels(value: list[Any]) -> Finding:
    """Names as in dns_label, and at least one of them."""
    if not value:
        return "is empty", "It would let nobody in. Name at least one, or leave it out."
    return dns_labels(value)


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
