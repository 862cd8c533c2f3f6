"""Where pod specs hide: in every kind that makes pods, upstream's included."""

from collections.abc import Iterator, Mapping
from typing import Any

from policies.values import UNKNOWN, Unknown

PATHS: dict[str, tuple[str, ...]] = {
    "Pod": ("spec",),
    "PodTemplate": ("template", "spec"),
    **dict.fromkeys(
        ("ReplicationController", "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job"),
        ("spec", "template", "spec"),
    ),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    "Sandbox": ("spec", "podTemplate", "spec"),
    "SandboxTemplate": ("spec", "podTemplate", "spec"),
}
"""For each kind, where in its objects the pod spec is."""

CONTAINER_LISTS = ("initContainers", "containers", "ephemeralContainers")


def kind_of(resource_type: str) -> str:
    """The Kubernetes kind of a Pulumi type token, or "" for a resource of another provider."""
    package, _, rest = resource_type.partition(":")
    kind = rest.rpartition(":")[2] if package == "kubernetes" else ""
    return kind.removesuffix("Patch")


def holds_pods(kind: str) -> bool:
    """Whether objects of `kind` have a pod spec in them."""
    return kind.removesuffix("List") in PATHS


def pod_specs(kind: str, manifest: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each pod spec of an object of `kind`, with its path; UNKNOWN where it is not known yet."""
    if kind.endswith("List") and holds_pods(kind):
        items = manifest.get("items") or []
        for index, item in enumerate([] if isinstance(items, Unknown) else items):
            for path, spec in pod_specs(kind.removesuffix("List"), item):
                yield f"items[{index}].{path}", spec
    elif kind in PATHS:
        value: Any = manifest
        for field in PATHS[kind]:
            value = UNKNOWN if isinstance(value, Unknown) else (value or {}).get(field)
        yield ".".join(PATHS[kind]), value


def containers(spec: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each container of a pod spec, of whatever sort, with its path in the spec."""
    for field in CONTAINER_LISTS:
        listed = spec.get(field)
        if isinstance(listed, Unknown):
            yield field, UNKNOWN
            continue
        for index, container in enumerate(listed or []):
            yield f"{field}[{index}]", container
