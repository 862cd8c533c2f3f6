"""What differs between two versions of a resource's inputs, and whether that replaces it.

replaces.json lists the properties with ForceNew in terraform-provider-google-beta's schemas, release
8.0, which pulumi-gcp 10 is made from, spelled as Pulumi spells them. What that provider decides in
code (CustomizeDiff) is in CONDITIONAL below.
"""

import ipaddress
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

REPLACES: dict[str, list[str]] = json.loads((Path(__file__).parent / "replaces.json").read_text())
"""By type token, the properties whose change replaces the resource."""


def _shrinks(old: Any, new: Any) -> bool:
    return not ipaddress.IPv4Network(old).subnet_of(ipaddress.IPv4Network(new))


def _is_switched_off(old: Any, new: Any) -> bool:
    return bool(old) and not new


CONDITIONAL: dict[str, dict[str, Callable[[Any, Any], bool]]] = {
    "gcp:container/cluster:Cluster": {
        "enableFqdnNetworkPolicy": _is_switched_off,
        "enableL4IlbSubsetting": _is_switched_off,
    },
    "gcp:compute/subnetwork:Subnetwork": {"ipCidrRange": _shrinks},
}


def changed(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Each place where the two differ: its path without list indices, and both values (None: absent)."""
    if old == new:
        return
    if isinstance(old, Mapping) or isinstance(new, Mapping):
        old, new = _without_empty(old), _without_empty(new)
        if not (old and new):
            yield path, old or None, new or None
        for name in sorted({*old, *new}):
            yield from changed(old.get(name), new.get(name), f"{path}.{name}" if path else name)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for one, other in zip(old, new, strict=True):
            yield from changed(one, other, path)
    else:
        yield path, old, new


def _without_empty(value: Any) -> Mapping[str, Any]:
    return {name: each for name, each in (value or {}).items() if each is not None}


def replacing(kind: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The properties that differ in a way that the resource does not survive."""
    conditional = CONDITIONAL.get(kind, {})
    found = {
        path
        for path, was, becomes in changed(old, new)
        if path in REPLACES[kind] or (path in conditional and conditional[path](was, becomes))
    }
    return sorted(found)
