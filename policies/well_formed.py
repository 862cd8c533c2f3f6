"""Whether a workload can be judged at all: what is written in the wrong type hides from every other rule."""

from collections.abc import Iterator

from policies.controls import Hit, Parameters, Topic, untold
from policies.objects import Object
from policies.pods import pods
from policies.values import UNKNOWN
from policies.workloads import PARAMETERS

TOPIC = Topic(
    "well-formed",
    "Workloads are written so that they can be judged",
    "objects",
    types=("kubernetes:",),
    url="https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/",
    parameters=PARAMETERS,
)


@TOPIC.control(
    "malformed",
    severity="high",
    risk="The API server refuses it or reads something else than is written, and no rule sees what is meant.",
    fix="Write the field as the API reference has it.",
)
def malformed(one: Object, parameters: Parameters) -> Iterator[Hit]:
    """Every field that a rule looks at is of the type that the Kubernetes API gives it."""
    if one.kind.endswith("List") and "items" in one.data:  # one that could not be taken apart
        items = one.data["items"]
        if items is UNKNOWN or (isinstance(items, list) and UNKNOWN in items):
            yield untold("items")
        elif items is not None:
            yield Hit("items", "is not a list of objects")
    for pod in pods(one, parameters.get("podTemplates", ())):
        yield from pod.malformed
        if pod.spec is UNKNOWN:
            yield untold(pod.at() if pod.path else "spec")


@TOPIC.control(
    "duplicateKeys",
    severity="high",
    risk="Readers disagree about which of the two holds, so what was reviewed may not be what is deployed.",
    fix="Keep one of the two.",
)
def duplicate_keys(one: Object, parameters: Parameters) -> Iterator[Hit]:
    """No key is written twice in the same map of a file."""
    del parameters
    duplicates: dict[str, list[str]] = getattr(one.source, "duplicates", {})
    for path in duplicates.get(one.path, ()):
        yield Hit(path, "is written twice in the same map")


@TOPIC.control(
    "opaqueRelease",
    severity="medium",
    risk="Whatever the chart deploys is judged by nobody.",
    fix="Use a helm.sh/v4 Chart, whose objects are registered one by one, or check what the chart renders.",
    kinds=("Release",),
)
def opaque_release(one: Object, parameters: Parameters) -> Iterator[Hit]:
    """No Helm Release hides its objects from the engine."""
    del parameters
    if one.type.startswith("kubernetes:helm.sh/v3:"):
        yield Hit("chart", "registers none of the objects that it deploys, so they cannot be judged", undecided=True)
