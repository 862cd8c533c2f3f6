"""GKE node pools: the CIS benchmark's configuration of nodes, and what gVisor and GKE's own API ask."""

from collections.abc import Iterator

from policies.controls import Hit, Parameters, Topic
from policies.gke_cluster import BENCHMARK, expect
from policies.objects import Object
from policies.values import get, join, mappings

NODE_POOL = "gcp:container/nodePool:NodePool"

TOPIC = Topic(
    "gke-node-pool",
    "GKE nodes hide their identity, verify their boot, and repair and upgrade themselves",
    "objects",
    framework=BENCHMARK,
    types=(NODE_POOL,),
    url="https://www.cisecurity.org/benchmark/kubernetes",
)


@TOPIC.control(
    "nodeServiceAccount",
    severity="high",
    kinds=("NodePool",),
    references=("5.2.1",),
    risk="The default service account may edit the whole project, and whoever escapes to the node is it.",
    fix="Set nodeConfig.serviceAccount to an account with roles/container.defaultNodeServiceAccount alone.",
)
def node_service_account(one: Object, _: Parameters) -> Iterator[Hit]:
    """Nodes have a service account of their own."""

    def own(value: object) -> bool:
        return isinstance(value, str) and value not in ("", "default") and not value.endswith(DEFAULT_ACCOUNT)

    yield from expect(one, "nodeConfig.serviceAccount", own, "is the project's default account")


DEFAULT_ACCOUNT = "-compute@developer.gserviceaccount.com"


@TOPIC.control(
    "metadataServer",
    severity="critical",
    kinds=("NodePool",),
    references=("5.4.1",),
    risk="Pods read the node's credentials from the metadata server.",
    fix="Set nodeConfig.workloadMetadataConfig.mode: GKE_METADATA.",
)
def metadata_server(one: Object, _: Parameters) -> Iterator[Hit]:
    """Pods see GKE's metadata server, not the node's."""
    yield from expect(one, "nodeConfig.workloadMetadataConfig.mode", "GKE_METADATA", "is not GKE_METADATA")


@TOPIC.control(
    "nodeImage",
    severity="medium",
    kinds=("NodePool",),
    references=("5.5.1",),
    risk="Another image has more to attack, and gVisor runs on COS_CONTAINERD only.",
    fix="Set nodeConfig.imageType: COS_CONTAINERD.",
)
def node_image(one: Object, _: Parameters) -> Iterator[Hit]:
    """Nodes run Container-Optimized OS; those with nested virtualization, for Kata, Ubuntu."""
    nested = get(one.data, "nodeConfig", "advancedMachineFeatures", "enableNestedVirtualization") is True
    accepted = ("COS_CONTAINERD", "UBUNTU_CONTAINERD") if nested else "COS_CONTAINERD"
    yield from expect(one, "nodeConfig.imageType", accepted, "is not COS_CONTAINERD")


@TOPIC.control(
    "autoRepair",
    severity="medium",
    kinds=("NodePool",),
    references=("5.5.2",),
    risk="A broken node stays, and its sandboxes with it.",
    fix="Set management.autoRepair: true.",
)
def auto_repair(one: Object, _: Parameters) -> Iterator[Hit]:
    """Nodes repair themselves."""
    yield from expect(one, "management.autoRepair", True, "is not true")


@TOPIC.control(
    "autoUpgrade",
    severity="high",
    kinds=("NodePool",),
    references=("5.5.3",),
    risk="Kernel and gVisor stay open to what is known against them.",
    fix="Set management.autoUpgrade: true.",
)
def auto_upgrade(one: Object, _: Parameters) -> Iterator[Hit]:
    """Nodes upgrade themselves."""
    yield from expect(one, "management.autoUpgrade", True, "is not true")


@TOPIC.control(
    "integrityMonitoring",
    severity="medium",
    kinds=("NodePool",),
    references=("5.5.6",),
    risk="Nobody notices a node whose boot was tampered with.",
    fix="Remove nodeConfig.shieldedInstanceConfig.enableIntegrityMonitoring: false.",
)
def integrity_monitoring(one: Object, _: Parameters) -> Iterator[Hit]:
    """Integrity monitoring is not switched off; it is GKE's default."""
    field = "nodeConfig.shieldedInstanceConfig.enableIntegrityMonitoring"
    yield from expect(one, field, (True, None), "is false")


@TOPIC.control(
    "secureBoot",
    severity="medium",
    kinds=("NodePool",),
    references=("5.5.7",),
    risk="An escape to the node may stay there, below the kernel.",
    fix="Set nodeConfig.shieldedInstanceConfig.enableSecureBoot: true.",
)
def secure_boot(one: Object, _: Parameters) -> Iterator[Hit]:
    """Nodes boot signed code only."""
    yield from expect(one, "nodeConfig.shieldedInstanceConfig.enableSecureBoot", True, "is not true")


@TOPIC.control(
    "reservedTaint",
    severity="medium",
    kinds=("NodePool",),
    risk="GKE's API refuses the pool: it sets this taint and label itself.",
    fix="Remove it; sandboxConfig is enough.",
)
def reserved_taint(one: Object, _: Parameters) -> Iterator[Hit]:
    """No pool sets the taint or the label sandbox.gke.io/runtime."""
    for path, taint in mappings(get(one.data, "nodeConfig", "taints"), "nodeConfig.taints"):
        if get(taint, "key") == "sandbox.gke.io/runtime":
            yield Hit(path, "is GKE's own")
    if get(one.data, "nodeConfig", "labels", "sandbox.gke.io/runtime") is not None:
        yield Hit(join("nodeConfig", 'labels["sandbox.gke.io/runtime"]'), "is GKE's own")
