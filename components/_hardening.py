"""What hardens a sandbox's pod, whoever wrote it: what is left out is filled in, what is softer is refused."""

from collections.abc import Iterator, Mapping
from typing import Any

from components._formats import amount, pinned_image
from components._kubernetes import LIMITS, REQUESTS, restricted_container, restricted_pod
from components._runtimes import Runtime

Contradiction = tuple[str, str, str]
"""A path, what is wrong with what is there, what follows and helps."""

_HOST = ("takes the wall to the node down", "The code would see the node. Remove it.")
_CLUSTER = ("tells the code about the cluster", "A sandbox knows nothing of it. Remove it.")
FORBIDDEN = {
    "hostNetwork": _HOST,
    "hostPID": _HOST,
    "hostIPC": _HOST,
    "automountServiceAccountToken": _CLUSTER,
    "enableServiceLinks": _CLUSTER,
    "nodeName": ("passes over the scheduler", "No taint or selector would count. Remove it."),
    "ephemeralContainers": ("cannot be in a new pod", "The API server would refuse every pod. Remove it."),
}
CREDENTIALS = ("serviceAccountToken", "clusterTrustBundle", "podCertificate")
LISTS = ("initContainers", "containers")


def contradictions(spec: Mapping[str, Any], runtime: Runtime | None) -> Iterator[Contradiction]:
    """What in a pod spec says the opposite of what every sandbox is; by paths that begin with `pod`."""
    if not isinstance(spec.get("containers"), list) or not spec["containers"]:
        yield "pod.containers", "is no list of containers", "There would be nothing to run. Name at least one."
        return
    for field, (wrong, remedy) in FORBIDDEN.items():
        if spec.get(field):
            yield f"pod.{field}", wrong, remedy
    for index, toleration in enumerate(spec.get("tolerations") or ()):
        if not toleration.get("key"):
            remedy = "The sandbox could land among the control plane's pods. Name the taint's key."
            yield f"pod.tolerations[{index}]", "fits every taint", remedy
    if runtime is not None:
        yield from _other_runtime(spec, runtime)
    yield from _soft_context("pod", spec.get("securityContext"))
    if (spec.get("securityContext") or {}).get("sysctls"):
        yield "pod.securityContext.sysctls", "change the kernel", "They are the node's to set. Remove them."
    for index, volume in enumerate(spec.get("volumes") or ()):
        yield from _open_volume(f"pod.volumes[{index}]", volume)
    for field in LISTS:
        for index, container in enumerate(spec.get(field) or ()):
            yield from _soft_container(f"pod.{field}[{index}]", container)


def _other_runtime(spec: Mapping[str, Any], runtime: Runtime) -> Iterator[Contradiction]:
    named = spec.get("runtimeClassName", runtime.class_name)
    if named != runtime.class_name:
        remedy = "Two runtimes cannot both hold. Remove it, and choose by the argument runtime."
        yield "pod.runtimeClassName", f"is not {runtime.class_name}, the class of the runtime", remedy
    for key, value in runtime.node_selector.items():
        if (spec.get("nodeSelector") or {}).get(key, value) != value:
            yield "pod.nodeSelector", f"leads away from {key}={value}", "No pod would be scheduled. Remove that label."


def _soft_context(path: str, context: Any) -> Iterator[Contradiction]:
    """Of a pod or of a container: root, and no seccomp."""
    given = context if isinstance(context, Mapping) else {}
    if given.get("runAsNonRoot") is False:
        yield f"{path}.securityContext.runAsNonRoot", "lets the code run as root", "A sandbox never does. Remove it."
    if given.get("runAsUser") == 0:
        yield f"{path}.securityContext.runAsUser", "is root", "A sandbox never runs as root. Choose another user."
    if (given.get("seccompProfile") or {}).get("type") == "Unconfined":
        yield f"{path}.securityContext.seccompProfile", "filters no system call", "Remove it: RuntimeDefault is set."


