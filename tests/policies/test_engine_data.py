"""The pack, fed what the engine feeds it: proxies, unknowns, secrets, floats and nulls."""

from typing import Any

import pytest
from pulumi_policy import ResourceValidationPolicy
from pulumi_policy.proxy import UNKNOWN_BOOLEAN_VALUE, unknown_checking_proxy

from policies.catalog import TOPICS
from policies.configuration import Configuration, names
from policies.controls import Topic
from policies.objects import kubernetes
from policies.pack import policies
from policies.proxies import plain
from policies.testing import Harness, Resource, Result, Secret, Unknown, proxied
from policies.values import UNKNOWN
from policies.waivers import Waivers, load, today
from tests.policies.cases import BARE, CASES, CLUSTER, POD, Configured, Json, changed, manifest, pod, template

DEPLOYMENT = "kubernetes:apps/v1:Deployment"


def harness(**config: Any) -> Harness:
    return Harness(policies(Waivers([], today())), config)


def controls_of(result: Result) -> set[str]:
    return {violation.message.partition(":")[0] for violation in result.violations if violation.policy != "undecided"}


def deployment(spec: Any) -> Json:
    return {"metadata": {"name": "one"}, "spec": {"replicas": 2, "template": {"spec": spec}}}


ONLY_IN_FILES = {"duplicateKeys"}


@pytest.mark.parametrize("name", [name for name in CASES if name not in ONLY_IN_FILES])
def test_the_pack_finds_what_the_rules_find(name: str) -> None:
    topic: Topic = next(topic for topic in TOPICS.values() if name in topic.controls)
    for case in CASES[name][1]:
        given = case.given if isinstance(case, Configured) else case
        parameters = case.parameters if isinstance(case, Configured) else {}
        assert not isinstance(given, str)
        pack = harness(undecided="mandatory", **parameters)
        resources = [
            Resource(each[0], each[2], name=f"r{index}", stack=each[1])
            if isinstance(each, tuple)
            else Resource(kubernetes(each).type, each, name=f"r{index}", stack="prod")
            for index, each in enumerate([given] if isinstance(given, tuple) else given)
        ]
        result = (
            pack.stack(resources)
            if topic.sees == "stack"
            else pack.resource(resources[-1].type, resources[-1].properties, stack=resources[-1].stack)
        )
        if name == "opaqueRelease":
            assert [each.policy for each in result.violations] == ["undecided"]
            continue
        assert controls_of(result) == {name}, result
        assert {(each.policy, each.level) for each in result.violations} == {(topic.name, "mandatory")}
        assert result.aborted == []
        if topic.sees == "stack":
            assert all(each.urn for each in result.violations), "engines up to v3.251 panic without a urn"


UNKNOWNS: list[tuple[str, Any, str]] = [
    ("hostPID", Unknown(bool), "hostNamespaces"),
    ("hostUsers", Unknown(bool), ""),
    ("containers", Unknown(list), "privileged"),
    ("containers/0", Unknown(dict), "privileged"),
    ("containers/0/securityContext", Unknown(dict), "capabilities_restricted"),
    ("containers/0/securityContext/privileged", Unknown(bool), "privileged"),
    ("containers/0/securityContext/capabilities/drop", Unknown(list), "capabilities_restricted"),
    ("containers/0/securityContext/capabilities/drop/0", Unknown(str), "capabilities_restricted"),
    ("containers/0/securityContext/capabilities/add", [Unknown(str)], "capabilities_baseline"),
    ("containers/0/image", Unknown(str), "imagePinned"),
    ("containers/0/ports", [{"hostPort": Unknown(int)}], "hostPorts"),
    ("securityContext/runAsNonRoot", Unknown(bool), "runAsNonRoot"),
    ("securityContext/runAsUser", Unknown(int), "runAsUser"),
    ("securityContext/seccompProfile/type", Unknown(str), "seccompProfile_restricted"),
    ("securityContext/sysctls", [{"name": Unknown(str), "value": "1"}], "sysctls"),
    ("securityContext/appArmorProfile", Unknown(dict), "appArmorProfile"),
    ("volumes", Unknown(list), "hostPathVolumes"),
    ("volumes", [Unknown(dict)], "restrictedVolumes"),
]


@pytest.mark.parametrize(("path", "value", "control"), UNKNOWNS)
def test_an_unknown_is_reported_and_fails_where_that_is_configured(path: str, value: Any, control: str) -> None:
    for level in ("advisory", "mandatory"):
        result = harness(undecided=level).resource(DEPLOYMENT, deployment(changed(POD, path, value)))
        assert result.aborted == [], "touched an unknown, so the engine let everything pass"
        assert controls_of(result) == set()
        assert {(each.policy, each.level) for each in result.violations} <= {("undecided", level)}
        assert control in " ".join(each.message for each in result.violations)
    assert harness(undecided="disabled").resource(DEPLOYMENT, deployment(changed(POD, path, value))).violations == []


