"""What `make check` makes of a preview; that the engine previews is shown by tests/engine."""

from collections import Counter
from types import SimpleNamespace
from typing import Any

from local.check import MOST_SHOWN, Preview, _judge, _observe, comment
from policies.configuration import Configuration
from tests.policies.cases import POD, changed, manifest


def event(op: str, type_: str, inputs: Any, name: str = "one") -> Any:
    new = SimpleNamespace(type=type_, urn=f"urn:pulumi:local::agent-sandbox::{type_}::{name}", inputs=inputs)
    metadata = SimpleNamespace(op=SimpleNamespace(value=op), urn=new.urn, new=new if op != "delete" else None)
    return SimpleNamespace(policy_event=None, resource_pre_event=SimpleNamespace(metadata=metadata))


def preview(*events: Any) -> Preview:
    made = Preview("local")
    for each in events:
        _observe(made, each)
    return _judge(made, Configuration())


def test_a_preview_is_judged_by_what_it_would_deploy() -> None:
    soft = manifest("Pod", spec=changed(POD, "hostPID", True))
    made = preview(
        event("create", "kubernetes:core/v1:Pod", soft),
        event("same", "kubernetes:core/v1:Pod", manifest("Pod", spec=POD), "two"),
        event("delete", "kubernetes:core/v1:Pod", soft, "three"),
        event("create", "pulumi:pulumi:Stack", {}),
    )
    assert made.changes == Counter({"create": 2, "same": 1, "delete": 1})
    assert made.outcome.resources == 2
    [finding] = made.outcome.findings
    assert (finding.control.name, finding.file) == ("hostNamespaces", "Pulumi.local.yaml")


def test_the_comment_says_what_changes_and_what_violates_and_stays_short() -> None:
    soft = manifest("Pod", spec=changed(POD, "hostPID", True))
    one = preview(event("create", "kubernetes:core/v1:Pod", soft))
    text = comment([one, Preview("dev", error="no such stack")])
    assert "| local | 1 create | 1 resource, 1 violation, 0 waived, 0 cannot be told yet. |" in text
    assert "❌ **pod-security-baseline/hostNamespaces** local: `Pod/agents/one`: spec.hostPID is true." in text
    assert "dev could not be previewed" in text
    many = preview(*(event("create", "kubernetes:core/v1:Pod", soft, f"p{i}") for i in range(MOST_SHOWN + 5)))
    assert "... and 5 more in local." in comment([many])


def test_what_an_event_hides_as_secret_is_not_mistaken_for_a_value() -> None:
    hidden = manifest("Pod", spec=changed(POD, "containers/0/image", "[secret]"))
    made = preview(event("create", "kubernetes:core/v1:Pod", hidden))
    assert [each.undecided for each in made.outcome.findings] == [True]
