"""The arguments that a SandboxTemplate and a Sandbox share: upstream calls it the blueprint.

A pod in the short form (an image and what it needs) or in the full form (a pod spec); either way
_pods.py hardens it. What contradicts the hardening is refused here.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NotRequired, TypedDict

import pulumi

from components._arguments import arguments
from components._checks import between, dns_label, dns_labels, each, environment, one_of, pod_metadata
from components._egress import EgressArgs, PeerArgs
from components._formats import amount, pinned_image, quantities, quantity
from components._hardening import contradictions
from components._kubernetes import LIMITS
from components._runtimes import RUNTIMES

MODES = ("ReadWriteOnce", "ReadWriteOncePod", "ReadOnlyMany", "ReadWriteMany")
SHORT_FORM = (
    "image",
    "command",
    "args",
    "port",
    "ports",
    "health_path",
    "env",
    "requests",
    "limits",
    "volumes",
    "service_account",
    "priority_class",
)
"""The arguments that a full pod spec says itself."""


def absolute(value: str) -> tuple[str, str] | None:
    """A path from the root."""
    if value.startswith("/"):
        return None
    return "is not an absolute path", "The API server would refuse it. Begin it with a slash."


def _one_source(values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    given = [field for field in ("config_map", "secret", "claim", "size_limit") if field in values]
    for field in given[1:]:
        yield (
            field,
            f"is given beside {given[0]}",
            "A volume comes from one source. Make it two volumes, or remove one.",
        )


@arguments(together=_one_source, mount_path=absolute, size_limit=quantity)
class VolumeArgs(TypedDict):
    """A volume of the sandbox: an empty one, unless a source is given."""

    mount_path: str
    """Where the sandbox sees it."""
    config_map: NotRequired[pulumi.Input[str]]
    """The ConfigMap whose entries are its files."""
    secret: NotRequired[pulumi.Input[str]]
    """The Secret whose entries are its files. The code in the sandbox reads them."""
    claim: NotRequired[pulumi.Input[str]]
    """The PersistentVolumeClaim, one that exists. All sandboxes of a template share it."""
    size_limit: NotRequired[str]
    """The most that an empty volume holds. Default: what the container's ephemeral-storage limit leaves."""
    read_only: NotRequired[bool]
    """Whether the sandbox may only read it. Default true for config_map and secret, false else."""


@arguments(mount_path=absolute, size=quantity, access_modes=each(one_of(MODES, "They say who may mount it.")))
class VolumeClaimArgs(TypedDict):
    """A volume of its own for each sandbox, which outlives its pod and ends with the sandbox."""

    size: str
    """The storage that is asked for, as a Kubernetes quantity: 10Gi."""
    mount_path: NotRequired[str]
    """Where the first container sees it. Default nowhere: a full pod spec mounts it by the claim's name."""
    storage_class: NotRequired[pulumi.Input[str]]
    """The StorageClass. Default the cluster's own."""
    access_modes: NotRequired[list[str]]
    """How it may be mounted. Default ReadWriteOnce."""


