"""A pod as the rules see it: the fields that matter, of the types that the API gives them.

What is written in another type is told once, by the topic well-formed, and is absent here; so a rule need
not guard against it. Null is absent, as it is for the API server.
"""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from policies.controls import Hit
from policies.objects import Object
from policies.values import UNKNOWN, child, get, join, type_name
from policies.workloads import SANDBOX_KINDS, templates

CONTAINER_LISTS = ("initContainers", "containers", "ephemeralContainers")

ANY = object()
_SECCOMP = {"type": str}
_SELINUX = {"type": str, "user": str, "role": str}
_WINDOWS = {"hostProcess": bool}
_HANDLER = {"httpGet": {"host": str}, "tcpSocket": {"host": str}}
_CONTAINER_SECURITY = {
    "privileged": bool,
    "allowPrivilegeEscalation": bool,
    "readOnlyRootFilesystem": bool,
    "runAsNonRoot": bool,
    "runAsUser": float,
    "procMount": str,
    "capabilities": {"add": [str], "drop": [str]},
    "seccompProfile": _SECCOMP,
    "seLinuxOptions": _SELINUX,
    "appArmorProfile": _SECCOMP,
    "windowsOptions": _WINDOWS,
}
_CONTAINER = {
    "name": str,
    "image": str,
    "command": [str],
    "args": [str],
    "ports": [{"hostPort": float}],
    "resources": {"limits": {"*": ANY}, "requests": {"*": ANY}},
    "securityContext": _CONTAINER_SECURITY,
    "livenessProbe": _HANDLER,
    "readinessProbe": _HANDLER,
    "startupProbe": _HANDLER,
    "lifecycle": {"postStart": _HANDLER, "preStop": _HANDLER},
}
_POD_SECURITY = {
    "runAsNonRoot": bool,
    "runAsUser": float,
    "seccompProfile": _SECCOMP,
    "seLinuxOptions": _SELINUX,
    "appArmorProfile": _SECCOMP,
    "windowsOptions": _WINDOWS,
    "sysctls": [{"name": str}],
}
_SPEC = {
    "hostNetwork": bool,
    "hostPID": bool,
    "hostIPC": bool,
    "hostUsers": bool,
    "shareProcessNamespace": bool,
    "os": {"name": str},
    "runtimeClassName": str,
    "serviceAccountName": str,
    "automountServiceAccountToken": bool,
    "enableServiceLinks": bool,
    "nodeName": str,
    "dnsPolicy": str,
    "nodeSelector": {"*": str},
    "tolerations": [{"key": str, "operator": str, "value": str, "effect": str}],
    "securityContext": _POD_SECURITY,
    "volumes": [{"name": str, "projected": {"sources": [{"*": {"*": ANY}}]}, "*": {"*": ANY}}],
    **{field: [_CONTAINER] for field in CONTAINER_LISTS},
}
_METADATA = {"annotations": {"*": str}, "labels": {"*": str}}
_TEMPLATE = {"metadata": _METADATA, "spec": _SPEC}

_NAMES = {bool: "a boolean", float: "a number", str: "a text", dict: "a map", list: "a list"}


@dataclass(frozen=True, eq=False)
class Pod:
    """One pod template of an object."""

    owner: Object
    path: str
    """The template's path in its object."""
    metadata: Any
    spec: Any
    """The fields that rules look at, at least empty; or UNKNOWN, and then no rule is called."""
    containers: list[tuple[str, Any]]
    """Each container of whatever sort, with its path in the object; UNKNOWN in place of what is not known."""
    malformed: list[Hit]

    @property
    def is_sandbox(self) -> bool:
        return self.owner.kind in SANDBOX_KINDS and self.owner.group.endswith("agents.x-k8s.io")

    def at(self, *fields: str) -> str:
        """The path of a field of the pod spec."""
        return ".".join([*([self.path] if self.path else []), "spec", *fields])

    def get(self, *fields: str) -> Any:
        """A field of the pod spec."""
        return get(self.spec, *fields)

    def settings(self, *fields: str) -> Iterator[tuple[str, Any]]:
        """A security setting of the pod and of each container, with its path; those that are absent are left out."""
        own = get(self.spec, "securityContext", *fields)
        if own is not None:
            yield self.at("securityContext", *fields), own
        yield from self.each("securityContext", *fields)

    def each(self, *fields: str) -> Iterator[tuple[str, Any]]:
        """A field of each container that has it, with its path; where the container itself is unknown, its path."""
        suffix = "." + ".".join(fields)
        for path, container in self.containers:
            value = get(container, *fields)
            if value is not None:
                yield (path if container is UNKNOWN else path + suffix), value


