"""API Priority and Fairness for the controller: its own seats at the API server, and no more than these.

Without it the controller shares the level workload-low with every other service account: their storm
delays claims, and a storm of claims delays them. Three classes, as upstream's example has them: what a
waiting claim needs, the rest of the controller's work, and events, which may be lost.
"""

from typing import Any, NotRequired, TypedDict

from components._arguments import arguments
from components._checks import between
from components._kubernetes import MANAGED_BY, SYSTEM_NAMESPACE, Manifest

API = "flowcontrol.apiserver.k8s.io/v1"
CRITICAL, BULK, EVENTS = "agent-sandbox-critical", "agent-sandbox-bulk", "agent-sandbox-events"
_SHARES = "Kubernetes' own levels have 5 to 100 shares, 245 together."


@arguments(critical_shares=between(1, 1000, _SHARES), bulk_shares=between(1, 1000, _SHARES))
class ApiFairnessArgs(TypedDict):
    """The controller's part of what the API server does at a time, in shares."""

    critical_shares: NotRequired[int]
    """For the writes that a waiting claim needs; never lent to others. Default 40, upstream's example's: about an
    eighth of all seats, 77 of 600 with the API server's defaults."""
    bulk_shares: NotRequired[int]
    """For filling pools, watches and all else; three quarters are lent to others while they are idle, and no more
    than as much again is borrowed. Default 25, upstream's example's."""


def fairness(args: ApiFairnessArgs, account: str) -> list[Manifest]:
    """The levels and the schemas that put the service account `account`'s requests into them."""
    critical = {"nominalConcurrencyShares": args.get("critical_shares", 40), "lendablePercent": 0}
    # Upstream leaves borrowing unbounded; bounded, a storm of claims cannot take what everybody lends.
    bulk = {
        "nominalConcurrencyShares": args.get("bulk_shares", 25),
        "lendablePercent": 75,
        "borrowingLimitPercent": 100,
    }
    return [
        _level(CRITICAL, critical),
        _level(BULK, bulk),
        _schema(CRITICAL, CRITICAL, 900, account, _critical_rules()),
        _schema(EVENTS, "workload-low", 950, account, [_rule(["", "events.k8s.io"], ["events"], ["*"])]),
        _schema(BULK, BULK, 1000, account, [_rule(["*"], ["*"], ["*"])], other_paths=True),
    ]


def _critical_rules() -> list[dict[str, Any]]:
    """Writes only: a list or a watch in this level would fill the seats that claims wait for."""
    write = ["update", "patch"]
    return [
        _rule(["extensions.agents.x-k8s.io"], ["sandboxclaims", "sandboxclaims/status"], write),
        _rule(["agents.x-k8s.io"], ["sandboxes", "sandboxes/status", "sandboxes/finalizers"], write),
        _rule([""], ["pods"], write),
        _rule(["coordination.k8s.io"], ["leases"], ["get", "create", "update"]),
    ]


def _rule(groups: list[str], resources: list[str], verbs: list[str]) -> dict[str, Any]:
    return {
        "apiGroups": groups,
        "resources": resources,
        "verbs": verbs,
        "clusterScope": True,
        "namespaces": ["*"],
    }


def _level(name: str, limited: dict[str, Any]) -> Manifest:
    queuing = {"queues": 16, "handSize": 4, "queueLengthLimit": 100}  # upstream's example's
    limited = {**limited, "limitResponse": {"type": "Queue", "queuing": queuing}}
    metadata = {"name": name, "labels": MANAGED_BY}
    spec = {"type": "Limited", "limited": limited}
    return {"apiVersion": API, "kind": "PriorityLevelConfiguration", "metadata": metadata, "spec": spec}


def _schema(
    name: str, level: str, precedence: int, account: str, resources: list[dict[str, Any]], other_paths: bool = False
) -> Manifest:
    subject = {"kind": "ServiceAccount", "serviceAccount": {"name": account, "namespace": SYSTEM_NAMESPACE}}
    rule: dict[str, Any] = {"subjects": [subject], "resourceRules": resources}
    if other_paths:
        rule["nonResourceRules"] = [{"nonResourceURLs": ["*"], "verbs": ["*"]}]
    return {
        "apiVersion": API,
        "kind": "FlowSchema",
        "metadata": {"name": name, "labels": MANAGED_BY},
        "spec": {
            "priorityLevelConfiguration": {"name": level},
            "matchingPrecedence": precedence,  # the lower is asked first; Kubernetes' service-accounts has 9000
            "distinguisherMethod": {"type": "ByUser"},
            "rules": [rule],
        },
    }