def _blueprint_agrees(values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    if "pod" in values:
        for field in SHORT_FORM:
            if field in values:
                yield field, "is given beside pod", "The pod spec says it by itself. Write it there, or leave pod out."
        yield from contradictions(values["pod"], RUNTIMES.get(values.get("runtime", "gvisor")))
    elif "image" not in values:
        yield (
            "image",
            "is given, and no pod either",
            "There would be nothing to run. Add an image, or a whole pod spec.",
        )
    yield from _elsewhere(values)
    yield from _requests_above_limits(values)
    if values.get("unsafe_unmanaged_network", False):
        for field in ("egress", "clients", "router_namespace"):
            if field in values:
                remedy = "Nobody would make rules of it. Remove one of the two."
                yield field, "is given, though the network is not managed", remedy
    yield from _volumes_apart(values)


def _elsewhere(values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Scheduling that leads away from the runtime's nodes, or anywhere at all."""
    runtime = RUNTIMES.get(values.get("runtime", "gvisor"))
    for key, value in runtime.node_selector.items() if runtime else ():
        if values.get("node_selector", {}).get(key, value) != value:
            yield "node_selector", f"leads away from {key}={value}", "No pod would be scheduled. Remove that label."
    for index, toleration in enumerate(values.get("tolerations", ())):
        if not toleration.get("key"):
            remedy = "The sandbox could land among the control plane's pods. Name the taint's key."
            yield f"tolerations[{index}]", "fits every taint", remedy


def _requests_above_limits(values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    limits = {**LIMITS, **values.get("limits", {})}
    for name, request in values.get("requests", {}).items():
        limit = limits.get(name)
        if isinstance(request, str) and isinstance(limit, str) and amount(request) > amount(limit):
            remedy = "The API server would refuse every pod. Lower it, or raise the limit."
            yield f"requests.{name}", f"is above the limit of {limit}", remedy


def _volumes_apart(values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name in set(values.get("volumes", ())) & set(values.get("volume_claims", ())):
        remedy = "The one would hide the other. Give them different names."
        yield f"volumes.{name}", "has the name of a volume claim", remedy
    seen: dict[str, str] = {}
    for field in ("volumes", "volume_claims"):
        for name, entry in values.get(field, {}).items():
            path = entry.get("mount_path", entry.get("mountPath"))  # spelled as the caller spells it
            if path in seen:
                remedy = "The API server would refuse every pod. Choose another path."
                yield f"{field}.{name}", f"is mounted where {seen[path]} is, at {path}", remedy
            elif path is not None:
                seen[path] = name
            elif "pod" not in values:
                yield f"{field}.{name}", "has no mount path", "Nothing would see it. Say where it is mounted."


@arguments(
    together=_blueprint_agrees,
    namespace=dns_label,
    image=pinned_image,
    runtime=one_of(RUNTIMES, "It decides what stands between the agent's code and the node's kernel."),
    port=between(1, 65535, "Nothing can listen there."),
    ports=dns_labels,
    health_path=absolute,
    env=environment,
    user=between(1, 2**31 - 1, "User 0 is root, which a sandbox never is."),
    requests=quantities,
    limits=quantities,
    volumes=dns_labels,
    volume_claims=dns_labels,
    router_namespace=dns_label,
    labels=pod_metadata,
    annotations=pod_metadata,
)
class BlueprintArgs(TypedDict):
    """What a sandbox is, whoever makes it."""

    namespace: str
    """Its namespace, which must exist."""
    image: NotRequired[pulumi.Input[str]]
    """The sandbox's image, with a release's tag or a digest. Required unless `pod` is given."""
    command: NotRequired[list[pulumi.Input[str]]]
    """The program to run. Default the image's entry point."""
    args: NotRequired[list[pulumi.Input[str]]]
    """The program's arguments. Default the image's."""
    pod: NotRequired[dict[str, Any]]
    """A whole pod spec in place of the image and what goes with it, spelled as the API spells it. It is hardened
    as the short form is: what it leaves out is filled in, and what would soften the sandbox is refused. Default the
    short form."""
    runtime: NotRequired[str]
    """What isolates the kernel: `gvisor`, `kata-qemu`, `kata-clh`, or `unsafe-runc`, nothing. Default gvisor."""
    node_selector: NotRequired[dict[str, pulumi.Input[str]]]
    """Labels that its nodes have, beside those of the runtime. Default none."""
    tolerations: NotRequired[list[dict[str, Any]]]
    """Taints that it tolerates, beside those of the runtime, spelled as the API spells them. Default none."""
    port: NotRequired[int]
    """The port that the sandbox serves HTTP on, for the router and the probes. Default 8888, upstream's runtimes'."""
    ports: NotRequired[dict[str, int]]
    """Further ports by name. Default none."""
    health_path: NotRequired[str]
    """The path that answers with a success once the sandbox is ready. Default /, upstream's runtimes'."""
    env: NotRequired[dict[str, pulumi.Input[str]]]
    """Environment variables. What is written here is readable by whoever may read templates. Default none."""
    user: NotRequired[int]
    """The user and group id that the code runs as. Default 1000, the one in upstream's runtime images."""
    read_only_root: NotRequired[bool]
    """Whether the root file system is read-only, with a writable /tmp. Default false: agents install packages."""
    requests: NotRequired[dict[str, pulumi.Input[str]]]
    """Resources each sandbox is sure of, as Kubernetes quantities. Default of each: 250m CPU, 512Mi memory and
    ephemeral storage, as upstream's guides have it, or the limit where that is less."""
    limits: NotRequired[dict[str, pulumi.Input[str]]]
    """Resources no sandbox exceeds, as Kubernetes quantities. Default of each: 500m CPU, 1Gi memory and ephemeral
    storage, as upstream's guides have it."""
    volumes: NotRequired[dict[str, VolumeArgs]]
    """Volumes by name. Default none."""
    volume_claims: NotRequired[dict[str, VolumeClaimArgs]]
    """Volumes of its own for each sandbox, by name. A Sandbox's cannot be changed once it is there. Default none."""
    service_account: NotRequired[pulumi.Input[str]]
    """The service account that it runs as, to Workload Identity among others; it gets no token of the cluster all
    the same. Default the namespace's `default`."""
    priority_class: NotRequired[pulumi.Input[str]]
    """The PriorityClass of its pods. Default the cluster's own."""
    labels: NotRequired[dict[str, pulumi.Input[str]]]
    """Labels of its pods; agents.x-k8s.io/ is the controller's. Default none."""
    annotations: NotRequired[dict[str, pulumi.Input[str]]]
    """Annotations of its pods; agents.x-k8s.io/ is the controller's. Default none."""
    service: NotRequired[bool]
    """Whether each sandbox has a headless Service, and so a name of its own in DNS. Default false, upstream's."""
    egress: NotRequired[EgressArgs]
    """What it may reach. Default `internet` alone, as the controller has it: public addresses and resolvers."""
    clients: NotRequired[list[PeerArgs]]
    """Pods that may reach it beside the router. Default none."""
    router_namespace: NotRequired[str]
    """The namespace of the router. Default agent-sandbox-system."""
    unsafe_unmanaged_network: NotRequired[bool]
    """Whether the sandbox is left without a NetworkPolicy of its own, for a cluster where something else decides.
    Default false."""
