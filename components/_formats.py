"""Checks of numbers, durations, names and addresses that the platform's components share."""

import math
import re
from ipaddress import ip_network
from typing import Any

from components._arguments import Check
from components._checks import Finding, dns_label, dns_labels, duration

_PART = re.compile(r"(\d+(\.\d+)?)(ms|s|m|h)")


def at_least(least: float, consequence: str) -> Check:
    """A number not below `least`; NaN and infinity are none."""

    def check(value: float) -> Finding:
        if math.isfinite(value) and value >= least:
            return None
        return f"is not {least:g} or more", f"{consequence} Choose a number from {least:g} up."

    return check


def matches(pattern: str, wrong: str, remedy: str) -> Check:
    """A text that is wholly what the regular expression `pattern` describes."""
    compiled = re.compile(pattern)

    def check(value: str) -> Finding:
        return None if compiled.fullmatch(value) else (wrong, remedy)

    return check


def some_dns_labels(value: list[Any]) -> Finding:
    """Names as in dns_label, and at least one of them."""
    if not value:
        return "is empty", "It would let nobody in. Name at least one, or leave it out."
    return dns_labels(value)


def seconds(value: str) -> float:
    """A checked Go duration in seconds."""
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    return sum(float(number) * units[unit] for number, _, unit in _PART.findall(value))


def positive_duration(value: str) -> Finding:
    """A Go duration above zero."""
    if (found := duration(value)) is not None:
        return found
    return None if seconds(value) > 0 else ("is not above zero", "The program would not start. Choose a longer one.")


def dns_name(value: str) -> Finding:
    """A host or domain name: labels with dots between them."""
    if len(value) <= 253 and not any(dns_label(label) for label in value.split(".")):
        return None
    return "is not a domain name", "Nothing would resolve. Use lowercase letters, digits, inner dashes and dots."


def cidr(value: str) -> Finding:
    """An IP range in CIDR notation."""
    try:
        ip_network(value)
    except ValueError:
        return "is not an address range", "The API server would refuse it. Write it as in 10.0.0.0/8."
    return None


def cidrs(value: list[str]) -> Finding:
    """IP ranges in CIDR notation."""
    wrong = [each for each in value if cidr(each)]
    return (f"holds {wrong[0]}, which is not an address range", "Write it as in 10.0.0.0/8.") if wrong else None
