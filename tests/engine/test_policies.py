"""The policy pack against the API server's own admission, and in Pulumi's real engine."""

import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
import pytest
from pulumi import automation

from local import toolchain
from local.api import Api, ApiError
from local.engine import POLICIES, environment
from policies.catalog import TOPICS
from policies.judge import judge_one
from policies.objects import kubernetes as manifest_object
from tests.engine.conftest import Deployment, eventually
from tests.policies.cases import POD, WRAPPERS, Json, changed
from tests.policies.generated import NEWER_SYSCTLS, Generated, generate, shrink

pytestmark = pytest.mark.engine

core: Any = kubernetes.core.v1
"""Specs here are plain dicts, which the SDK takes but does not type."""

SEED = 20261121
PODS = 3_000
LEVELS = ("baseline", "restricted")

REASONS = {
    "allowPrivilegeEscalation": "allowPrivilegeEscalation != false",
    "appArmorProfile": "forbidden AppArmor profiles?",
    "capabilities_baseline": "non-default capabilities",
    "capabilities_restricted": "unrestricted capabilities",
    "hostNamespaces": "host namespaces",
    "hostPathVolumes": "hostPath volumes",
    "hostPorts": "hostPort",
    "hostProbesAndHostLifecycle": "probe or lifecycle host",
    "privileged": "privileged",
    "procMount": "procMount",
    "restrictedVolumes": "restricted volume types",
    "runAsNonRoot": "runAsNonRoot != true",
    "runAsUser": "runAsUser=0",
    "seLinuxOptions": "seLinuxOptions",
    "seccompProfile": "seccompProfile",
    "sysctls": "forbidden sysctls",
    "windowsHostProcess": "hostProcess",
}
"""What the admission plugin calls a failed check. It reports the checks of a level and of a version together."""

OVERRIDDEN = {
    "restricted": {"capabilities_baseline", "hostPathVolumes"},
}
"""Checks that a stricter one of the same level stands in for."""

Verdict = frozenset[str]


def by_rules(pod: Generated, level: str) -> Verdict:
    """The standard's checks that fail, as the rules of this pack see it."""
    one = manifest_object({"apiVersion": "v1", "kind": "Pod", "metadata": pod.metadata, "spec": pod.spec})
    topics = ["pod-security-baseline", *(["pod-security-restricted"] if level == "restricted" else [])]
    found = {
        finding.control.name for name in topics for finding in judge_one(TOPICS[name], one, {**TOPICS[name].defaults()})
    }
    found = {name.removesuffix("_restricted") if name.startswith("procMount") else name for name in found}
    found = {"seccompProfile" if name.startswith("seccompProfile") else name for name in found}
    return frozenset(found - OVERRIDDEN.get(level, set()))


def by_server(api: Api, pod: Generated, level: str) -> Verdict | None:
    """The checks that fail, as the admission plugin sees it; None where the pod is invalid in itself."""
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "judged", **pod.metadata}, "spec": pod.spec}
    try:
        api.create(f"/api/v1/namespaces/judged-{level}/pods", body, dryRun="All")
    except ApiError as error:
        text = str(error)
        if error.status == 403 and "violates PodSecurity" in text:
            _, _, detail = text.partition("violates PodSecurity")
            return frozenset(name for name, reason in REASONS.items() if re.search(rf'(?:": |\), ){reason} \(', detail))
        if error.status == 422:
            return None
        raise
    return frozenset()


def explained(pod: Generated, rules: Verdict, server: Verdict) -> bool:
    """Whether the two differ only by what the standard allows since a version newer than the server's."""
    names = {each.get("name") for path, value in pod.changes if path.endswith("sysctls") for each in value}
    return server - rules == {"sysctls"} and not rules - server and bool(names & NEWER_SYSCTLS)


@pytest.fixture(scope="module")
def judged(platform: Deployment) -> Iterator[Api]:
    """An API server with a namespace that enforces each level."""
    api = platform.api
    for level in LEVELS:
        labels = {"pod-security.kubernetes.io/enforce": level, "pod-security.kubernetes.io/enforce-version": "latest"}
        api.create(
            "/api/v1/namespaces",
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"judged-{level}", "labels": labels}},
        )
    for level in LEVELS:
        account = f"/api/v1/namespaces/judged-{level}/serviceaccounts/default"
        eventually(lambda account=account: api.find(account) is not None, 60, "pods can be made")  # type: ignore[misc]
    yield api
    for level in LEVELS:
        api.delete(f"/api/v1/namespaces/judged-{level}")


