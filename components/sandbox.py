"""A Sandbox of its own, outside any warm pool: with volumes that outlive its pod, suspended and resumed.

Owns the Sandbox and its NetworkPolicy, which the controller makes for templates only. Its pod is built
and hardened as a template's is.
"""

from typing import Any, NotRequired

import pulumi

from components._arguments import arguments, require_valid
from components._blueprint import BlueprintArgs
from components._checks import one_of
from components._formats import timestamp
from components._kubernetes import MANAGED_BY, SANDBOX_API, KubernetesObject, network_policy, wait_for
from components._pods import blueprint, network_rules


@arguments(
    extends=BlueprintArgs,
    shutdown_time=timestamp,
    shutdown_policy=one_of(("Retain", "Delete"), "It says what becomes of an ended sandbox."),
)
class SandboxArgs(BlueprintArgs):
    """Arguments of Sandbox."""

    suspended: NotRequired[bool]
    """Whether its pod is ended while its volumes stay. Set to false again, it is resumed with them. Default false."""
    shutdown_time: NotRequired[str]
    """When it ends, as an RFC 3339 time in UTC (2027-01-31T12:00:00Z). Default never."""
    shutdown_policy: NotRequired[str]
    """What becomes of the Sandbox and its volumes then: `Retain` or `Delete`. Default Retain, upstream's."""


class Sandbox(pulumi.ComponentResource):
    """A sandbox of the component's own name. An update ends when it is ready, or suspended."""

    sandbox_name: pulumi.Output[str]
    """The sandbox's name, for the router's header X-Sandbox-ID; known once it is as it should be."""
    service_fqdn: pulumi.Output[str]
    """Its name in the cluster's DNS, if it has a `service`; empty otherwise."""

    def __init__(self, name: str, args: SandboxArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError for wrong arguments."""
        require_valid(SandboxArgs, name, args)
        super().__init__("agent-sandbox:index:Sandbox", name, {**args}, opts)
        own = {"app.kubernetes.io/component": "sandbox", "app.kubernetes.io/instance": name}
        args = {**args, "labels": {**args.get("labels", {}), **own}}
        guards = []
        if not args.get("unsafe_unmanaged_network", False):
            metadata = {"name": f"{name}-sandbox", "namespace": args["namespace"], "labels": MANAGED_BY}
            policy = network_policy(metadata, {"matchLabels": own}, **network_rules(args))
            guards.append(KubernetesObject(f"{name}-network-policy", policy, pulumi.ResourceOptions(parent=self)))
        # The sandbox comes after its policy, and goes before it: it never runs without.
        options = pulumi.ResourceOptions(parent=self, depends_on=guards)
        sandbox = KubernetesObject(f"{name}-sandbox", _manifest(name, args), options)
        self.sandbox_name = sandbox.id.apply(lambda _: name)
        self.service_fqdn = sandbox.status.apply(lambda status: str((status or {}).get("serviceFQDN", "")))
        self.register_outputs({"sandbox_name": self.sandbox_name, "service_fqdn": self.service_fqdn})


def _manifest(name: str, args: SandboxArgs) -> dict[str, Any]:
    suspended = args.get("suspended", False)
    lifecycle = {"shutdown_time": "shutdownTime", "shutdown_policy": "shutdownPolicy"}
    return {
        "apiVersion": SANDBOX_API,
        "kind": "Sandbox",
        "metadata": {
            "name": name,
            "namespace": args["namespace"],
            "labels": MANAGED_BY,
            "annotations": wait_for("condition=Suspended" if suspended else "condition=Ready"),
        },
        "spec": {
            **blueprint(args),
            **{field: args[argument] for argument, field in lifecycle.items() if argument in args},  # type: ignore[literal-required]
            "operatingMode": "Suspended" if suspended else "Running",
        },
    }