def _soft_container(path: str, container: Any) -> Iterator[Contradiction]:
    if not isinstance(container, Mapping):
        yield path, "is no container", "It decides what is declared. Write it as a map of plain values."
        return
    image = container.get("image")
    if isinstance(image, str) and (found := pinned_image(image)):
        yield f"{path}.image", *found
    context = container.get("securityContext") or {}
    yield from _soft_context(path, context)
    for field in ("privileged", "allowPrivilegeEscalation"):
        if context.get(field) is True:
            yield f"{path}.securityContext.{field}", "gives the code rights", "A sandbox has none to gain. Remove it."
    capabilities = context.get("capabilities") or {}
    if capabilities.get("add"):
        yield f"{path}.securityContext.capabilities.add", "adds rights", "A sandbox drops them all. Remove it."
    if "drop" in capabilities and "ALL" not in capabilities["drop"]:
        yield f"{path}.securityContext.capabilities.drop", "leaves rights", "A sandbox drops ALL. Remove it."
    if context.get("procMount", "Default") != "Default":
        yield f"{path}.securityContext.procMount", "unmasks /proc", "It tells of the node. Remove it."
    for index, port in enumerate(container.get("ports") or ()):
        if port.get("hostPort"):
            remedy = "Network policies do not see it. Remove it: the router finds the sandbox by its address."
            yield f"{path}.ports[{index}].hostPort", "binds a port of the node", remedy


def _open_volume(path: str, volume: Mapping[str, Any]) -> Iterator[Contradiction]:
    if "hostPath" in volume:
        remedy = "The code would see the node's files. Use an emptyDir, or a volume claim."
        yield f"{path}.hostPath", "mounts a folder of the node", remedy
    for index, source in enumerate((volume.get("projected") or {}).get("sources") or ()):
        for kind in CREDENTIALS:
            if kind in source:
                remedy = "The code could act as its service account. Remove it."
                yield f"{path}.projected.sources[{index}].{kind}", "mounts credentials of the cluster", remedy


def harden(spec: dict[str, Any], runtime: Runtime, user: int, read_only_root: bool) -> dict[str, Any]:
    """A pod spec with all that makes it a sandbox; `contradictions` has found nothing against it."""
    hardened = {
        **spec,
        **runtime.pod_fields(),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {**restricted_pod(user), **(spec.get("securityContext") or {})},
    }
    hardened["nodeSelector"] = {**(spec.get("nodeSelector") or {}), **hardened["nodeSelector"]}
    tolerations = [each for each in spec.get("tolerations") or () if each not in runtime.tolerations]
    if tolerations or runtime.tolerations:
        hardened["tolerations"] = [*runtime.tolerations, *tolerations]
    for field in LISTS:
        if spec.get(field):
            hardened[field] = [_hardened_container(each, read_only_root) for each in spec[field]]
    if read_only_root:
        hardened["volumes"] = [*(spec.get("volumes") or ()), {"name": "writable-tmp", "emptyDir": {}}]
    return hardened


def _hardened_container(container: Mapping[str, Any], read_only_root: bool) -> dict[str, Any]:
    context = container.get("securityContext") or {}
    hardened = {
        **container,
        "resources": resources(container.get("resources") or {}),
        "securityContext": {**restricted_container(read_only_root), **context, "capabilities": {"drop": ["ALL"]}},
    }
    mounts = container.get("volumeMounts") or []
    if read_only_root and all(each.get("mountPath") != "/tmp" for each in mounts):  # noqa: S108 - of the sandbox
        hardened["volumeMounts"] = [*mounts, {"name": "writable-tmp", "mountPath": "/tmp"}]  # noqa: S108
    return hardened


def resources(given: Mapping[str, Any]) -> dict[str, Any]:
    """Requests and limits with the defaults for what is left out; no request above its limit."""
    requests, limits = dict(given.get("requests") or {}), dict(given.get("limits") or {})
    for name, default in LIMITS.items():
        if name not in limits:
            asked = requests.get(name, default)
            plain = isinstance(asked, str)
            limits[name] = asked if not plain or amount(asked) > amount(default) else default
        if name not in requests:
            limit = limits[name]
            if isinstance(limit, str) and amount(limit) > amount(REQUESTS[name]):
                requests[name] = REQUESTS[name]  # left out, a request is what the limit is
    return {**given, "requests": requests, "limits": limits}
