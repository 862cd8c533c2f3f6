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


RUNTIMES = {
    "gvisor": Runtime(
        "gvisor",
        {GVISOR_LABEL: "gvisor"},
        [{"key": GVISOR_LABEL, "operator": "Equal", "value": "gvisor", "effect": "NoSchedule"}],
    ),
    "kata-qemu": Runtime("kata-qemu", {"katacontainers.io/kata-runtime": "true"}),
    "kata-clh": Runtime("kata-clh", {"katacontainers.io/kata-runtime": "true"}),
    "unsafe-runc": Runtime(None),
}
"""By the name that a template gives; `unsafe-runc` shares the node's kernel with the code it runs."""