def test_the_rules_agree_with_the_admission_plugin_check_by_check(judged: Api) -> None:
    failed: Counter[str] = Counter()
    tally: Counter[str] = Counter()

    def compare(pod: Generated) -> list[tuple[str, Verdict, Verdict]] | None:
        answers = []
        for level in LEVELS:
            server = by_server(judged, pod, level)
            if server is None:
                return None
            answers.append((level, by_rules(pod, level), server))
        return answers

    def disagrees(pod: Generated) -> bool:
        answers = compare(pod)
        return answers is not None and any(
            rules != server and not explained(pod, rules, server) for _, rules, server in answers
        )

    pods = generate(SEED)
    with ThreadPoolExecutor(4) as pool:
        while tally["judged"] < PODS:
            batch = list(itertools.islice(pods, 200))
            for pod, answers in zip(batch, pool.map(compare, batch), strict=True):
                if answers is None:
                    tally["invalid"] += 1
                    continue
                tally["judged"] += 1
                for level, rules, server in answers:
                    if rules == server:
                        failed.update(server)
                        tally["allowed" if not server else "refused"] += 1
                    elif explained(pod, rules, server):
                        tally["newer than the server"] += 1
                    else:
                        small = shrink(pod, disagrees)
                        pytest.fail(
                            f"{level}: the rules say {sorted(rules)}, the server {sorted(server)}.\n"
                            f"The smallest such pod (seed {SEED}): {small!r}\n{json.dumps(small.spec, indent=2)}"
                        )
    assert tally["judged"] >= PODS
    assert set(failed) == set(REASONS), "each check of the standard was failed by some pod"
    assert min(tally["allowed"], tally["refused"]) > PODS // 10, tally
    assert tally["invalid"] < tally["judged"], tally


@pytest.mark.parametrize("kind", ["Deployment", "CronJob", "Sandbox", "SandboxTemplate"])
def test_generated_pods_have_the_same_verdict_in_every_kind_at_the_right_path(kind: str) -> None:
    prefix, wrap = WRAPPERS[kind]
    topics = [TOPICS[name] for name in ("well-formed", "pod-security-baseline", "pod-security-restricted")]

    def verdicts(manifest: Json) -> list[tuple[str, str]]:
        one = manifest_object(manifest)
        return [(each.control.name, each.field) for topic in topics for each in judge_one(topic, one, topic.defaults())]

    for pod in itertools.islice(generate(SEED), 1_000):
        bare = verdicts(WRAPPERS["Pod"][1](pod.metadata, pod.spec))
        assert verdicts(wrap(pod.metadata, pod.spec)) == [(name, prefix + field) for name, field in bare], pod


class Stack:
    """A Pulumi program against the shared control plane, with the pack attached."""

    def __init__(self, platform: Deployment, name: str, program: Callable[[kubernetes.Provider], None]) -> None:
        self.platform = platform
        self.folder = platform.folder / name
        self.folder.mkdir()
        kubeconfig = str(platform.state.kubeconfig)

        def run() -> None:
            program(kubernetes.Provider("cluster", kubeconfig=kubeconfig))

        backend = self.folder / "backend"
        backend.mkdir()
        settings = automation.ProjectSettings(
            name="judged", runtime="python", backend=automation.ProjectBackend(f"file://{backend}")
        )
        tools = toolchain.ensure()
        self.stack = automation.create_stack(
            name,
            project_name="judged",
            program=run,
            opts=automation.LocalWorkspaceOptions(
                work_dir=str(self.folder),
                project_settings=settings,
                env_vars={**environment(platform.state, tools), "PULUMI_BACKEND_URL": f"file://{backend}", "CI": ""},
                pulumi_home=str(platform.state.pulumi_home),
                pulumi_command=automation.PulumiCommand(str(platform.state.root)),
            ),
        )
        self.events: list[Any] = []

    def run(self, operation: str, **config: Any) -> list[str]:
        """Run an operation under a policy configuration; returns what policies said, as `[level] policy: message`."""
        self.events.clear()
        file = self.folder / "config.json"
        file.write_text(json.dumps(config))
        options: dict[str, Any] = {"policy_packs": [str(POLICIES)], "policy_pack_configs": [str(file)]}
        getattr(self.stack, operation)(on_event=self.events.append, color="never", **options)
        return self.said

    @property
    def said(self) -> list[str]:
        return [
            f"[{each.policy_event.enforcement_level}] {each.policy_event.policy_name}: {each.policy_event.message}"
            for each in self.events
            if each.policy_event
        ]