def test_an_unknown_pod_leaves_every_control_of_pods_open_in_one_message() -> None:
    result = harness(undecided="mandatory").resource(DEPLOYMENT, {"spec": Unknown(dict)})
    [violation] = result.violations
    for topic in TOPICS.values():
        if topic.sees == "pods":
            assert all(control in violation.message for control in topic.controls)


def test_an_unknown_beside_a_violation_does_not_hide_it() -> None:
    spec = changed(changed(POD, "hostPID", True), "volumes", Unknown(list))
    assert controls_of(harness().resource(DEPLOYMENT, deployment(spec))) == {"hostNamespaces"}


@pytest.mark.parametrize("os", [Unknown(str), "linux"])
def test_an_exemption_that_is_unknown_leaves_open_what_it_would_exempt_from(os: Any) -> None:
    spec = {**changed(POD, "containers/0/securityContext/allowPrivilegeEscalation", None), "os": {"name": os}}
    result = harness().resource(DEPLOYMENT, deployment(spec))
    assert {each.policy for each in result.violations} == {
        "undecided" if isinstance(os, Unknown) else "pod-security-restricted"
    }


def test_unknown_names_in_a_stack_are_reported_not_guessed() -> None:
    pool = manifest("SandboxWarmPool", spec={"replicas": 1, "sandboxTemplateRef": {"name": Unknown()}})
    result = harness(**{"undecided-stack": "mandatory"}).stack(
        [Resource("kubernetes:extensions.agents.x-k8s.io/v1beta1:SandboxWarmPool", pool)]
    )
    assert [(each.policy, each.level) for each in result.violations] == [("undecided-stack", "mandatory")]


def test_a_secret_is_judged_and_never_told() -> None:
    told = "s3cr3t-value"
    spoilt: list[tuple[str, Any]] = [
        ("containers/0/securityContext/capabilities/add", [Secret(told)]),
        ("containers/0/image", Secret(f"{told}:latest")),
        ("securityContext/sysctls", [{"name": Secret(told), "value": "1"}]),
        ("securityContext/seccompProfile", Secret({"type": told})),
        ("securityContext/seLinuxOptions", {"type": Secret(told), "user": Secret(told), "role": told}),
        ("containers/0/livenessProbe", {"httpGet": {"host": Secret(told)}}),
        ("volumes", [{"name": told, "hostPath": Secret({"path": told})}]),
        ("runtimeClassName", Secret(told)),
        ("nodeName", Secret(told)),
        ("hostNetwork", Secret(told)),
        ("containers", Secret(told)),
    ]
    for path, value in spoilt:
        sandbox = changed(BARE, f"spec/podTemplate/spec/{path}", value)
        result = harness().resource("kubernetes:agents.x-k8s.io/v1beta1:Sandbox", sandbox)
        assert result.violations, path
        assert told not in str(result), path
    claim = {"metadata": {"name": "a"}, "spec": {"warmPoolRef": {"name": Secret(told)}}}
    result = harness().stack([Resource("kubernetes:extensions.agents.x-k8s.io/v1beta1:SandboxClaim", claim)])
    assert result.violations
    assert told not in str(result)


REPAIRABLE = {
    "containers": [{"name": "a", "image": "registry.example/a:v1", "env": [{"name": "A", "value": Secret("s")}]}]
}


def test_remediation_repairs_what_is_safe_and_keeps_secrets_and_unknowns() -> None:
    spec = {**REPAIRABLE, "securityContext": {"runAsNonRoot": True}, "nodeName": Unknown()}
    result = harness(**{"pod-security-restricted": "remediate"}).resource(DEPLOYMENT, deployment(spec))
    assert result.violations == []
    assert result.properties is not None
    repaired = result.properties["spec"]["template"]["spec"]
    assert repaired["containers"][0]["env"] == [{"name": "A", "value": Secret("s")}]
    assert repaired["nodeName"] == Unknown(str)
    assert repaired["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert repaired["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }


def test_remediation_gives_a_template_no_token() -> None:
    given = changed(template()[0], "spec/podTemplate/spec/automountServiceAccountToken", None)
    kind = "kubernetes:extensions.agents.x-k8s.io/v1beta1:SandboxTemplate"
    result = harness(**{"sandbox-hardening": "remediate"}).resource(kind, given)
    assert result.violations == []
    assert result.properties is not None
    assert result.properties["spec"]["podTemplate"]["spec"]["automountServiceAccountToken"] is False


