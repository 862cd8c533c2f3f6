"""A tenant's namespace: where templates, warm pools, claims and their sandboxes live."""

from typing import TypedDict

import pulumi

from components._arguments import require_valid
from components._kubernetes import MANAGED_BY, POD_SECURITY_RESTRICTED, KubernetesObject


class SandboxNamespaceArgs(TypedDict):
    """Arguments of SandboxNamespace."""


class SandboxNamespace(pulumi.ComponentResource):
    """A namespace of the component's own name that admits restricted pods only."""

    namespace_name: pulumi.Output[str]
    """The namespace's name; known once it exists."""

    def __init__(self, name: str, args: SandboxNamespaceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError for wrong arguments."""
        require_valid(SandboxNamespaceArgs, name, args)
        super().__init__("agent-sandbox:index:SandboxNamespace", name, {**args}, opts)
        labels = {**MANAGED_BY, **POD_SECURITY_RESTRICTED}
        manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        namespace = KubernetesObject(f"{name}-namespace", manifest, pulumi.ResourceOptions(parent=self))
        self.namespace_name = namespace.id.apply(lambda _: name)
        self.register_outputs({"namespace_name": self.namespace_name})
