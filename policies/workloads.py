"""Where pod templates hide: in every built-in kind that makes pods, in upstream's, and in kinds unknown here."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from policies.objects import Object
from policies.values import get, join

TEMPLATES: dict[str, tuple[str, ...]] = {
    "Pod": (),
    "PodTemplate": ("template",),
    **dict.fromkeys(
        ("ReplicationController", "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job"),
        ("spec", "template"),
    ),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    "Sandbox": ("spec", "podTemplate"),
    "SandboxTemplate": ("spec", "podTemplate"),
}
"""For each kind, in every version that ever served it, where the pod's metadata and spec are."""

GROUPS = frozenset({"", "apps", "batch", "extensions", "agents.x-k8s.io", "extensions.agents.x-k8s.io"})
"""The API groups of those kinds. What another group calls a Job may be laid out differently."""

SANDBOX_KINDS = ("Sandbox", "SandboxTemplate")

PARAMETERS: dict[str, dict[str, Any]] = {
    "podTemplates": {
        "type": "array",
        "items": {"type": "string"},
        "default": [],
        "description": "Further kinds with a pod template, as in `example.com/Workload:spec.template`: the API group, "
        "the kind, and the path of the map that holds the pod's spec. A kind with a list of containers below a field "
        "`spec` needs no entry.",
    }
}

POD_FIELDS = frozenset(
    {
        "automountServiceAccountToken",
        "hostIPC",
        "hostNetwork",
        "hostPID",
        "initContainers",
        "nodeSelector",
        "restartPolicy",
        "runtimeClassName",
        "securityContext",
        "serviceAccountName",
        "tolerations",
        "volumes",
    }
)
"""Fields that, beside containers however they are written, make a pod spec recognizable."""

MOST_VALUES = 20_000
"""Values of an object of an unknown kind that are searched for pod specs; no real object comes near it."""


def is_known(one: Object) -> bool:
    """Whether `one` is of a kind whose layout is known here."""
    return one.kind in TEMPLATES and one.group in GROUPS and one.type.startswith("kubernetes:")


def templates(one: Object, configured: Sequence[Any] = ()) -> list[tuple[str, Any]]:
    """The path of each pod template in `one`, from the top of the object, and the template, whatever it is.

    Empty where the object makes no pods; for a known kind that lacks its template, the path with None.
    """
    if is_known(one):
        fields = TEMPLATES[one.kind]
        value = get(one.data, *fields)
        if one.patch and value is None:
            return []  # a patch that leaves the pods alone
        return [(".".join(fields), value)]
    if not one.type.startswith("kubernetes:") or one.kind == "CustomResourceDefinition":
        return []
    found = list(_configured(one, configured))
    known = {path for path, _ in found}
    return found + [each for each in _discovered(one.data) if each[0] not in known]


def _configured(one: Object, entries: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    for entry in entries:
        kind, _, path = str(entry).partition(":")
        group, _, name = kind.rpartition("/")
        if name == one.kind and group == one.group:
            yield path, get(one.data, *path.split("."))


def _discovered(data: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Maps whose `spec` holds a list of containers, at any depth; each value is looked at once."""
    waiting: list[tuple[str, Any]] = [("", data)]
    seen: set[int] = set()
    while waiting and len(seen) < MOST_VALUES:
        path, value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, dict):
            if holds_containers(value.get("spec")):
                yield path, value
            below: Iterable[tuple[str, Any]] = ((join(path, str(key)), each) for key, each in value.items())
        elif isinstance(value, list):
            below = ((f"{path}[{index}]", each) for index, each in enumerate(value))
        else:
            continue
        waiting += [(where, each) for where, each in below if isinstance(each, (dict, list))]


def holds_containers(spec: Any) -> bool:
    """Whether a map looks like a pod spec: containers that name an image or themselves, or with other fields of one."""
    containers = get(spec, "containers")
    if containers is None or not isinstance(spec, dict):
        return False
    listed = containers if isinstance(containers, list) else ()
    named = any(isinstance(each, dict) and ("image" in each or "name" in each) for each in listed)
    return named or not POD_FIELDS.isdisjoint(spec)
