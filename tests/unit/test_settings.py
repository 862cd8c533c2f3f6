"""Settings: a wrong stack file is refused as a whole, with all that is wrong in it, before anything else."""

from pathlib import Path
from typing import Any

import pytest
import yaml

import releases
import settings
from components._arguments import camel_case
from local import commands
from local.paths import CHECKOUT

IMAGE = "registry.example/python:v1"
GOOD: dict[str, Any] = {
    "templates": {"python": {"image": IMAGE}},
    "warmPools": {"python": {"template": "python", "replicas": 2}},
}

WRONG: list[tuple[dict[str, Any], str]] = [
    # keys
    ({"warmPool": {}}, 'agent-sandbox:warmPool: "warmPool" is not a key that is known here'),
    ({"templats": {}}, "Did you mean templates?"),
    ({"controller": {"replica": 2}}, "agent-sandbox:controller.replica:"),
    ({"router": {"authoriser": "tokenreview"}}, "Did you mean authorizer?"),
    ({"templates": {"python": {"image": IMAGE, "imagee": "x"}}}, "agent-sandbox:templates.python.imagee:"),
    ({"warmPools": {"python": {"template": "python", "size": 3}}}, "agent-sandbox:warmPools.python.size:"),
    # types
    ({"templates": "python"}, 'agent-sandbox:templates: "python" is not a map'),
    ({"templates": {"python": IMAGE}}, "agent-sandbox:templates.python:"),
    ({"templates": {"python": {"image": 7}}}, "agent-sandbox:templates.python.image: 7 is not a text"),
    ({"warmPools": {"python": {"template": "python", "replicas": "2"}}}, 'replicas: "2" is not a whole number'),
    ({"warmPools": {"python": {"template": "python", "replicas": 1.5}}}, "replicas: 1.5 is not a whole number"),
    ({"templates": {"python": {"image": IMAGE, "readOnlyRoot": "yes"}}}, "readOnlyRoot:"),
    ({"templates": {"python": {"image": IMAGE, "env": ["A=b"]}}}, "agent-sandbox:templates.python.env:"),
    ({"templates": {"python": {"image": IMAGE, "env": {"A": 1}}}}, "agent-sandbox:templates.python.env.A: 1"),
    # values
    ({"target": "locl"}, 'agent-sandbox:target: "locl" is not one of the choices'),
    ({"namespace": "Sandboxes"}, "is not a name that Kubernetes takes"),
    ({"target": "existing", "context": ""}, "agent-sandbox:context: nothing is given"),
    ({"target": "existing"}, "agent-sandbox:context: nothing is given, though the target is an existing cluster"),
    ({"templates": {"python": {"image": "python"}}}, "has neither a tag nor a digest"),
    ({"templates": {"python": {"image": "python:latest"}}}, "has a tag that moves"),
    ({"templates": {"python": {"image": "two words:v1"}}}, "is not an image reference"),
    ({"templates": {"python": {"image": IMAGE, "runtime": "gVisor"}}}, "Did you mean gvisor?"),
    ({"templates": {"python": {"image": IMAGE, "runtime": "runc"}}}, "unsafe-runc"),
    ({"templates": {"python": {"image": IMAGE, "port": 0}}}, "port: 0 is not between 1 and 65535"),
    ({"templates": {"python": {"image": IMAGE, "user": 0}}}, "User 0 is root"),
    ({"templates": {"python": {"image": IMAGE, "limits": {"memory": "1GB"}}}}, "holds memory: 1GB"),
    ({"warmPools": {"python": {"template": "python", "replicas": -1}}}, "replicas: -1 is not between 0 and 10000"),
    ({"warmPools": {"python": {"template": "python", "replicas": 50000}}}, "Each holds its CPU and memory"),
    ({"warmPools": {"python": {"template": "python", "updateStrategy": "Rolling"}}}, "updateStrategy:"),
    ({"controller": {"replicas": 0}}, "agent-sandbox:controller.replicas: 0 is not between 1 and 5"),
    ({"router": {"replicas": 1}}, "One router is an outage"),
    ({"router": {"proxyTimeout": "180"}}, "is not a duration"),
    ({"router": {"authorizer": "allow-all"}}, "unsafe-allow-all"),
    ({"claims": {"c": {"pool": "python", "shutdownTime": "tomorrow"}}}, "is not a time with a time zone"),
    # references
    ({"warmPools": {"python": {"template": "pyhton"}}}, "The pool would never fill."),
    ({"warmPools": {"python": {}}}, "agent-sandbox:warmPools.python.template: nothing is given"),
    ({"claims": {"c": {"pool": "pyton"}}}, "The claim would never be bound."),
    ({"templates": {"python": {"image": IMAGE, "namespace": "nowhere"}}}, "There would be nowhere to put it."),
    ({"namespaces": {"other": {}}, "warmPools": {"p": {"template": "python", "namespace": "other"}}}, "Leave it out."),
    ({"access": {"app": {"namespace": "sandboxes"}}}, "is one of the sandboxes'"),
    ({"access": {"app": {"namespace": "a", "sandboxNamespaces": ["sandboxs"]}}}, "Did you mean sandboxes?"),
    # keys of the components behind them, at any depth
    ({"namespaces": {"sandboxes": {"quotas": {}}}}, "Did you mean quota?"),
    ({"sandboxes": {"s": {"image": IMAGE, "suspended": 1}}}, "agent-sandbox:sandboxes.s.suspended: 1"),
    (
        {"templates": {"python": {"image": IMAGE, "egress": {"privateCidrs": [{"cidr": "fe80::/64"}]}}}},
        "agent-sandbox:templates.python.egress.privateCidrs[0].cidr: ",
    ),
    (
        {"templates": {"python": {"pod": {"containers": [{"name": "a", "image": IMAGE}], "hostPID": True}}}},
        "agent-sandbox:templates.python.pod.hostPID: true",
    ),
    ({"admission": {"rules": {"enforcement": "off"}}}, "agent-sandbox:admission.rules.enforcement: "),
    # the controller's source
    ({"controller": {"release": "v9.9.9"}}, "is not pinned in releases.toml"),
    ({"controller": {"source": "managed", "release": "v0.5.6"}}, "Both would own the same CRDs."),
    ({"controller": {"source": "managed", "manifest": "x.yaml"}}, "though the source is managed"),
    (
        {"controller": {"release": "v0.5.6", "manifest": "x.yaml", "sha256": "0" * 64, "image": IMAGE}},
        "two releases at once",
    ),
    ({"controller": {"manifest": "x.yaml", "image": IMAGE}}, "agent-sandbox:controller.sha256: nothing is given"),
]


