"""Whether the platform on a GKE cluster is well: what GKE's guides have people verify by hand."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from components._gateway_objects import of_cluster
from components._router_objects import SERVICE
from components._runtimes import GVISOR_LABEL
from local import status
from local.api import Api, ApiError
from settings.fleet import Fleet
from settings.gke import Gke

FLEET_SERVICES = "/apis/net.gke.io/v1"

NODE_POOL_LABEL = "cloud.google.com/gke-nodepool"
"""What GKE says of a node's pool."""


def of_gke(api: Api, gke: Gke) -> status.Status:
    """The platform on a GKE cluster: what GKE's own guides have people look at, then as on any cluster."""
    try:
        checks = [*status.kinds(api), *_runtime_classes(api, gke), *_nodes(api, gke)]
        deployments = list(status.deployments(api))
        if gke.cluster["agent_sandbox"]:
            deployments = [_managed(each) for each in deployments]
        checks += deployments
        if gke.snapshots is not None:
            checks += _snapshots(api)
        return status.Status([*checks, *gateways(api), *status.pools(api), *status.claims(api)])
    except ApiError as error:
        return status.Status([status.Check("API server", False, str(error))])


def of_fleet(fleet: Fleet, kubeconfigs: Mapping[str, Path]) -> status.Status:
    """What a fleet's stack put on its members' clusters."""
    checks = []
    for name in fleet.members:
        try:
            api = Api(kubeconfigs[name])
            exports = api.items(f"{FLEET_SERVICES}/serviceexports")
            exported = of_cluster(SERVICE, name) in [each["metadata"]["name"] for each in exports]
            detail = "its router is exported" if exported else "its router is not exported to the fleet"
            checks.append(status.Check(f"member {name}", exported, detail))
            if name == fleet.config:
                checks += gateways(api)
        except ApiError as error:
            checks.append(status.Check(f"member {name}", False, str(error)))
    return status.Status(checks)


def _managed(check: status.Check) -> status.Check:
    """GKE may run its add-on's controller where nobody sees it; that its kinds are served was looked at."""
    if check.subject == "controller" and not check.well and check.detail.startswith("no Deployment"):
        return status.Check("controller", True, "GKE's managed add-on, which shows no Deployment")
    return check


def _runtime_classes(api: Api, gke: Gke) -> Iterator[status.Check]:
    """What GKE installs by itself for gVisor, and this project for Kata."""
    runtimes = {"gvisor"} if gke.target == "autopilot" else {runtime for runtime, _ in gke.pools.values()}
    wanted = (["gvisor"] if "gvisor" in runtimes else []) + (["kata-qemu", "kata-clh"] if "kata" in runtimes else [])
    for name in wanted:
        found = api.find(f"/apis/node.k8s.io/v1/runtimeclasses/{name}") is not None
        yield status.Check(f"runtime class {name}", found, "there" if found else "missing: its pods are refused")


def _nodes(api: Api, gke: Gke) -> Iterator[status.Check]:
    """Each pool's nodes, of which none may be wanted right now; gVisor's bear the label that GKE sets."""
    nodes = api.items("/api/v1/nodes")
    for pool, (runtime, args) in gke.pools.items():
        name = args.get("pool_name", pool)
        own = [each for each in nodes if each["metadata"]["labels"].get(NODE_POOL_LABEL) == name]
        ready = [each for each in own if status.is_ready(each)]
        unlabelled = [
            each["metadata"]["name"]
            for each in own
            if runtime == "gvisor" and each["metadata"]["labels"].get(GVISOR_LABEL) != "gvisor"
        ]
        detail = f"{len(ready)} of {len(own)} ready" + (
            f", without gVisor: {', '.join(unlabelled)}" if unlabelled else ""
        )
        yield status.Check(f"node pool {name}", len(ready) == len(own) and not unlabelled, detail)


def gateways(api: Api) -> Iterator[status.Check]:
    """This project's Gateways: whether GKE's load balancer serves, or why not."""
    label = "app.kubernetes.io/managed-by=pulumi"
    for each in api.items("/apis/gateway.networking.k8s.io/v1/gateways", labelSelector=label):
        found = each.get("status", {})
        told = [one for one in found.get("conditions", []) if one["type"] == "Programmed"]
        serves = any(one["status"] == "True" for one in told)
        where = ", ".join(address["value"] for address in found.get("addresses", []))
        why = "; ".join(one.get("message", "") for one in told) or "GKE has said nothing of it yet"
        yield status.Check(f"gateway {each['metadata']['name']}", serves, where if serves else why)


def _snapshots(api: Api) -> Iterator[status.Check]:
    """The storage configurations that GKE has checked; a condition that is not True is a right that is missing."""
    group = "/apis/podsnapshot.gke.io/v1"
    if api.find(group) is None:
        yield status.Check("pod snapshots", False, "podsnapshot.gke.io/v1 is not served: the add-on is off")
        return
    for each in api.items(f"{group}/podsnapshotstorageconfigs"):
        conditions = each.get("status", {}).get("conditions", [])
        wrong = [f"{one['type']}: {one.get('message', '')}" for one in conditions if one["status"] != "True"]
        yield status.Check(f"snapshot storage {each['metadata']['name']}", not wrong, "; ".join(wrong) or "configured")
