"""A SandboxClaim: takes one sandbox from a warm pool and keeps it as long as the claim exists.

For sandboxes that belong to the stack. Applications claim theirs at run time, through the client.
"""

from typing import Any, NotRequired, TypedDict

import pulumi

from components._arguments import arguments, require_valid
from components._checks import between, dns_label, one_of, timestamp
from components._kubernetes import EXTENSIONS_API, MANAGED_BY, KubernetesObject, wait_for


@arguments(
    namespace=dns_label,
    shutdown_time=timestamp,
    shutdown_policy=one_of(("Retain", "Delete", "DeleteForeground"), "It says what becomes of an ended claim."),
    ttl_seconds_after_finished=between(0, 2**31 - 1, "The API server would refuse it."),
)
class SandboxClaimArgs(TypedDict):
    """Arguments of SandboxClaim."""

    namespace: str
    """The warm pool's namespace."""
    pool: pulumi.Input[str]
    """The name of the SandboxWarmPool."""
    shutdown_time: NotRequired[str]
    """When the sandbox ends, as an RFC 3339 time in UTC (2027-01-31T12:00:00Z). Default never."""
    shutdown_policy: NotRequired[str]
    """What becomes of the claim then: `Retain`, `Delete` or `DeleteForeground`. Default Retain, upstream's."""
    ttl_seconds_after_finished: NotRequired[int]
    """Seconds after which a finished claim is deleted. Default never."""


class SandboxClaim(pulumi.ComponentResource):
    """A claim, of the component's own name. An update ends when its sandbox is ready."""

    sandbox_name: pulumi.Output[str]
    """The name of the sandbox that it got."""

    def __init__(self, name: str, args: SandboxClaimArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError for wrong arguments."""
        require_valid(SandboxClaimArgs, name, args)
        super().__init__("agent-sandbox:index:SandboxClaim", name, {**args}, opts)
        lifecycle: dict[str, Any] = {
            field: args[argument]  # type: ignore[literal-required]  # the keys of the table below
            for argument, field in _LIFECYCLE.items()
            if argument in args
        }
        manifest = {
            "apiVersion": EXTENSIONS_API,
            "kind": "SandboxClaim",
            "metadata": {
                "name": name,
                "namespace": args["namespace"],
                "labels": MANAGED_BY,
                "annotations": wait_for("condition=Ready"),
            },
            "spec": {"warmPoolRef": {"name": args["pool"]}, **({"lifecycle": lifecycle} if lifecycle else {})},
        }
        claim = KubernetesObject(f"{name}-claim", manifest, pulumi.ResourceOptions(parent=self))
        self.sandbox_name = claim.status.apply(lambda status: (status or {}).get("sandbox", {}).get("name", ""))
        self.register_outputs({"sandbox_name": self.sandbox_name})


_LIFECYCLE = {
    "shutdown_time": "shutdownTime",
    "shutdown_policy": "shutdownPolicy",
    "ttl_seconds_after_finished": "ttlSecondsAfterFinished",
}
