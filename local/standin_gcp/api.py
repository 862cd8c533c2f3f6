"""What Google's APIs refuse: what a preview does not show and an update finds out half way.

Each rule says where it is known from; none of them is invented. The texts are like those that the
APIs send, not word by word.
"""

import ipaddress
import itertools
from collections.abc import Mapping
from typing import Any

from local.standin_gcp.cloud import Cloud, Refused, last_part
from local.standin_gcp.computed import CLUSTER_VERSION, KINDS
from local.standin_gcp.validation import CLUSTER, NODE_POOL, at

SANDBOX_KEY = "sandbox.gke.io/runtime"
SUBNETWORK = "gcp:compute/subnetwork:Subnetwork"


def refuse(kind: str, inputs: Mapping[str, Any], cloud: Cloud) -> None:
    """Raise Refused if the APIs would not take `inputs`, for a new resource or a change."""
    _require_enabled(kind, inputs, cloud)
    for rule in _RULES.get(kind, ()):
        rule(inputs, cloud)


def refuse_deletion(kind: str, outputs: Mapping[str, Any], cloud: Cloud) -> None:
    """Raise Refused if the resource cannot go yet."""
    if kind == CLUSTER and outputs.get("deletionProtection", True):
        # resource_container_cluster.go, whose default is true
        raise Refused("Cannot destroy cluster because deletion_protection is set to true. Set it to false first.")
    for user, field in _USERS.get(kind, ()):
        for each in cloud.all(user):
            if last_part(each.inputs.get(field, "")) == outputs.get("name"):
                raise Refused(
                    f"resourceInUseByAnotherResource: {outputs['name']} is already being used by {each.outputs['name']}"
                )


_USERS = {
    "gcp:compute/network:Network": ((SUBNETWORK, "network"), ("gcp:compute/firewall:Firewall", "network")),
    SUBNETWORK: ((CLUSTER, "subnetwork"),),
}


def _require_enabled(kind: str, inputs: Mapping[str, Any], cloud: Cloud) -> None:
    """An API answers only where it is enabled (SERVICE_DISABLED)."""
    api, project = KINDS[kind].api, inputs.get("project")
    enabled = {(each.inputs["project"], each.inputs["service"]) for each in cloud.all("gcp:projects/service:Service")}
    if api and project and (project, api) not in enabled:
        raise Refused(f"403: {api} has not been used in project {project} before or it is disabled (SERVICE_DISABLED)")


def _subnetwork(inputs: Mapping[str, Any], cloud: Cloud) -> None:
    """Ranges of a network do not overlap (compute.subnetworks.insert)."""
    taken = [
        (each.inputs["name"], one)
        for each in cloud.all(SUBNETWORK)
        if last_part(each.inputs["network"]) == last_part(inputs["network"]) and each.inputs["name"] != inputs["name"]
        for one in _ranges(each.inputs)
    ]
    own = _ranges(inputs)
    for one, other in itertools.combinations(own, 2):
        if one.overlaps(other):
            raise Refused(f"400: Invalid value for field 'ipCidrRange': {one} and {other} overlap")
    for one, (name, other) in itertools.product(own, taken):
        if one.overlaps(other):
            raise Refused(f"400: Invalid IPCidrRange: {one} conflicts with existing subnetwork {name} ({other})")


def _proxies(inputs: Mapping[str, Any], cloud: Cloud) -> None:
    """A network has one active proxy-only subnet a region and purpose, of a /26 or more (Google's guide to them)."""
    purpose = inputs.get("purpose", "PRIVATE")
    if purpose not in PROXY_PURPOSES:
        return
    if ipaddress.IPv4Network(inputs["ipCidrRange"]).prefixlen > 26:
        raise Refused(f"400: Invalid value for field 'ipCidrRange': {inputs['ipCidrRange']} is smaller than a /26")
    if inputs.get("role") != "ACTIVE":
        return
    for each in cloud.all(SUBNETWORK):
        same = all(last_part(each.inputs.get(key)) == last_part(inputs.get(key)) for key in _ONE_OF_PROXIES)
        if same and each.inputs["name"] != inputs["name"]:
            raise Refused(f"409: {each.inputs['name']} is already the active subnetwork of purpose {purpose}")


