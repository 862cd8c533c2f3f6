"""A SandboxWarmPool: sandboxes of a template, made in advance, that a claim takes in a moment."""

from typing import Any, NotRequired, TypedDict

import pulumi

from components._arguments import arguments, require_valid
from components._checks import between, dns_label, one_of
from components._kubernetes import EXTENSIONS_API, MANAGED_BY, KubernetesObject, wait_for

MOST = 10_000


@arguments(
    namespace=dns_label,
    replicas=between(0, MOST, "Each holds its CPU and memory request the whole time."),
    update_strategy=one_of(("OnReplenish", "Recreate"), "It says what becomes of stock made from an older template."),
)
class SandboxWarmPoolArgs(TypedDict):
    """Arguments of SandboxWarmPool."""

    namespace: str
    """The template's namespace."""
    template: pulumi.Input[str]
    """The name of the SandboxTemplate."""
    replicas: NotRequired[int]
    """Sandboxes kept ready. 0 keeps none, so that each claim starts cold. Default 1, upstream's."""
    update_strategy: NotRequired[str]
    """When stock follows a changed template: `OnReplenish`, as it is taken, or `Recreate`, at once. Default
    OnReplenish, upstream's."""


class SandboxWarmPool(pulumi.ComponentResource):
    """A warm pool, of the component's own name. An update ends when the pool is full."""

    pool_name: pulumi.Output[str]
    """The pool's name, for a claim; known once the pool is full."""

    def __init__(self, name: str, args: SandboxWarmPoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError for wrong arguments."""
        require_valid(SandboxWarmPoolArgs, name, args)
        super().__init__("agent-sandbox:index:SandboxWarmPool", name, {**args}, opts)
        replicas = args.get("replicas", 1)
        metadata: dict[str, Any] = {"name": name, "namespace": args["namespace"], "labels": MANAGED_BY}
        if replicas:
            metadata["annotations"] = wait_for(f"jsonpath={{.status.readyReplicas}}={replicas}")
        manifest = {
            "apiVersion": EXTENSIONS_API,
            "kind": "SandboxWarmPool",
            "metadata": metadata,
            "spec": {
                "replicas": replicas,
                "sandboxTemplateRef": {"name": args["template"]},
                "updateStrategy": {"type": args.get("update_strategy", "OnReplenish")},
            },
        }
        pool = KubernetesObject(f"{name}-pool", manifest, pulumi.ResourceOptions(parent=self))
        self.pool_name = pool.id.apply(lambda _: name)
        self.register_outputs({"pool_name": self.pool_name})
