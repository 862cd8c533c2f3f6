"""Whether an Agent Sandbox platform is well: what upstream's guides have people check by hand.

Everything is asked of the API server, so it holds for any cluster; where the deployment is the
embedded one, its own processes are looked at too.
"""

import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from local.api import EXTENSIONS, SANDBOXES, Api, ApiError, Json, holds
from local.control_plane import COMPONENTS, ControlPlane
from local.node import config, lifecycle
from local.paths import State
from local.supervisor import reported

KINDS = {
    SANDBOXES: ("sandboxes",),
    EXTENSIONS: ("sandboxtemplates", "sandboxwarmpools", "sandboxclaims"),
}
DEPLOYMENTS = {"controller": "agent-sandbox-controller", "router": "sandbox-router-go"}
"""What each Deployment is recognized by: its image's name, wherever it runs and however it is called."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    subject: str
    well: bool
    detail: str


@dataclass(frozen=True)
class Status:
    """All that was looked at."""

    checks: list[Check]

    @property
    def well(self) -> bool:
        return all(check.well for check in self.checks)

    def as_json(self) -> Json:
        return {"well": self.well, "checks": [asdict(check) for check in self.checks]}


def of_cluster(api: Api) -> Status:
    """The platform on the cluster behind `api`."""
    try:
        return Status([*kinds(api), *deployments(api), *pools(api), *claims(api), *sandboxes(api)])
    except ApiError as error:
        return Status([Check("API server", False, str(error))])


def of_local(state: State, control_plane: ControlPlane) -> Status:
    """The embedded platform: its processes first, then the same as on any cluster."""
    running = control_plane.running()
    gone = [name for name in COMPONENTS if name not in running]
    detail = f"{', '.join(gone)} not running" if gone else f"{len(COMPONENTS)} processes run"
    api = Api(state.kubeconfig)
    checks = [Check("control plane", not gone, detail), *_host_processes(state), *_nodes(state, api)]
    return Status([*checks, *of_cluster(api).checks])


def _nodes(state: State, api: Api) -> Iterator[Check]:
    """A real node; simulated ones are always well."""
    if not lifecycle.is_real(state):
        return
    if lifecycle.keeper(state) is None:
        yield Check("node", False, "its processes do not run")
        return
    try:
        node = api.find(f"/api/v1/nodes/{config.NAME}") or {}
    except ApiError as error:
        yield Check("node", False, str(error))
        return
    info = node.get("status", {}).get("nodeInfo", {})
    versions = f"kubelet {info.get('kubeletVersion', '?')}, {info.get('containerRuntimeVersion', '?')}"
    yield Check("node", is_ready(node), f"{config.NAME}: {versions}{'' if is_ready(node) else ', not Ready'}")


def kinds(api: Api) -> Iterator[Check]:
    for group, wanted in KINDS.items():
        served = {each["name"] for each in (api.find(group) or {"resources": []})["resources"]}
        missing = [name for name in wanted if name not in served]
        name = group.removeprefix("/apis/")
        yield Check(f"kinds of {name}", not missing, f"{', '.join(missing)} not served" if missing else "served")


def deployments(api: Api) -> Iterator[Check]:
    deployments = api.items("/apis/apps/v1/deployments")
    for subject, image in DEPLOYMENTS.items():
        found = [each for each in deployments if image in _images(each)]
        if not found:
            yield Check(subject, False, f"no Deployment runs the image {image}")
        for each in found:
            wanted, available = each["spec"].get("replicas", 1), each.get("status", {}).get("availableReplicas", 0)
            where = f"{each['metadata']['namespace']}/{each['metadata']['name']}"
            yield Check(subject, available >= wanted, f"{available} of {wanted} replicas available ({where})")


def _images(deployment: Json) -> set[str]:
    containers = deployment["spec"]["template"]["spec"]["containers"]
    return {each["image"].split("@")[0].rpartition("/")[2].partition(":")[0] for each in containers}


def _host_processes(state: State) -> Iterator[Check]:
    for entry in reported(state).values():
        ready = _answers(f"http://127.0.0.1:{entry['ports']['health']}/readyz")
        detail = f"host process {entry['pid']} {'is ready' if ready else 'is not ready'}"
        if entry["restarts"]:
            detail += f", restarted {entry['restarts']} times"
        yield Check(entry["binary"], ready, detail)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def pools(api: Api) -> Iterator[Check]:
    for pool in api.items(f"{EXTENSIONS}/sandboxwarmpools"):
        wanted, ready = pool["spec"].get("replicas", 1), pool.get("status", {}).get("readyReplicas", 0)
        yield Check(f"warm pool {_name(pool)}", ready >= wanted, f"{ready} of {wanted} ready")


def claims(api: Api) -> Iterator[Check]:
    claims = api.items(f"{EXTENSIONS}/sandboxclaims")
    if claims:
        bound = sum(is_ready(each) for each in claims)
        yield Check("claims", bound == len(claims), f"{bound} of {len(claims)} bound to a ready sandbox")


def sandboxes(api: Api) -> Iterator[Check]:
    """Those that belong to no pool and to no claim."""
    alone = [each for each in api.items(f"{SANDBOXES}/sandboxes") if "ownerReferences" not in each["metadata"]]
    if alone:
        well = sum(holds(each, "Suspended" if _is_suspended(each) else "Ready") for each in alone)
        detail = f"{well} of {len(alone)} ready or suspended as they should be"
        yield Check("sandboxes", well == len(alone), detail)


def _is_suspended(sandbox: Json) -> bool:
    return bool(sandbox["spec"].get("operatingMode") == "Suspended")


def is_ready(item: Json) -> bool:
    return holds(item, "Ready")


def _name(item: Json) -> str:
    return f"{item['metadata']['namespace']}/{item['metadata']['name']}"
