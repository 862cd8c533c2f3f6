"""What the API server still takes for ready after the node has died, and nobody has said otherwise.

A cluster's node controller withdraws it when a kubelet is silent for a while. Here the node is started
again sooner than that, so it is withdrawn before the kubelet starts, which then says what is true.
"""

import contextlib
import time
from collections.abc import Iterable

from local.api import SANDBOXES, Api, ApiError, Json, holds
from local.node import config

PODS = "/api/v1/pods"
NODE = f"/api/v1/nodes/{config.NAME}"


def withdraw(api: Api) -> list[str]:
    """Call the node, and every pod on it, not ready; returns the paths of those pods that were. Raises ApiError."""
    if (node := api.find(NODE)) is None:
        return []
    _say(api, NODE, node, ["Ready"])
    withdrawn = []
    for pod in api.items(PODS, fieldSelector=f"spec.nodeName={config.NAME}"):
        if holds(pod, "Ready"):
            path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"
            _say(api, path, pod, ["Ready", "ContainersReady"])
            withdrawn.append(path)
    return withdrawn


def wait_for(api: Api, pods: Iterable[str], seconds: float) -> bool:
    """Wait until each of `pods`, paths, is back or gone; returns whether that came about in time."""
    deadline = time.monotonic() + seconds
    waited_for = list(pods)
    while waited_for:
        if time.monotonic() > deadline:
            return False
        with contextlib.suppress(ApiError):
            if _is_back(api, waited_for[-1]):
                waited_for.pop()
                continue
        time.sleep(0.2)
    return True


def _is_back(api: Api, path: str) -> bool:
    """Whether a pod is ready, and where it is a sandbox's, the controller has noticed: it has another address now.

    That takes up to half a minute: the controller's new leader waits until the dead one's lease has run out.
    Until then a client is told the address that the pod had before.
    """
    pod = api.find(path)
    if pod is None:
        return True
    owners = [each["name"] for each in pod["metadata"].get("ownerReferences", []) if each["kind"] == "Sandbox"]
    for name in owners:
        sandbox = api.find(f"{SANDBOXES}/namespaces/{pod['metadata']['namespace']}/sandboxes/{name}") or {}
        known = sandbox.get("status", {}).get("podIPs", [])
        if not holds(sandbox, "Ready") or known != [each["ip"] for each in pod["status"].get("podIPs", [])]:
            return False
    return holds(pod, "Ready")


def _say(api: Api, path: str, item: Json, types: list[str]) -> None:
    for condition in item.get("status", {}).get("conditions", []):
        if condition["type"] in types:
            condition |= {"status": "False", "reason": "NodeNotReady", "message": "the node is being started again"}
    api.replace(f"{path}/status", item)