PROXY_PURPOSES = ("REGIONAL_MANAGED_PROXY", "GLOBAL_MANAGED_PROXY")
_ONE_OF_PROXIES = ("network", "region", "purpose", "role")


def _ranges(inputs: Mapping[str, Any]) -> list[ipaddress.IPv4Network]:
    texts = [inputs["ipCidrRange"], *(each["ipCidrRange"] for each in inputs.get("secondaryIpRanges", ()))]
    return [ipaddress.IPv4Network(text) for text in texts]


def _network_exists(inputs: Mapping[str, Any], cloud: Cloud) -> None:
    name = last_part(inputs["network"])
    if not any(each.outputs["name"] == name for each in cloud.all("gcp:compute/network:Network")):
        raise Refused(f"404: The resource 'networks/{name}' was not found")


def _cluster_ranges(inputs: Mapping[str, Any], cloud: Cloud) -> None:
    """A VPC-native cluster names secondary ranges that its subnetwork has."""
    name = last_part(inputs["subnetwork"])
    found = next((each for each in cloud.all(SUBNETWORK) if each.outputs["name"] == name), None)
    if found is None:
        raise Refused(f"404: The resource 'subnetworks/{name}' was not found")
    ranges = {each["rangeName"] for each in found.inputs.get("secondaryIpRanges", ())}
    for field in ("clusterSecondaryRangeName", "servicesSecondaryRangeName"):
        wanted = at(inputs, f"ipAllocationPolicy.{field}")
        if wanted is not None and wanted not in ranges:
            raise Refused(f"400: Secondary range {wanted} does not exist in subnetwork {name}")


def _cluster_addons(inputs: Mapping[str, Any], _: Cloud) -> None:
    """The Agent Sandbox add-on has a least version (GKE's guide to it)."""
    version = inputs.get("minMasterVersion") or CLUSTER_VERSION
    if at(inputs, "addonsConfig.agentSandboxConfig.enabled") and _key(version) < _key("1.35.2-gke.1210000"):
        raise Refused(f"400: Agent Sandbox requires GKE version 1.35.2-gke.1210000 or later, not {version}")


def _key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.replace("-gke.", ".").split(".") if part.isdigit())


def _binary_authorization(inputs: Mapping[str, Any], cloud: Cloud) -> None:
    if at(inputs, "binaryAuthorization.evaluationMode") not in (None, "DISABLED"):
        _require_service("binaryauthorization.googleapis.com", inputs["project"], cloud)


def _fleet(inputs: Mapping[str, Any], cloud: Cloud) -> None:
    if project := at(inputs, "fleet.project"):
        _require_service("gkehub.googleapis.com", project, cloud)


FEATURE = "gcp:gkehub/feature:Feature"
CONTROLLERS = ("multiclusterservicediscovery", "multiclusteringress")


def _feature(inputs: Mapping[str, Any], cloud: Cloud) -> None:
    """A fleet's feature is one that Google has, with its API on, and its config cluster is a member (gkehub)."""
    name = inputs["name"]
    if name in CONTROLLERS:
        _require_service(f"{name}.googleapis.com", inputs["project"], cloud)
    if name != "multiclusteringress":
        return
    membership = str(at(inputs, "spec.multiclusteringress.configMembership"))
    known = [str(at(each.outputs, "fleet.membership")) for each in cloud.all(CLUSTER)]
    if f"//gkehub.googleapis.com/{membership}" not in known:
        raise Refused(f"400: config membership {membership} does not exist in the fleet of {inputs['project']}")


def _agent_exists(inputs: Mapping[str, Any], cloud: Cloud) -> None:
    """A feature's service agent comes with the feature."""
    on = {each.inputs["name"] for each in cloud.all(FEATURE)}
    if "@gcp-sa-multiclusteringress." in str(inputs.get("member", "")) and "multiclusteringress" not in on:
        raise Refused(f"400: Service account {str(inputs['member']).partition(':')[2]} does not exist")


def _require_service(api: str, project: str, cloud: Cloud) -> None:
    enabled = (each.inputs["service"] for each in cloud.all("gcp:projects/service:Service"))
    if api not in enabled:
        raise Refused(f"400: {api} is not enabled in project {project}")


