"""The stack file's part on GKE: its keys, and what they may not be together.

Each entry is checked by the arguments of the component that it is for. What is known to fail on the
way, or to fail without a word, is found here, before anything is made.
"""

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict, cast

from components._arguments import Problem, arguments, find_problems, show, similar, to_arguments
from components.gke._checks import project_id, region, zones
from components.gke.artifact_registry import ArtifactRegistryArgs
from components.gke.autopilot_cluster import AutopilotClusterArgs
from components.gke.gvisor_node_pool import GvisorNodePoolArgs
from components.gke.identity import SandboxIdentityArgs
from components.gke.kata_node_pool import KataNodePoolArgs
from components.gke.network import NetworkArgs
from components.gke.snapshots import PodSnapshotsArgs
from components.gke.standard_cluster import StandardClusterArgs
from settings import preflight
from settings.identities import accounts_in

TARGETS = ("autopilot", "standard")
ENVIRONMENTS = ("dev", "staging", "prod")
KEYS = (
    "environment",
    "name",
    "project",
    "region",
    "zones",
    "services",
    "network",
    "cluster",
    "nodePools",
    "registry",
    "identities",
    "snapshots",
    "protected",
)
"""The keys that say something on GKE alone."""

PREFIX = "agent-sandbox:"
NAME = "agent-sandbox"
"""What a stack's cluster, and what is around it, is called by default."""

FROM_OTHERS = frozenset(
    {
        "network",
        "subnetwork",
        "pods_range",
        "services_range",
        "node_service_account",
        "cluster",
        "project_number",
        "workload_pool",
    }
)
"""Arguments that are other components' outputs: the program fills them in, not the stack file."""


def _entry(kind: type) -> type:
    """A component's arguments as the stack file gives them."""
    hints = {name: hint for name, hint in inspect.get_annotations(kind).items() if name not in FROM_OTHERS}
    named: Any = TypedDict(f"{kind.__name__}Entry", hints)  # type: ignore[misc]  # made from the component's own
    return cast(type, arguments(extends=kind)(named))


CLUSTERS = {"autopilot": _entry(AutopilotClusterArgs), "standard": _entry(StandardClusterArgs)}
POOLS = {"gvisor": _entry(GvisorNodePoolArgs), "kata": _entry(KataNodePoolArgs)}
NETWORK, REGISTRY = _entry(NetworkArgs), _entry(ArtifactRegistryArgs)
IDENTITY, SNAPSHOTS = _entry(SandboxIdentityArgs), _entry(PodSnapshotsArgs)

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Gke:
    """A checked stack file's part on GKE, as the components' arguments without what others put out."""

    target: Literal["autopilot", "standard"]
    name: str
    """What the network, the cluster, the repositories and the nodes' account are called."""
    project: str
    services: list[str]
    network: dict[str, Any]
    cluster: dict[str, Any]
    registry: dict[str, Any]
    pools: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    """Each pool's runtime and arguments, by name."""
    identities: dict[str, dict[str, Any]] = field(default_factory=dict)
    snapshots: dict[str, Any] | None = None
    protected: bool = False


def problems(values: Values) -> list[Problem]:
    """Everything wrong with the GKE part of a stack file's `values`, by key without prefix."""
    if values.get("target") not in TARGETS:
        return list(_without_effect(values))
    found = list(_place(values))
    if found:
        return found  # where everything is to be comes first: the rest is judged by it
    found += list(_entries(values))
    return found or list(preflight.problems(values, _cluster(values)))


def parse(values: Values) -> Gke | None:
    """The GKE part of checked `values`; None for a stack that is not on GKE."""
    if values.get("target") not in TARGETS:
        return None
    pools, runtimes = values.get("nodePools", {}), runtimes_of(values)
    snapshots = values.get("snapshots")
    return Gke(
        target=values["target"],
        name=values.get("name") or NAME,
        project=values["project"],
        services=values.get("services", []),
        network=to_arguments(NETWORK, _network(values)),
        cluster=to_arguments(CLUSTERS[values["target"]], _cluster(values)),
        registry=to_arguments(REGISTRY, _registry(values)),
        pools={
            name: (runtime, to_arguments(POOLS[runtime], _pool(values, runtime, pools[name])))
            for name, runtime in runtimes.items()
        },
        identities={
            name: to_arguments(IDENTITY, _identity(values, each)) for name, each in values.get("identities", {}).items()
        },
        snapshots=to_arguments(SNAPSHOTS, _snapshots(values, snapshots)) if snapshots else None,
        protected=values.get("protected", False),
    )


def runtimes_of(values: Values) -> dict[str, str]:
    """What each node pool is prepared for, by the pool's name."""
    return {name: pool.get("runtime", "gvisor") for name, pool in values.get("nodePools", {}).items()}


def _without_effect(values: Values) -> Iterator[Problem]:
    for key in KEYS:
        if key in values and values[key] not in (None, "", {}, [], False):
            remedy = (
                f"It would have no effect: {values.get('target')} makes no cluster. Use target autopilot or standard."
            )
            yield Problem(PREFIX + key, show(values[key]), "is a key of the GKE targets", remedy)