@pytest.mark.parametrize(("wrong", "expected"), WRONG, ids=[text[:50] for _, text in WRONG])
def test_a_wrong_stack_file_is_refused_with_its_reason(wrong: dict[str, Any], expected: str) -> None:
    with pytest.raises(settings.SettingsError) as raised:
        settings.parse({**GOOD, **wrong})
    assert expected in str(raised.value)


def test_all_problems_come_in_one_report() -> None:
    with pytest.raises(settings.SettingsError) as raised:
        settings.parse({"target": "locl", "templates": {"p": {"image": "x"}}, "warmPools": {"w": {"template": "q"}}})
    assert str(raised.value).startswith("The stack file has 3 problems; nothing was changed.")


def test_a_problem_reads_key_value_consequence_and_fix() -> None:
    with pytest.raises(settings.SettingsError) as raised:
        settings.parse({**GOOD, "warmPools": {"python": {"template": "pyhton"}}})
    (problem,) = raised.value.problems
    assert str(problem) == (
        'agent-sandbox:warmPools.python.template: "pyhton" is not one of the templates.\n'
        "  The pool would never fill. Correct the name, or add it under agent-sandbox:templates."
        " Did you mean python? There are: python."
    )


def test_what_is_left_out_comes_from_the_default_release_and_the_stack() -> None:
    parsed = settings.parse(GOOD)
    release = releases.default()
    assert parsed.controller["sha256"] == release.sha256
    assert parsed.controller["image"] == release.controller_image
    assert parsed.router["image"] == release.router_image
    assert parsed.templates["python"]["namespace"] == parsed.namespace == "sandboxes"
    assert parsed.warm_pools["python"] == {"namespace": "sandboxes", "template": "python", "replicas": 2}


def test_an_entry_lives_where_that_one_lives_which_it_names() -> None:
    elsewhere = {
        "namespaces": {"team": {}},
        "templates": {"python": {"image": IMAGE, "namespace": "team"}},
        "claims": {"c": {"pool": "python"}},
        "admission": {"rules": {}},
        "access": {"app": {"namespace": "apps"}},
    }
    parsed = settings.parse({**GOOD, **elsewhere})
    assert set(parsed.namespaces) == {"sandboxes", "team"}
    assert parsed.warm_pools["python"]["namespace"] == parsed.claims["c"]["namespace"] == "team"
    assert parsed.admission["rules"]["namespaces"] == ["sandboxes", "team"]
    assert parsed.access["app"]["sandbox_namespaces"] == ["sandboxes"]