def _pool_of_sandboxes(inputs: Mapping[str, Any], cloud: Cloud) -> None:
    """GKE Sandbox: its own label and taint, Container-Optimized OS, and a second pool (GKE's how-to guide)."""
    node = inputs.get("nodeConfig", {})
    keys = [*node.get("labels", {}), *(taint["key"] for taint in node.get("taints", ()))]
    if SANDBOX_KEY in keys:
        raise Refused(f"400: {SANDBOX_KEY} is a reserved label or taint: GKE sets it on nodes with GKE Sandbox itself")
    if at(node, "sandboxConfig.type") != "GVISOR":
        return
    if node.get("imageType", "").upper() != "COS_CONTAINERD":
        raise Refused("400: GKE Sandbox is only supported with image type COS_CONTAINERD")
    others = [
        each for each in cloud.all(NODE_POOL) if last_part(each.inputs["cluster"]) == last_part(inputs["cluster"])
    ]
    if not any(at(each.inputs, "nodeConfig.sandboxConfig.type") is None for each in others):
        raise Refused("400: GKE Sandbox cannot be enabled on the only node pool of a cluster")


def _pool_of_virtual_machines(inputs: Mapping[str, Any], _: Cloud) -> None:
    """Nested virtualization needs Intel Haswell or later, and not E2 (Compute Engine's guide to it)."""
    node = inputs.get("nodeConfig", {})
    nested = at(node, "advancedMachineFeatures.enableNestedVirtualization")
    if nested and str(node.get("machineType", "e2-medium")).partition("-")[0] in ("e2", "n2d", "t2d", "t2a", "c4a"):
        raise Refused(f"400: Nested virtualization is not supported on machine type {node.get('machineType')}")


def _pool_of_a_cluster(inputs: Mapping[str, Any], cloud: Cloud) -> None:
    name = last_part(inputs["cluster"])
    cluster = next((each for each in cloud.all(CLUSTER) if each.outputs["name"] == name), None)
    if cluster is None:
        raise Refused(f"404: Not found: clusters/{name}")
    if cluster.inputs.get("enableAutopilot"):
        raise Refused("400: Autopilot clusters do not support mutating node pools")


def _bucket(inputs: Mapping[str, Any], _: Cloud) -> None:
    """Hierarchical namespace needs uniform access, and has no versions (Cloud Storage's guide to it)."""
    if not at(inputs, "hierarchicalNamespace.enabled"):
        return
    if not inputs.get("uniformBucketLevelAccess"):
        raise Refused("400: Hierarchical namespace requires uniform bucket-level access")
    if at(inputs, "versioning.enabled"):
        raise Refused("400: Object versioning is not supported with hierarchical namespace")


def _workload_identity_exists(inputs: Mapping[str, Any], cloud: Cloud) -> None:
    """The project's identity pool comes with its first cluster that has one."""
    member = str(inputs.get("member", ""))
    pools = {
        f"{each.inputs['project']}.svc.id.goog"
        for each in cloud.all(CLUSTER)
        if each.inputs.get("enableAutopilot") or at(each.inputs, "workloadIdentityConfig.workloadPool")
    }
    if ".svc.id.goog" in member and not any(pool in member for pool in pools):
        raise Refused(f"400: Identity Pool does not exist ({member.rpartition('/')[0] or member})")


_RULES = {
    SUBNETWORK: (_network_exists, _subnetwork, _proxies),
    "gcp:compute/router:Router": (_network_exists,),
    "gcp:compute/firewall:Firewall": (_network_exists,),
    FEATURE: (_feature,),
    CLUSTER: (_cluster_ranges, _cluster_addons, _binary_authorization, _fleet),
    NODE_POOL: (_pool_of_a_cluster, _pool_of_sandboxes, _pool_of_virtual_machines),
    "gcp:storage/bucket:Bucket": (_bucket,),
    **dict.fromkeys(
        (each for each in KINDS if each.endswith(("IAMMember", "IamMember"))),
        (_workload_identity_exists, _agent_exists),
    ),
}