def _place(values: Values) -> Iterator[Problem]:
    for key, check in (("project", project_id), ("region", region)):
        if not values.get(key):
            yield Problem(PREFIX + key, "nothing", f"is given, though the target is {values['target']}", "Add it.")
        elif not isinstance(values[key], str):
            yield Problem(PREFIX + key, show(values[key]), "is not a text", "Put it in quotes.")
        elif wrong := check(values[key]):
            yield Problem(PREFIX + key, show(values[key]), *wrong)
    if values.get("name") and not re.fullmatch(r"[a-z]([a-z0-9-]{3,22}[a-z0-9])", str(values["name"])):
        remedy = "The nodes' account is named after it. Use 5 to 24 lowercase letters, digits and inner dashes."
        yield Problem(
            f"{PREFIX}name", show(values["name"]), "cannot be what Google Cloud's resources are called", remedy
        )
    environment = values.get("environment") or "dev"
    if environment not in ENVIRONMENTS:
        remedy = f"It decides what a mistake may cost. {similar(str(environment), ENVIRONMENTS)}"
        yield Problem(f"{PREFIX}environment", show(environment), "is not one of the choices", remedy)
    wrong = zones(values["zones"]) if values.get("zones") else None
    if wrong:
        yield Problem(f"{PREFIX}zones", show(values["zones"]), *wrong)
    if values.get("zones") and values["target"] == "autopilot":
        remedy = "Autopilot puts nodes where there is room, in every zone of the region. Remove it."
        yield Problem(f"{PREFIX}zones", show(values["zones"]), "is given, though the target is autopilot", remedy)


def _entries(values: Values) -> Iterator[Problem]:
    """Each entry on its own."""
    yield from _checked(NETWORK, values, "network", _network)
    yield from _checked(CLUSTERS[values["target"]], values, "cluster", _cluster)
    yield from _checked(REGISTRY, values, "registry", _registry)
    for name, pool in _named(values, "nodePools"):
        key, runtime = f"{PREFIX}nodePools.{name}", pool.get("runtime", "gvisor")
        if values["target"] == "autopilot":
            remedy = "Autopilot refuses node pools: it makes nodes for what pods ask for. Remove it, or use standard."
            yield Problem(key, show(dict(pool)), "is a node pool, though the target is autopilot", remedy)
        elif runtime not in POOLS:
            remedy = f"It decides what the nodes are prepared for. {similar(str(runtime), POOLS)}"
            yield Problem(f"{key}.runtime", show(runtime), "is not one of the choices", remedy)
        elif name == "system":
            yield Problem(key, show(name), "is the ordinary pool's name", "Two pools cannot share it. Choose another.")
        else:
            yield from find_problems(POOLS[runtime], _pool(values, runtime, pool), key, "camel")
    for name, identity in _named(values, "identities"):
        yield from find_problems(IDENTITY, _identity(values, identity), f"{PREFIX}identities.{name}", "camel")
    if values.get("snapshots"):
        misplaced = list(_nowhere(values, values["snapshots"]))
        yield from misplaced or _checked(
            SNAPSHOTS, values, "snapshots", lambda all_: _snapshots(all_, all_["snapshots"])
        )


def _nowhere(values: Values, snapshots: Any) -> Iterator[Problem]:
    place = snapshots.get("namespace") if isinstance(snapshots, Mapping) else None
    if isinstance(place, str) and place not in values["namespaces"]:
        remedy = f"There would be nowhere to put its policy. {similar(place, values['namespaces'])}"
        yield Problem(f"{PREFIX}snapshots.namespace", show(place), "is not one of the namespaces", remedy)


def _checked(kind: type, values: Values, key: str, filled: Any) -> list[Problem]:
    if not isinstance(values.get(key, {}), Mapping):
        return find_problems(kind, values[key], PREFIX + key, "camel")
    return find_problems(kind, filled(values), PREFIX + key, "camel")


def _named(values: Values, key: str) -> Iterator[tuple[str, Values]]:
    entries = values.get(key, {})
    return ((name, each) for name, each in entries.items() if isinstance(each, Mapping)) if entries else iter(())


def _network(values: Values) -> dict[str, Any]:
    return {"project": values["project"], "region": values["region"], **values.get("network", {})}


def _cluster(values: Values) -> dict[str, Any]:
    own = {"project": values["project"], "location": values["region"], "labels": _labels(values)}
    if values["target"] == "standard" and values.get("zones"):
        own["zones"] = values["zones"]
    switches = {
        "agentSandbox": values.get("controller", {}).get("source") == "managed",
        "podSnapshots": bool(values.get("snapshots")),
        "deletionProtection": bool(values.get("protected", False)),
    }
    return {**own, **switches, **values.get("cluster", {})}


def _pool(values: Values, runtime: str, pool: Values) -> dict[str, Any]:
    own = {"project": values["project"], "location": _cluster(values)["location"], "labels": _labels(values)}
    if runtime == "gvisor" and values.get("snapshots"):
        own["snapshots"] = True
    return {**own, **{name: value for name, value in pool.items() if name != "runtime"}}


def _registry(values: Values) -> dict[str, Any]:
    own = {"project": values["project"], "location": values["region"], "labels": _labels(values)}
    return {**own, **values.get("registry", {})}


def _identity(values: Values, identity: Values) -> dict[str, Any]:
    return {"project": values["project"], "namespace": values.get("namespace", "sandboxes"), **identity}


def _snapshots(values: Values, snapshots: Values) -> dict[str, Any]:
    return {
        "project": values["project"],
        "location": values["region"],
        "namespace": values.get("namespace", "sandboxes"),
        "serviceAccounts": accounts_in(values, snapshots.get("namespace", values.get("namespace", "sandboxes"))),
        "labels": _labels(values),
        **snapshots,
    }


def _labels(values: Values) -> dict[str, str]:
    return {"app": "agent-sandbox", "environment": (values.get("environment") or "dev")}
