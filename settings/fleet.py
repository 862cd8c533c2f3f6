"""The stack file's part for a fleet: which stacks' clusters are joined, and the Gateway before them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from components._arguments import Problem, show, similar
from components._checks import dns_label
from components._gke_policies import CROSS_REGIONAL, OVER_CLUSTERS
from components.gke._checks import project_id

PREFIX = "agent-sandbox:"
OWN = ("members", "configCluster")
"""The keys that say something for a fleet alone."""
TAKEN = frozenset({*OWN, "target", "environment", "project", "services", "gateway", "namespace"})
"""The keys that say something for a fleet; all others are about what is on a cluster, or under it.
But for the namespace, which has a default in Pulumi.yaml that nobody wrote."""

READ = ("kubeconfig", "membership", "network", "region")
"""The outputs of a member's stack that are read."""
CONFIG_REGION = "(the config cluster's)"
"""Stands for a region that only the config cluster's stack knows."""

_STACK = re.compile(r"[\w.-]+(/[\w.-]+/[\w.-]+)?")

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Fleet:
    """A checked stack file for a fleet."""

    project: str
    members: dict[str, str]
    """The stacks of the members, by the names that requests call their clusters by; a bare name is a stack of this
    project."""
    config: str
    """The member whose cluster holds the Gateway."""
    services: list[str]


def name_of(stack: str) -> str:
    """What a member's cluster is called: its stack's own name."""
    return stack.rpartition("/")[2]


def gateway_defaults(values: Values) -> dict[str, Any]:
    """What a fleet's Gateway is told by the fleet."""
    # A name that is none is told of where it was written, and not here.
    names = [name_of(each) for each in _members(values) if not dns_label(name_of(each))] or ["none"]
    gateway = values["gateway"] if isinstance(values.get("gateway"), Mapping) else {}
    chosen = gateway.get("gatewayClass", OVER_CLUSTERS.get(str(gateway.get("exposure", "internal"))))
    return {"clusters": names, **({"regions": [CONFIG_REGION]} if chosen == CROSS_REGIONAL else {})}


def problems(values: Values) -> list[Problem]:
    """Everything wrong with the fleet's part of a stack file's `values`, by key without prefix."""
    return [*(_fleet(values) if values.get("target") == "fleet" else _without_effect(values))]


def parse(values: Values) -> Fleet | None:
    """The fleet's part of checked `values`; None for a stack that joins nothing."""
    if values.get("target") != "fleet":
        return None
    members = {name_of(stack): stack for stack in values["members"]}
    config = values.get("configCluster") or next(iter(members))
    return Fleet(values["project"], members, config, values.get("services", []))


def _members(values: Values) -> list[str]:
    listed = values.get("members")
    return [each for each in listed if isinstance(each, str)] if isinstance(listed, list) else []


def _problem(key: str, value: object, wrong: str, remedy: str) -> Problem:
    return Problem(PREFIX + key, "nothing" if value is None else show(value), wrong, remedy)


def _without_effect(values: Values) -> Iterator[Problem]:
    for key in OWN:
        if values.get(key):
            remedy = f"It would have no effect: {values.get('target')} joins nothing. Use target fleet."
            yield _problem(key, values[key], "is a key of the target fleet", remedy)


def _fleet(values: Values) -> Iterator[Problem]:
    project = values.get("project")
    if not project:
        yield _problem("project", None, "is given, though the target is fleet", "Add it: the project of the members.")
    elif wrong := project_id(project):
        yield _problem("project", project, *wrong)
    members = _members(values)
    if not members:
        remedy = "There would be nothing to join. Name the stacks whose clusters are in the project's fleet."
        yield _problem("members", None, "is given, though the target is fleet", remedy)
    for stack in members:
        if not _STACK.fullmatch(stack) or dns_label(name_of(stack)):
            remedy = "Its name becomes a Service's. Write it as in prod, or organization/project/prod."
            yield _problem("members", stack, "is not a stack whose cluster can be called by its name", remedy)
    names = [name_of(each) for each in members]
    for name in sorted({each for each in names if names.count(each) > 1}):
        remedy = "A request could not tell one from the other. Rename one of the stacks, or name it once."
        yield _problem("members", name, "is the name of two members", remedy)
    config = values.get("configCluster")
    if config and config not in names:
        remedy = f"Nothing would hold the Gateway. {similar(str(config), names)}"
        yield _problem("configCluster", config, "is not one of the members", remedy)
    yield from _gateway(values)


def _gateway(values: Values) -> Iterator[Problem]:
    gateway = values.get("gateway")
    if not gateway:
        remedy = "The clusters would have no address in common. Add it, as in {exposure: internal}."
        yield _problem("gateway", None, "is given, though the target is fleet", remedy)
    yield from unencrypted_gateway(values)


def unencrypted_gateway(values: Values) -> Iterator[Problem]:
    """A Gateway without TLS in production, of a fleet or of one cluster."""
    gateway = values.get("gateway")
    if gateway and values.get("environment") == "prod" and "tls" not in gateway:
        remedy = "Tokens and code would cross the network in the clear. Name a certificate, as in docs/operations.md."
        yield _problem("gateway.tls", None, "is given, though the environment is prod", remedy)


def misplaced(given: Values) -> list[Problem]:
    """The keys of a fleet's stack file, as it was `given`, that are about what is on a cluster."""
    remedy = "A fleet's stack puts nothing on a cluster but its Gateway. Write it in the members' own stack files."
    return [
        _problem(key, value, "is given, though the target is fleet", remedy)
        for key, value in given.items()
        if given.get("target") == "fleet" and key not in TAKEN and value not in (None, "", {}, [], False)
    ]
