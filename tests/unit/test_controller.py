"""The controller: upstream's release is trusted only with its checksum, and never installed as it comes."""

import copy
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from components import AgentSandboxController, AgentSandboxControllerArgs, ArgumentError, ManifestError, _upstream
from local.differences import differences
from tests.layouts import without_webhook


def hardened(release: AgentSandboxControllerArgs, **changes: Any) -> list[dict[str, Any]]:
    documents = _upstream.load(release["manifest"], release["sha256"])
    return _upstream.harden(documents, _upstream.Changes(**{"image": "registry.example/controller:v1", **changes}))


def of_kind(documents: Sequence[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [document for document in documents if document["kind"] == kind]


def test_a_manifest_with_another_checksum_is_refused(release: AgentSandboxControllerArgs, tmp_path: Path) -> None:
    changed = tmp_path / "changed.yaml"
    changed.write_bytes(Path(release["manifest"]).read_bytes() + b"\n")
    with pytest.raises(ManifestError, match="not the expected"):
        _upstream.load(str(changed), release["sha256"])


def test_a_manifest_that_is_not_there_is_named() -> None:
    with pytest.raises(ManifestError, match="cannot be read from /nowhere"):
        _upstream.load("/nowhere.yaml", "0" * 64)


def test_of_two_documents_for_one_object_the_later_holds(tmp_path: Path) -> None:
    documents = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}, "data": number} for number in (1, 2)
    ]
    file = tmp_path / "two.yaml"
    file.write_text(yaml.safe_dump_all(documents))
    (kept,) = _upstream.load(str(file), hashlib.sha256(file.read_bytes()).hexdigest())
    assert kept["data"] == 2