def pods(one: Object, configured: Sequence[Any] = ()) -> list[Pod]:
    """Every pod template of `one`, as far as it can be read."""
    return _pods(one, tuple(configured))


@functools.lru_cache(maxsize=4)
def _pods(one: Object, configured: tuple[Any, ...]) -> list[Pod]:
    """Read once for all topics, which see one object after the other."""
    return [_pod(one, path, template) for path, template in templates(one, configured)]


def _pod(one: Object, path: str, template: Any) -> Pod:
    malformed: list[Hit] = []
    if template is UNKNOWN:
        return Pod(one, path, UNKNOWN, UNKNOWN, [(path, UNKNOWN)], malformed)
    read = _conform(template, _TEMPLATE, path, malformed) or {}
    spec = read.get("spec")
    if spec is UNKNOWN:
        return Pod(one, path, read.get("metadata"), UNKNOWN, [(join(path, "spec"), UNKNOWN)], malformed)
    if spec is None and not malformed:
        malformed.append(Hit(join(path, "spec"), "is absent, so this is a workload without a pod"))
    spec = spec or {}
    containers: list[tuple[str, Any]] = []
    for field in CONTAINER_LISTS:
        where = join(path, f"spec.{field}")
        listed = spec.get(field)
        if listed is UNKNOWN:
            containers.append((where, UNKNOWN))
        elif listed:
            containers += [(f"{where}[{index}]", each) for index, each in enumerate(listed)]
    if not spec.get("containers") and not malformed and not one.patch:
        malformed.append(Hit(join(path, "spec.containers"), "holds no container, so no rule has anything to judge"))
    return Pod(one, path, read.get("metadata"), spec, containers, malformed)


def _conform(value: Any, shape: Any, path: str, malformed: list[Hit]) -> Any:
    """`value` with the fields that `shape` names and their types; what has another type is noted and becomes None."""
    if value is None or value is UNKNOWN or shape is ANY:
        return value
    if shape is float:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return value
    elif isinstance(shape, type):
        if isinstance(value, shape):
            return value
    elif isinstance(shape, list):
        if isinstance(value, list):
            # A null entry is an empty one, for the API server as well.
            inner = shape[0]
            empty: Any = {} if isinstance(inner, dict) else None
            return [
                empty if each is None else _conform(each, inner, f"{path}[{index}]", malformed)
                for index, each in enumerate(value)
            ]
    elif isinstance(value, dict):
        return _conform_map(value, shape, path, malformed)
    wanted = _NAMES[shape if isinstance(shape, type) else type(shape)]
    malformed.append(Hit(path, f"is {type_name(value)} where {wanted} belongs"))
    return {} if path.endswith("]") and isinstance(shape, dict) else None


def _conform_map(value: dict[Any, Any], shape: dict[str, Any], path: str, malformed: list[Hit]) -> dict[str, Any]:
    rest = shape.get("*")
    if rest is ANY:
        return {str(key): each for key, each in value.items() if each is not None}
    read = {}
    if rest is not None:
        for key, each in value.items():
            if each is not None:
                name = str(key)
                read[name] = _conform(each, shape.get(name, rest), child(path, name), malformed)
        return read
    for name, inner in shape.items():
        each = value.get(name)
        if each is not None:
            read[name] = _conform(each, inner, join(path, name), malformed)
    return read
