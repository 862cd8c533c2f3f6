"""What isolates a sandbox's kernel, and what a pod must say to get to the nodes that have it."""

from dataclasses import dataclass, field
from typing import Any

GVISOR_LABEL = "sandbox.gke.io/runtime"
"""GKE labels and taints the nodes of a gVisor pool with it by itself, and refuses others who do."""


@dataclass(frozen=True)
class Runtime:
    """A runtime class and its nodes."""

    class_name: str | None
    node_selector: dict[str, str] = field(default_factory=dict)
    tolerations: list[dict[str, Any]] = field(default_factory=list)

    def pod_fields(self) -> dict[str, Any]:
        """The fields of a pod spec that lead to this runtime and to no other."""
        fields: dict[str, Any] = {"nodeSelector": {"kubernetes.io/os": "linux", **self.node_selector}}
        if self.class_name is not None:
            fields["runtimeClassName"] = self.class_name
        if self.tolerations:
            fields["tolerations"] = self.tolerations
        return fields


KATA_LABEL = "katacontainers.io/kata-runtime"
"""Kata's installer labels the nodes that it has been to; whoever keeps others off them uses the same key."""

_KATA: tuple[dict[str, str], list[dict[str, Any]]] = (
    {KATA_LABEL: "true"},
    [{"key": KATA_LABEL, "operator": "Equal", "value": "true", "effect": "NoSchedule"}],
)

RUNTIMES = {
    "gvisor": Runtime(
        "gvisor",
        {GVISOR_LABEL: "gvisor"},
        [{"key": GVISOR_LABEL, "operator": "Equal", "value": "gvisor", "effect": "NoSchedule"}],
    ),
    "kata-qemu": Runtime("kata-qemu", *_KATA),
    "kata-clh": Runtime("kata-clh", *_KATA),
    "unsafe-runc": Runtime(None),
}
"""By the name that a template gives; `unsafe-runc` shares the node's kernel with the code it runs."""