def test_the_controller_runs_restricted_probed_and_limited(release: AgentSandboxControllerArgs) -> None:
    resources = {"requests": {"cpu": "1"}}
    (deployment,) = of_kind(hardened(release, resources=resources, replicas=3), "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert deployment["spec"]["replicas"] == 3
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"] == resources
    assert {"startupProbe", "livenessProbe", "readinessProbe"} <= set(container)
    assert container["image"] == "registry.example/controller:v1"


def test_it_keeps_upstreams_flags_leads_by_election_and_serves_no_webhook(release: AgentSandboxControllerArgs) -> None:
    (deployment,) = of_kind(hardened(release, flags=["--api-connections=4"]), "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["--leader-elect=true", "--extensions", "--enable-webhook=false", "--api-connections=4"]
    assert [port["name"] for port in container["ports"]] == ["metrics", "healthz"]


def test_a_release_without_the_webhook_gets_no_flag_of_it(release: AgentSandboxControllerArgs) -> None:
    documents = copy.deepcopy(_upstream.load(release["manifest"], release["sha256"]))
    (deployment,) = of_kind(documents, "Deployment")
    ports = deployment["spec"]["template"]["spec"]["containers"][0]["ports"]
    ports[:] = [port for port in ports if port["name"] != "webhook"]
    (made,) = of_kind(_upstream.harden(documents, _upstream.Changes("a:v1")), "Deployment")
    assert "--enable-webhook=false" not in made["spec"]["template"]["spec"]["containers"][0]["args"]


def test_only_v1beta1_is_served_and_nothing_converts(release: AgentSandboxControllerArgs) -> None:
    crds = of_kind(hardened(release), "CustomResourceDefinition")
    assert len(crds) == 4
    for crd in crds:
        assert [version["name"] for version in crd["spec"]["versions"]] == ["v1beta1"]
        assert crd["spec"]["conversion"] == {"strategy": "None"}


def test_rights_that_only_the_webhook_used_are_gone(release: AgentSandboxControllerArgs) -> None:
    documents = hardened(release)
    granted = {
        (group, resource)
        for role in of_kind(documents, "ClusterRole")
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert not {group for group, _ in granted} & {"apiextensions.k8s.io", "coordination.k8s.io"}
    assert ("", "secrets") not in granted
    roles = of_kind(documents, "Role")
    assert [rule["resources"] for role in roles for rule in role["rules"]] == [["leases"]]
    assert [service["metadata"]["name"] for service in of_kind(documents, "Service")] == ["agent-sandbox-controller"]


def test_upstreams_documents_are_not_changed_in_place(release: AgentSandboxControllerArgs) -> None:
    documents = _upstream.load(release["manifest"], release["sha256"])
    before = copy.deepcopy(documents)
    _upstream.harden(documents, _upstream.Changes("a:v1"))
    assert documents == before


def test_a_manifest_of_another_layout_is_refused_rather_than_half_hardened(
    release: AgentSandboxControllerArgs,
) -> None:
    documents = _upstream.load(release["manifest"], release["sha256"])
    without = [document for document in documents if document["kind"] != "Deployment"]
    with pytest.raises(ManifestError, match="0 objects of kind Deployment"):
        _upstream.harden(without, _upstream.Changes("a:v1"))


def test_the_component_protects_the_controller_and_its_namespace(
    build: Any, release: AgentSandboxControllerArgs
) -> None:
    made = build(lambda: AgentSandboxController("c", release))
    budget = made["c-poddisruptionbudget-agent-sandbox-controller"]
    namespace = made["c-namespace-agent-sandbox-system"]
    assert budget["spec"]["maxUnavailable"] == 1
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert "c-networkpolicy-agent-sandbox-controller" in made
    deployment = made["c-deployment-agent-sandbox-controller"]["spec"]
    assert deployment["replicas"] == 2
    assert deployment["template"]["spec"]["priorityClassName"] == "agent-sandbox-system"


def test_the_managed_source_registers_nothing_but_itself(build: Any) -> None:
    assert list(build(lambda: AgentSandboxController("c", {"source": "managed"}))) == ["c"]


def test_both_sources_at_once_are_refused(build: Any, release: AgentSandboxControllerArgs) -> None:
    both: AgentSandboxControllerArgs = {**release, "source": "managed"}
    with pytest.raises(ArgumentError, match="Both would own the same CRDs"):
        build(lambda: AgentSandboxController("c", both))


def container_of(made: dict[str, Any]) -> dict[str, Any]:
    (container,) = made["c-deployment-agent-sandbox-controller"]["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = container
    return found


def test_a_profile_sets_flags_and_resources_and_single_flags_differ_from_it(
    build: Any, release: AgentSandboxControllerArgs
) -> None:
    args: AgentSandboxControllerArgs = {
        **release,
        "profile": "high-throughput",
        "tuning": {"api_connections": 8, "sandbox_warm_pool_max_refill_rate": 12.5, "enable_warm_pool_eviction": False},
        "extra_args": ["--enable-pprof"],
    }
    container = container_of(build(lambda: AgentSandboxController("c", args)))
    assert {"--api-connections=8", "--separate-watch-connection=true", "--cache-label-selectors=true"} <= set(
        container["args"]
    )
    assert {"--sandbox-warm-pool-max-refill-rate=12.5", "--enable-warm-pool-eviction=false"} <= set(container["args"])
    assert container["args"][-1] == "--enable-pprof"
    assert container["resources"]["limits"] == {"cpu": "4", "memory": "4Gi"}


def test_the_default_profile_is_upstreams_flags(build: Any, release: AgentSandboxControllerArgs) -> None:
    container = container_of(build(lambda: AgentSandboxController("c", release)))
    assert container["args"] == ["--leader-elect=true", "--extensions", "--enable-webhook=false"]


def test_the_image_comes_from_a_mirror_and_by_its_digest(build: Any, release: AgentSandboxControllerArgs) -> None:
    digest = f"sha256:{'b' * 64}"
    args: AgentSandboxControllerArgs = {**release, "image_registry": "mirror.example/agents", "image_digest": digest}
    args["image"] = pulumi.Output.from_input("registry.k8s.io/agent-sandbox/agent-sandbox-controller:v1")
    container = container_of(build(lambda: AgentSandboxController("c", args)))
    assert container["image"] == f"mirror.example/agents/agent-sandbox-controller:v1@{digest}"


def test_traces_have_an_address_and_a_way_out(build: Any, release: AgentSandboxControllerArgs) -> None:
    args: AgentSandboxControllerArgs = {**release, "otlp_endpoint": "http://collector.observability:4317"}
    made = build(lambda: AgentSandboxController("c", args))
    container = container_of(made)
    assert "--enable-tracing=true" in container["args"]
    assert container["env"] == [{"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://collector.observability:4317"}]
    egress = made["c-networkpolicy-agent-sandbox-controller"]["spec"]["egress"]
    assert {"ports": [{"port": 4317, "protocol": "TCP"}]} in egress


def test_fairness_gives_claims_seats_that_nobody_borrows_and_bounds_the_rest(
    build: Any, release: AgentSandboxControllerArgs
) -> None:
    made = build(lambda: AgentSandboxController("c", {**release, "api_fairness": {"critical_shares": 80}}))
    critical = made["c-prioritylevelconfiguration-agent-sandbox-critical"]["spec"]["limited"]
    bulk = made["c-prioritylevelconfiguration-agent-sandbox-bulk"]["spec"]["limited"]
    assert (critical["nominalConcurrencyShares"], critical["lendablePercent"]) == (80, 0)
    assert bulk["borrowingLimitPercent"] == 100
    order = {
        name: made[f"c-flowschema-agent-sandbox-{name}"]["spec"]["matchingPrecedence"] for name in ("critical", "bulk")
    }
    assert order["critical"] < order["bulk"] < 9000


def test_a_priority_class_of_ones_own_takes_the_place_of_the_components(
    build: Any, release: AgentSandboxControllerArgs
) -> None:
    made = build(lambda: AgentSandboxController("c", {**release, "priority_class": "platform"}))
    assert "c-priorityclass-agent-sandbox-system" not in made
    pod = made["c-deployment-agent-sandbox-controller"]["spec"]["template"]["spec"]
    assert pod["priorityClassName"] == "platform"


def test_upstreams_layout_without_webhook_is_hardened_alike(release: AgentSandboxControllerArgs) -> None:
    newer = _upstream.documents(without_webhook(Path(release["manifest"]).read_text()).encode())
    ours, theirs = hardened(release), _upstream.harden(newer, _upstream.Changes("registry.example/controller:v1"))
    assert [str(each) for each in differences(ours, theirs)] == [
        "- spec.template.spec.containers[agent-sandbox-controller].args[]: --enable-webhook=false"
    ]
