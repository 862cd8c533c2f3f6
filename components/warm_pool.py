"""A SandboxWarmPool: sandboxes of a template, made in advance, that a claim takes in a moment.

Its size is fixed by the program, or moved by a HorizontalPodAutoscaler that belongs to the pool; then
the program leaves it alone.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NotRequired, TypedDict

import pulumi

from components._arguments import arguments, require_valid
from components._checks import between, dns_label, one_of
from components._formats import quantity
from components._kubernetes import EXTENSIONS_API, MANAGED_BY, KubernetesObject, Manifest, wait_for

MOST = 10_000
CLAIMS = "prometheus.googleapis.com|agent_sandbox_claim_creation_total|counter"


def _one_target(values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    given = [field for field in ("value", "average_value") if field in values]
    if len(given) != 1:
        remedy = "The autoscaler needs exactly one target. Give the metric's own value, or its value a sandbox."
        yield "value", "is given, nor an average value" if not given else "is given beside an average value", remedy


@arguments(together=_one_target, value=quantity, average_value=quantity)
class MetricArgs(TypedDict):
    """An external metric, as the cluster's metrics adapter serves it."""

    name: str
    """The metric's name."""
    labels: NotRequired[dict[str, str]]
    """The labels by which its series are chosen. Default all of them."""
    value: NotRequired[str]
    """The metric's target: the pool grows in proportion while the metric is above it. A Kubernetes quantity."""
    average_value: NotRequired[str]
    """The metric's target for each sandbox of the pool: the pool is as large as the metric divided by it. A
    Kubernetes quantity."""


def _bounds(values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    if values["min_replicas"] > values["max_replicas"]:
        yield "min_replicas", f"is above max_replicas, {values['max_replicas']}", "Nothing lies between. Lower it."


_MANY = "Each holds its CPU and memory request the whole time."


@arguments(
    together=_bounds,
    min_replicas=between(
        1, MOST, "A pool that is scaled to 0 would never be scaled up again: give replicas: 0 instead."
    ),
    max_replicas=between(1, MOST, _MANY),
    scale_down_seconds=between(0, 3600, "The API server would refuse it."),
)
class AutoscalingArgs(TypedDict):
    """How an autoscaler moves a warm pool's size."""

    min_replicas: int
    """Sandboxes that are always kept ready; the size that the pool starts with."""
    max_replicas: int
    """The most sandboxes that are kept ready, and so the most that the pool costs."""
    metric: NotRequired[MetricArgs]
    """What moves it. Default 0.5 new claims a second on this pool, of GKE's managed Prometheus, as in upstream's
    example."""
    scale_down_seconds: NotRequired[int]
    """Seconds for which a smaller size must have been enough before the pool shrinks. Default 300, Kubernetes'."""


def _one_size(values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    if "replicas" in values and "autoscaling" in values:
        remedy = "The program and the autoscaler would undo each other's size. Remove one of the two."
        yield "replicas", "is given beside autoscaling", remedy


@arguments(
    together=_one_size,
    namespace=dns_label,
    replicas=between(0, MOST, _MANY),
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
    autoscaling: NotRequired[AutoscalingArgs]
    """Lets an autoscaler choose the size in place of `replicas`. Taken away again, it may move the pool once more
    before it is gone; `pulumi up --refresh` then puts `replicas` right. Default none."""
    update_strategy: NotRequired[str]
    """When stock follows a changed template: `OnReplenish`, as it is taken, or `Recreate`, at once. Default
    OnReplenish, upstream's."""


class SandboxWarmPool(pulumi.ComponentResource):
    """A warm pool, of the component's own name. An update ends when the pool is full, or has begun to fill where an
    autoscaler decides what full is.
    """

    pool_name: pulumi.Output[str]
    """The pool's name, for a claim; known once the update has ended."""

    def __init__(self, name: str, args: SandboxWarmPoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError for wrong arguments."""
        require_valid(SandboxWarmPoolArgs, name, args)
        super().__init__("agent-sandbox:index:SandboxWarmPool", name, {**args}, opts)
        options = pulumi.ResourceOptions(parent=self)
        autoscaling = args.get("autoscaling")
        if autoscaling:
            options.ignore_changes = ["spec.replicas"]  # the autoscaler's, once it has set it
        pool = KubernetesObject(f"{name}-pool", _pool(name, args), options)
        if autoscaling:
            after = pulumi.ResourceOptions(parent=self, depends_on=[pool])
            KubernetesObject(f"{name}-autoscaler", _autoscaler(name, args["namespace"], autoscaling), after)
        self.pool_name = pool.id.apply(lambda _: name)
        self.register_outputs({"pool_name": self.pool_name})


def _pool(name: str, args: SandboxWarmPoolArgs) -> Manifest:
    autoscaling = args.get("autoscaling")
    replicas = autoscaling["min_replicas"] if autoscaling else args.get("replicas", 1)
    annotations = {} if autoscaling else {"pulumi.com/patchForce": "true"}  # takes the size back from an autoscaler
    if autoscaling:
        annotations |= wait_for("jsonpath={.status.readyReplicas}")
    elif replicas:
        annotations |= wait_for(f"jsonpath={{.status.readyReplicas}}={replicas}")
    return {
        "apiVersion": EXTENSIONS_API,
        "kind": "SandboxWarmPool",
        "metadata": {
            "name": name,
            "namespace": args["namespace"],
            "labels": MANAGED_BY,
            "annotations": annotations,
        },
        "spec": {
            "replicas": replicas,
            "sandboxTemplateRef": {"name": args["template"]},
            "updateStrategy": {"type": args.get("update_strategy", "OnReplenish")},
        },
    }


def _autoscaler(name: str, namespace: str, autoscaling: AutoscalingArgs) -> Manifest:
    metric = autoscaling.get("metric") or MetricArgs(
        name=CLAIMS, labels={"metric.labels.warmpool_name": name}, value="0.5"
    )
    target = (
        {"type": "Value", "value": metric["value"]}
        if "value" in metric
        else {"type": "AverageValue", "averageValue": metric["average_value"]}
    )
    selector = {"selector": {"matchLabels": metric["labels"]}} if "labels" in metric else {}
    external = {"metric": {"name": metric["name"], **selector}, "target": target}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "namespace": namespace, "labels": MANAGED_BY},
        "spec": {
            "scaleTargetRef": {"apiVersion": EXTENSIONS_API, "kind": "SandboxWarmPool", "name": name},
            "minReplicas": autoscaling["min_replicas"],
            "maxReplicas": autoscaling["max_replicas"],
            "metrics": [{"type": "External", "external": external}],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": autoscaling.get("scale_down_seconds", 300)}},
        },
    }