@pytest.mark.parametrize(
    "spec",
    [
        {"os": {"name": "windows"}},
        {"containers": [{"securityContext": {"privileged": True}}]},
        {"containers": [{"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}]},
        {"containers": [{"securityContext": {"privileged": Unknown(bool)}}]},
        {"containers": "none"},
        {"containers": [None, "none", {"securityContext": []}]},
        {"securityContext": "none"},
        {
            "containers": [
                {"securityContext": {"capabilities": {"add": "ALL", "drop": {}}, "allowPrivilegeEscalation": []}}
            ]
        },
    ],
)
def test_remediation_leaves_alone_what_admission_would_refuse(spec: Any) -> None:
    result = harness(**{"pod-security-restricted": "remediate"}).resource(DEPLOYMENT, deployment(spec))
    assert "'allowPrivilegeEscalation': False" not in str(result.properties)


def test_every_policy_declares_what_can_be_configured() -> None:
    made = policies(Waivers([], today()))
    assert {policy.name for policy in made} == set(names())
    for policy in made:
        if topic := TOPICS.get(policy.name):
            assert policy.config_schema is not None
            assert set(policy.config_schema.properties) == set(topic.schema())
            assert isinstance(policy, ResourceValidationPolicy) == (topic.sees != "stack")


def test_parameters_and_levels_come_from_the_engines_configuration() -> None:
    given = deployment(changed(POD, "containers/0/image", "registry.example/app:v1"))
    config = {"supply-chain": {"enforcementLevel": "advisory", "allowedRegistries": ["registry.k8s.io/"]}}
    [violation] = harness(**config).resource(DEPLOYMENT, given).violations
    assert (violation.level, violation.message.partition(":")[0]) == ("advisory", "allowedRegistry")
    assert harness(all="disabled").resource(DEPLOYMENT, deployment({"hostPID": True})).violations == []


def test_undecided_fails_by_default_in_continuous_integration_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, level in (("", "advisory"), ("false", "advisory"), ("true", "mandatory")):
        monkeypatch.setenv("CI", value)
        assert Configuration().level("undecided") == level
        result = harness().resource(DEPLOYMENT, {"spec": Unknown(dict)})
        assert [each.level for each in result.violations] == [level]


def test_a_waiver_holds_in_the_engine_for_its_stack_and_fails_when_it_has_run_out(tmp_path: Any) -> None:
    file = tmp_path / "waivers.yaml"
    entry = (
        "waivers: [{control: hostNamespaces, resource: 'Deployment/*/one', "
        "reason: r, owner: o, stack: test, until: %s}]"
    )
    given = deployment(changed(POD, "hostPID", True))
    file.write_text(entry % "2999-01-01")
    pack = Harness(policies(load(file)))
    assert pack.resource(DEPLOYMENT, given).violations == []
    assert controls_of(pack.resource(DEPLOYMENT, given, stack="prod")) == {"hostNamespaces"}
    assert pack.stack([Resource("pulumi:pulumi:Stack", {})]).violations == []
    file.write_text(entry % "2020-01-01")
    pack = Harness(policies(load(file)))
    [violation] = pack.resource(DEPLOYMENT, given).violations
    assert "Its waiver expired on 2020-01-01." in violation.message
    [expired] = pack.stack([Resource("pulumi:pulumi:Stack", {})]).violations
    assert (expired.policy, expired.level) == ("waivers", "mandatory")
    assert expired.urn


def test_other_providers_are_left_alone() -> None:
    assert harness().resource("gcp:storage/bucket:Bucket", {"kind": "Pod", "spec": {"hostPID": True}}).violations == []
    assert harness().resource("gcp:container/cluster:Cluster", CLUSTER).violations == []


def test_proxies_become_plain_data_with_unknowns_marked() -> None:
    assert plain(unknown_checking_proxy({"a": [1.0, {"b": None}], "c": UNKNOWN_BOOLEAN_VALUE})) == {
        "a": [1.0, {"b": None}],
        "c": UNKNOWN,
    }


def test_the_harness_shows_a_naive_rule_the_traps_that_the_engine_has() -> None:
    def naive(args: Any, report: Any) -> None:
        if args.props["spec"]["drop"] == ["ALL"]:
            report("never reached: a proxy equals no list", None)
        if isinstance(args.props["spec"], dict) or isinstance(args.props["spec"]["replicas"], int):
            report("never reached: neither dict nor int", None)
        report(f"the secret is {args.props['spec']['password']}", None)
        report(str(args.props["spec"]["size"]), None)

    policy = ResourceValidationPolicy(name="naive", description="A rule as one writes it first", validate=naive)
    spec = {"drop": ["ALL"], "replicas": 2, "password": Secret("in plain text"), "size": Unknown(int)}
    result = Harness([policy]).resource("example:index:Thing", {"spec": spec})
    assert [each.message for each in result.violations] == ["the secret is in plain text"]
    assert result.aborted == ["naive"]
    assert proxied({"a": None})["a"] is None
    assert pod()[0]["kind"] == "Pod"
