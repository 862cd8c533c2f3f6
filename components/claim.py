"""A SandboxClaim: takes one sandbox from a warm pool and keeps it as long as the claim exists.

For sandboxes that belong to the stack. Applications claim theirs at run time, through the client.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NotRequired, TypedDict

import pulumi

from components._arguments import arguments, require_valid
from components._blueprint import VolumeClaimArgs
from components._checks import between, dns_label, dns_labels, environment, one_of, pod_metadata
from components._formats import timestamp
from components._kubernetes import EXTENSIONS_API, MANAGED_BY, KubernetesObject, wait_for
from components._pods import claim_template

SYSTEM_DOMAINS = ("kubernetes.io", "k8s.io")


def pod_labels(value: dict[str, Any]) -> tuple[str, str] | None:
    """Labels that the controller lets a claim put on its pod: none that could be a policy's."""
    for key in value:
        if "/" not in key:
            remedy = "It could choose policies that were not meant for it, so the controller refuses the claim."
            return f"holds {key}, which has no domain", f"{remedy} Write it as sandbox.users.io/{key}."
    return pod_annotations(value)


def pod_annotations(value: dict[str, Any]) -> tuple[str, str] | None:
    """Annotations that the controller lets a claim put on its pod."""
    for key in value:
        domain = key.partition("/")[0] if "/" in key else ""
        if any(domain == each or domain.endswith(f".{each}") for each in SYSTEM_DOMAINS):
            if domain == "cluster-autoscaler.kubernetes.io":
                continue
            remedy = "The controller would refuse the claim. Use a domain of your own."
            return f"holds {key}, which belongs to the system", remedy
    return pod_metadata(value)


def _lifecycle_agrees(values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    ends = ("shutdown_time", "ttl_seconds_after_finished")
    if "shutdown_policy" in values and not any(field in values for field in ends):
        remedy = "It would have no effect, as nothing ends the claim. Add a shutdown time or a TTL, or remove it."
        yield "shutdown_policy", "is given without an end", remedy


@arguments(
    together=_lifecycle_agrees,
    namespace=dns_label,
    shutdown_time=timestamp,
    shutdown_policy=one_of(("Retain", "Delete", "DeleteForeground"), "It says what becomes of an ended claim."),
    ttl_seconds_after_finished=between(0, 2**31 - 1, "The API server would refuse it."),
    env=environment,
    volume_claims=dns_labels,
    labels=pod_labels,
    annotations=pod_annotations,
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
    """What becomes of the claim then: `Retain`, `Delete` or `DeleteForeground`, which leaves it until its sandbox is
    gone. Default Retain, upstream's."""
    ttl_seconds_after_finished: NotRequired[int]
    """Seconds after which a finished claim is deleted. Default never."""
    labels: NotRequired[dict[str, pulumi.Input[str]]]
    """Labels for its pod, under sandbox.users.io/ unless the controller allows other domains. Default none."""
    annotations: NotRequired[dict[str, pulumi.Input[str]]]
    """Annotations for its pod. Default none."""
    env: NotRequired[dict[str, pulumi.Input[str]]]
    """Environment variables, if the template's env_vars_injection_policy allows them. The sandbox then starts cold.
    Default none."""
    volume_claims: NotRequired[dict[str, VolumeClaimArgs]]
    """Volumes by name, if the template's volume_claim_templates_policy allows them; its pod spec mounts them. The
    sandbox then starts cold. Default none."""


class SandboxClaim(pulumi.ComponentResource):
    """A claim, of the component's own name. An update ends when its sandbox is ready."""

    sandbox_name: pulumi.Output[str]
    """The name of the sandbox that it got."""

    def __init__(self, name: str, args: SandboxClaimArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError for wrong arguments."""
        require_valid(SandboxClaimArgs, name, args)
        super().__init__("agent-sandbox:index:SandboxClaim", name, {**args}, opts)
        manifest = {
            "apiVersion": EXTENSIONS_API,
            "kind": "SandboxClaim",
            "metadata": {
                "name": name,
                "namespace": args["namespace"],
                "labels": MANAGED_BY,
                "annotations": wait_for("condition=Ready"),
            },
            "spec": _spec(args),
        }
        claim = KubernetesObject(f"{name}-claim", manifest, pulumi.ResourceOptions(parent=self))
        self.sandbox_name = claim.status.apply(lambda status: (status or {}).get("sandbox", {}).get("name", ""))
        self.register_outputs({"sandbox_name": self.sandbox_name})


def _spec(args: SandboxClaimArgs) -> dict[str, Any]:
    given: Mapping[str, Any] = args
    spec: dict[str, Any] = {"warmPoolRef": {"name": args["pool"]}}
    if lifecycle := {field: given[argument] for argument, field in _LIFECYCLE.items() if argument in given}:
        spec["lifecycle"] = lifecycle
    if metadata := {field: given[field] for field in ("labels", "annotations") if field in given}:
        spec["additionalPodMetadata"] = metadata
    if env := args.get("env"):
        spec["env"] = [{"name": key, "value": value} for key, value in env.items()]
    if claims := args.get("volume_claims"):
        spec["volumeClaimTemplates"] = [claim_template(name, each) for name, each in claims.items()]
    return spec


_LIFECYCLE = {
    "shutdown_time": "shutdownTime",
    "shutdown_policy": "shutdownPolicy",
    "ttl_seconds_after_finished": "ttlSecondsAfterFinished",
}