@pytest.fixture
def stack(platform: Deployment, request: pytest.FixtureRequest) -> Iterator[Callable[..., Stack]]:
    made: list[Stack] = []

    def make(program: Callable[[kubernetes.Provider], None]) -> Stack:
        name = re.sub(r"\W+", "-", request.node.name)[:60].strip("-")
        made.append(Stack(platform, name, program))
        return made[-1]

    yield make
    for each in made:
        each.stack.destroy()


def pod_program(spec: Json, namespace: str = "judged-restricted") -> Callable[[kubernetes.Provider], None]:
    def program(provider: kubernetes.Provider) -> None:
        core.Pod(
            "one",
            metadata={"name": "one", "namespace": namespace, "annotations": {"pulumi.com/skipAwait": "true"}},
            spec=spec,
            opts=pulumi.ResourceOptions(provider=provider),
        )

    return program


def pods_in(api: Api, namespace: str) -> list[Json]:
    return api.items(f"/api/v1/namespaces/{namespace}/pods")


def test_mandatory_stops_before_anything_changed_and_advisory_does_not(
    judged: Api, stack: Callable[..., Stack]
) -> None:
    soft = {"containers": [{"name": "a", "image": "registry.example/a:v1"}]}  # baseline admits it
    made = stack(pod_program(soft, "judged-baseline"))
    with pytest.raises(automation.CommandError):
        made.run("up")
    assert any(each.startswith("[mandatory] pod-security-restricted: ") for each in made.said), made.said
    assert any("spec.containers[0].securityContext.allowPrivilegeEscalation is not false" in each for each in made.said)
    assert pods_in(judged, "judged-baseline") == []
    said = made.run("up", all="advisory")
    assert {each.partition(" ")[0] for each in said} == {"[advisory]"}
    assert len(pods_in(judged, "judged-baseline")) == 1


def test_remediation_makes_a_pod_that_restricted_admission_takes(judged: Api, stack: Callable[..., Stack]) -> None:
    soft = {"securityContext": {"runAsNonRoot": True}, "containers": [{"name": "a", "image": "registry.example/a:v1"}]}
    made = stack(pod_program(soft))
    said = made.run("up", **{"pod-security-restricted": "remediate"})
    assert said == []
    [pod] = pods_in(judged, "judged-restricted")
    assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["spec"]["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] is False


def unknown() -> pulumi.Output[Any]:
    """What only the update will tell. No real output will do here: the provider foretells them by a dry run."""

    async def value() -> Any:
        return None

    async def is_known() -> bool:
        return False

    return pulumi.Output(set(), value(), is_known())


def test_unknowns_are_reported_in_a_preview_and_stop_it_where_configured(
    judged: Api, stack: Callable[..., Stack]
) -> None:
    del judged

    def program(provider: kubernetes.Provider) -> None:
        spec = {**changed(POD, "containers/0/image", unknown()), "hostPID": unknown()}
        metadata = {"name": "two", "namespace": "judged-restricted"}
        core.Pod("two", metadata=metadata, spec=spec, opts=pulumi.ResourceOptions(provider=provider))

    made = stack(program)
    said = made.run("preview")
    assert len(said) == 2, said
    assert all(each.startswith("[advisory] undecided: ") for each in said)
    assert any("spec.hostPID is not known before the update" in each and "hostNamespaces" in each for each in said)
    assert any("spec.containers[0].image" in each and "imagePinned" in each for each in said)
    with pytest.raises(automation.CommandError):
        made.run("preview", undecided="mandatory")
    assert all(each.startswith("[mandatory] undecided: ") for each in made.said)


def test_the_pack_survives_a_program_of_a_thousand_resources(judged: Api, stack: Callable[..., Stack]) -> None:
    del judged

    def program(provider: kubernetes.Provider) -> None:
        for index in range(1_000):
            metadata = {"name": f"pod-{index}", "namespace": "judged-restricted"}
            spec = changed(POD, "hostPID", True) if index == 700 else POD
            core.Pod(f"pod-{index}", metadata=metadata, spec=spec, opts=pulumi.ResourceOptions(provider=provider))

    made = stack(program)
    with pytest.raises(automation.CommandError):
        made.run("preview")
    [said] = made.said
    assert "hostNamespaces: Pod/judged-restricted/pod-700: spec.hostPID is true" in said
    created = [each for each in made.events if each.resource_pre_event]
    assert len(created) > 1_000