def test_gateway_and_observability_are_there_where_they_are_asked_for() -> None:
    assert settings.parse(GOOD).gateway is None
    assert settings.parse({**GOOD, "gateway": {}, "observability": {}}).observability is None


def test_the_gateway_knows_what_the_router_was_told_and_the_router_lets_its_load_balancer_in() -> None:
    router = {"proxyTimeout": "10m", "tls": {"secret": "c"}}
    gateway = {"exposure": "external", "tls": {"certificateMap": "m"}}
    existing = {"target": "existing", "context": "c"}
    parsed = settings.parse({**GOOD, **existing, "router": router, "gateway": gateway})
    assert parsed.gateway is not None
    assert parsed.gateway["router_timeout"] == "10m"
    assert parsed.gateway["router_tls"] is True
    assert "await_address" not in parsed.gateway
    assert parsed.router["load_balancers"] == ["130.211.0.0/22", "35.191.0.0/16"]
    local = settings.parse({**GOOD, "gateway": gateway}).gateway
    assert local is not None
    assert local["await_address"] is False, "nobody gives a simulated cluster an address"


def test_a_regional_gateway_asks_for_the_subnet_of_its_proxies() -> None:
    with pytest.raises(settings.SettingsError, match="which the router's network policy would drop"):
        settings.parse({**GOOD, "gateway": {"exposure": "internal"}})
    ranges = ["130.211.0.0/22", "35.191.0.0/16", "10.9.0.0/23"]
    settings.parse({**GOOD, "gateway": {"exposure": "internal"}, "router": {"loadBalancers": ranges}})


def test_alerts_know_the_stacks_pools() -> None:
    pools = {"python": {"template": "python", "replicas": 7}, "cold": {"template": "python", "replicas": 0}}
    parsed = settings.parse({**GOOD, "warmPools": pools, "observability": {"collector": "google"}})
    assert parsed.observability is not None
    assert parsed.observability["pools"] == [{"namespace": "sandboxes", "template": "python", "replicas": 7}]


def test_the_router_has_the_controllers_priority() -> None:
    assert settings.parse(GOOD).router["priority_class"] == "agent-sandbox-system"
    own = settings.parse({**GOOD, "controller": {"priorityClass": "platform"}})
    assert own.router["priority_class"] == own.controller["priority_class"] == "platform"
    assert "priority_class" not in settings.parse({**GOOD, "controller": {"source": "managed"}}).router


def test_an_own_manifest_takes_the_place_of_a_release() -> None:
    own = {"manifest": "own.yaml", "sha256": "0" * 64, "image": IMAGE}
    assert settings.parse({**GOOD, "controller": own}).controller == own


def test_the_managed_source_installs_nothing_of_upstream() -> None:
    assert settings.parse({**GOOD, "controller": {"source": "managed"}}).controller == {"source": "managed"}


@pytest.mark.parametrize("file", sorted(CHECKOUT.glob("Pulumi.*.yaml")), ids=lambda file: file.name)
def test_every_stack_file_in_the_project_is_right(file: Path) -> None:
    settings.read(file)


def test_pulumi_yaml_declares_every_key_with_type_default_and_description() -> None:
    declared = yaml.safe_load((CHECKOUT / "Pulumi.yaml").read_text())["config"]
    assert set(declared) == {camel_case(name) for name in settings.StackFile.__annotations__}
    for name, entry in declared.items():
        said = {"type", "default", "description"} | ({"items"} if entry["type"] == "array" else set())
        assert set(entry) == said, name


def test_the_defaults_of_pulumi_yaml_are_right_by_themselves() -> None:
    declared = yaml.safe_load((CHECKOUT / "Pulumi.yaml").read_text())["config"]
    assert settings.parse({name: entry["default"] for name, entry in declared.items()}) == settings.parse({})


def test_secrets_in_a_stack_file_are_neither_needed_nor_shown(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.test.yaml"
    env = {"TOKEN": {"secure": "CCC"}}
    template = {"image": {"secure": "AAABBB"}, "env": env}
    file.write_text(yaml.safe_dump({"config": {"agent-sandbox:templates": {"python": template}}}))
    with pytest.raises(settings.SettingsError) as raised:
        settings.read(file)  # the image cannot be judged while it is closed, so it is refused
    assert "AAABBB" not in str(raised.value)


def test_the_command_refuses_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state"
    monkeypatch.setenv("AGENT_SANDBOX_STATE", str(state))
    file = tmp_path / "Pulumi.bad.yaml"
    file.write_text("config:\n  agent-sandbox:target: moon\n")
    assert commands.main(["up", "--config-file", str(file)]) == 1
    assert 'agent-sandbox:target: "moon"' in capsys.readouterr().err
    assert not state.exists()
