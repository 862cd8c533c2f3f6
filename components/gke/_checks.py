"""Checks of what Google Cloud takes: names, regions, ranges, versions, machine types."""

import ipaddress
import re
from datetime import datetime

from components._checks import Finding

_PROJECT = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")
_REGION = re.compile(r"[a-z]+-[a-z]+\d+")
_ZONE = re.compile(r"([a-z]+-[a-z]+\d+)-[a-z]")
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)-gke\.(\d+)")
_MACHINE = re.compile(r"[a-z]\d[a-z]?-[a-z]+(-\w+)*")
_LABEL = re.compile(r"[a-z0-9_-]{0,63}")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9_-]{1,61}[a-z0-9]")
_KEY = re.compile(r"projects/[^/]+/locations/([^/]+)/keyRings/[^/]+/cryptoKeys/[^/]+")

EVERYBODY = ("0.0.0.0/0", "::/0")


def project_id(value: str) -> Finding:
    if _PROJECT.fullmatch(value):
        return None
    remedy = "Nothing could be made in it. It is the project's id, not its name or number: `gcloud projects list`."
    return "is not a project id", remedy


def region(value: str) -> Finding:
    """A region, as in europe-west4."""
    if _REGION.fullmatch(value):
        return None
    found = _ZONE.fullmatch(value)
    remedy = f"{value} is a zone; its region is {found[1]}." if found else "Write one, as in europe-west4."
    return "is not a region", f"Google Cloud would refuse it. {remedy}"


def zone(value: str) -> Finding:
    """A zone, as in europe-west4-b."""
    if _ZONE.fullmatch(value):
        return None
    return "is not a zone", "GKE would refuse it. Write one, as in europe-west4-b."


def zones(value: list[str]) -> Finding:
    for each in value:
        if found := zone(each):
            return f"holds {each}, which {found[0]}", found[1]
    return None


def cluster_name(value: str) -> Finding:
    """At most 40 characters; GKE's names of firewalls and instance groups are made from it."""
    if re.fullmatch(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?", value):
        return None
    return "is not a cluster's name", "GKE would refuse it. Use up to 40 lowercase letters, digits and inner dashes."


def network_name(value: str) -> Finding:
    if re.fullmatch(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", value):
        return None
    return (
        "is not a network's name",
        "Nothing bears it. Write the name alone, as `gcloud compute networks list` has it.",
    )


def private_range(value: str) -> Finding:
    """An IPv4 range that no one else on the internet has."""
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError:
        return "is not an IPv4 range", "Google Cloud would refuse it. Write its first address and length: 10.0.0.0/20."
    if network.is_private or network.subnet_of(ipaddress.IPv4Network("100.64.0.0/10")):
        return None
    remedy = "Its real owner would be out of the pods' reach. Take one from 10.0.0.0/8, 172.16.0.0/12 or 100.64.0.0/10."
    return "is a public range", remedy


def callers(value: dict[str, str]) -> Finding:
    """Ranges that may reach the control plane's address, by who they are."""
    for name, text in value.items():
        if text in EVERYBODY:
            remedy = "The control plane's address would be open to the internet. Leave it out: the DNS endpoint, which"
            return f"holds {name}: {text}, which is everybody", f"{remedy} asks IAM, is reachable from anywhere."
        try:
            ipaddress.ip_network(text)
        except ValueError:
            return f"holds {name}: {text}, which is not a range", "GKE would refuse it. Write it as 203.0.113.0/24."
    return None


def gke_version(value: str) -> Finding:
    """A GKE version in full, as in 1.36.3-gke.1767000."""
    if _VERSION.fullmatch(value):
        return None
    remedy = (
        "What it brings could not be told before. Write one in full, as `gcloud container get-server-config` has it."
    )
    return "is not a full GKE version", remedy


def version_key(version: str) -> tuple[int, ...]:
    """What GKE versions are compared by; () for what is none."""
    found = _VERSION.fullmatch(version)
    return tuple(int(part) for part in found.groups()) if found else ()


def machine_type(value: str) -> Finding:
    if _MACHINE.fullmatch(value):
        return None
    return "is not a machine type", "No node could be made. Write series, kind and size, as in n2-standard-4."


def machine_series(value: str) -> str:
    """The series of a machine type: n2 of n2-standard-4."""
    return value.partition("-")[0]


def labels(value: dict[str, str]) -> Finding:
    for name, text in value.items():
        if not (name and _LABEL.fullmatch(name) and _LABEL.fullmatch(text) and name[0].isalpha()):
            remedy = (
                "Google Cloud would refuse it. Use lowercase letters, digits, dashes and underscores, a letter first."
            )
            return f"holds {name}: {text}, which is not a label", remedy
    return None


def bucket_name(value: str) -> Finding:
    if _BUCKET.fullmatch(value) and not value.startswith("goog"):
        return None
    return "is not a bucket's name", "Cloud Storage would refuse it. Use 3 to 63 lowercase letters, digits and dashes."


def encryption_key(value: str) -> Finding:
    if _KEY.fullmatch(value):
        return None
    remedy = "GKE would refuse it. Write it in full: projects/P/locations/REGION/keyRings/R/cryptoKeys/K."
    return "is not the name of a Cloud KMS key", remedy


def key_location(value: str) -> str:
    """Where a Cloud KMS key lies; "" for what is none."""
    found = _KEY.fullmatch(value)
    return found[1] if found else ""


def https_address(value: dict[str, str]) -> Finding:
    for name, text in value.items():
        if not re.fullmatch(r"https://[a-z0-9.-]+(/\S*)?", text):
            return f"holds {name}: {text}, which is not an https address", "Nothing could be fetched from it."
    return None


def utc_time(value: str) -> Finding:
    try:
        if datetime.fromisoformat(value).tzinfo is not None:
            return None
    except ValueError:
        pass
    return "is not a time with a time zone", "GKE would refuse it. Write it as 2026-01-03T02:00:00Z."
