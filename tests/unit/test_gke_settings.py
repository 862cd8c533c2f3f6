"""Stack files on GKE: what would fail half way, or fail without a word, is refused before anything is made."""

from typing import Any

import pytest

import settings

IMAGE = "registry.k8s.io/agent-sandbox/python-runtime-sandbox:v0.5.6"
KEY = "projects/p/locations/europe-west4/keyRings/r/cryptoKeys/k"

STANDARD: dict[str, Any] = {
    "target": "standard",
    "project": "my-project",
    "region": "europe-west4",
    "nodePools": {"gvisor": {"runtime": "gvisor"}},
    "templates": {"python": {"image": IMAGE}},
    "warmPools": {"python": {"template": "python", "replicas": 2}},
}
AUTOPILOT: dict[str, Any] = {
    **{key: value for key, value in STANDARD.items() if key != "nodePools"},
    "target": "autopilot",
}
PROD: dict[str, Any] = {**STANDARD, "environment": "prod", "protected": True}

POD: dict[str, Any] = {"containers": [{"name": "sandbox", "image": IMAGE}]}


def _template(**more: Any) -> dict[str, Any]:
    return {"templates": {"python": {"image": IMAGE, **more}}}


WRONG: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    # where
    (STANDARD, {"project": ""}, "agent-sandbox:project: nothing is given, though the target is standard"),
    (STANDARD, {"project": "My Project"}, 'agent-sandbox:project: "My Project" is not a project id'),
    (STANDARD, {"project": "123456789012"}, "It is the project's id, not its name or number"),
    (STANDARD, {"region": ""}, "agent-sandbox:region: nothing is given"),
    (STANDARD, {"region": "europe-west4-b"}, "europe-west4-b is a zone; its region is europe-west4."),
    (STANDARD, {"region": "Europe"}, 'agent-sandbox:region: "Europe" is not a region'),
    (STANDARD, {"zones": ["europe-west4"]}, "holds europe-west4, which is not a zone"),
    (STANDARD, {"zones": ["us-central1-a"]}, "holds us-central1-a, which is not in europe-west4"),
    (STANDARD, {"environment": "production"}, "It decides what a mistake may cost. There are: dev, prod, staging."),
    ({"target": "local"}, {"project": "my-project"}, "is a key of the GKE targets"),
    ({"target": "existing", "context": "c"}, {"nodePools": {"p": {}}}, "existing makes no cluster"),
    # Autopilot
    (AUTOPILOT, {"nodePools": {"gvisor": {}}}, "is a node pool, though the target is autopilot"),
    (AUTOPILOT, {"zones": ["europe-west4-a"]}, "Autopilot puts nodes where there is room"),
    (AUTOPILOT, {"cluster": {"systemPool": {}}}, "agent-sandbox:cluster.systemPool"),
    (AUTOPILOT, {"cluster": {"location": "europe-west4-a"}}, 'cluster.location: "europe-west4-a" is not a region'),
    (AUTOPILOT, {"snapshots": {"bucket": "my-snapshots"}}, "GKE snapshots the sandboxes of Standard clusters only"),
    (
        AUTOPILOT,
        {"templates": {"python": {"image": IMAGE, "runtime": "kata-qemu"}}},
        'templates.python.runtime: "kata-qemu" is not to be had on Autopilot',
    ),
    # cluster
    (STANDARD, {"cluster": {"clusterName": "Agents"}}, "is not a cluster's name"),
    (STANDARD, {"cluster": {"clusterName": "a" * 41}}, "up to 40 lowercase letters"),
    (STANDARD, {"cluster": {"releaseChannel": "stable"}}, "cluster.releaseChannel:"),
    (STANDARD, {"cluster": {"version": "1.36"}}, "is not a full GKE version"),
    (STANDARD, {"cluster": {"datapathProvider": "LEGACY_DATAPATH"}}, "agent-sandbox:cluster.datapathProvider:"),
    (STANDARD, {"cluster": {"network": "default"}}, "agent-sandbox:cluster.network:"),
    (STANDARD, {"cluster": {"authorizedNetworks": {"all": "0.0.0.0/0"}}}, "which is everybody"),
    (STANDARD, {"cluster": {"authorizedNetworks": {"office": "office"}}}, "which is not a range"),
    (STANDARD, {"cluster": {"secretsKey": "k"}}, "is not the name of a Cloud KMS key"),
    (STANDARD, {"cluster": {"secretsKey": KEY.replace("europe-west4", "us-central1")}}, "lies in us-central1, not in"),
    (STANDARD, {"cluster": {"labels": {"Team": "A B"}}}, "holds Team: A B, which is not a label"),
    (
        STANDARD,
        {"cluster": {"maintenance": {"startTime": "Saturday", "endTime": "x", "recurrence": "FREQ=DAILY"}}},
        "is not a time with a time zone",
    ),
    (STANDARD, {"cluster": {"systemPool": {"maxNodes": 0}}}, "gVisor nodes take sandboxes only"),
    (STANDARD, {"cluster": {"systemPool": {"minNodes": 5}}}, "systemPool.minNodes: 5 is more than max_nodes, 3"),
    # the managed add-on
    (
        STANDARD,
        {"controller": {"source": "managed"}, "cluster": {"version": "1.35.2-gke.1269000"}},
        "is older than 1.36.3-gke.1767000, which the managed add-on needs",
    ),
    (STANDARD, {"cluster": {"agentSandbox": True}}, "is given beside upstream's controller"),
    (
        STANDARD,
        {"controller": {"source": "managed"}, "cluster": {"agentSandbox": False}},
        "though the controller's source is managed",
    ),
    # node pools
    (STANDARD, {"nodePools": {}}, 'templates.python.runtime: "gvisor" has no node pool'),
    (
        STANDARD,
        {"templates": {"python": {"image": IMAGE, "runtime": "kata-clh"}}},
        "Add a pool of runtime kata under agent-sandbox:nodePools",
    ),
    (STANDARD, {"nodePools": {"gvisor": {"runtime": "gvizor"}}}, "Did you mean gvisor?"),
    (STANDARD, {"nodePools": {"gvisor": {"runtime": "microvm"}}}, "There are: gvisor, kata."),
    (STANDARD, {"nodePools": {"system": {}}}, "is the ordinary pool's name"),
    (STANDARD, {"nodePools": {"gvisor": {"machineType": "big"}}}, "is not a machine type"),
    (STANDARD, {"nodePools": {"gvisor": {"machineType": "e2-medium"}}}, "shares its cores"),
    (STANDARD, {"nodePools": {"gvisor": {"taints": []}}}, "agent-sandbox:nodePools.gvisor.taints:"),
    (STANDARD, {"nodePools": {"gvisor": {"minNodes": 20}}}, "minNodes: 20 is more than max_nodes, 10"),
    (STANDARD, {"nodePools": {"gvisor": {"maxNodes": 0}}}, "maxNodes: 0 is not between 1 and 1000"),
    (STANDARD, {"nodePools": {"gvisor": {"machineType": "e2-standard-4", "localSsds": 1}}}, "E2 has no local SSD"),
    (STANDARD, {"nodePools": {"gvisor": {"imageStreaming": False, "preloadedImages": ["i"]}}}, "by image streaming"),
    (STANDARD, {"nodePools": {"gvisor": {"swapPercent": 95}}}, "swapPercent: 95 is not between 1 and 90"),
    (STANDARD, {"nodePools": {"gvisor": {"maxPodsPerNode": 500}}}, "maxPodsPerNode: 500 is not between 8 and 256"),
    (
        STANDARD,
        {"nodePools": {"gvisor": {}, "kata": {"runtime": "kata", "machineType": "e2-standard-4"}}},
        'kata.machineType: "e2-standard-4" has no nested virtualization',
    ),
    # snapshots
    (STANDARD, {"snapshots": {"keep": 3}}, "agent-sandbox:snapshots.bucket: nothing is given"),
    (STANDARD, {"snapshots": {"bucket": "My_Bucket"}}, "is not a bucket's name"),
    (STANDARD, {"snapshots": {"bucket": "my-snapshots", "location": "us-central1"}}, "is not the cluster's region"),
    (STANDARD, {"snapshots": {"bucket": "my-snapshots", "keep": 0}}, "keep: 0 is not between 1 and 100"),
    (
        STANDARD,
        {"snapshots": {"bucket": "my-snapshots"}, "nodePools": {"gvisor": {"machineType": "e2-standard-2"}}},
        "is of the series E2, though pods are to be snapshotted",
    ),
    (
        STANDARD,
        {"snapshots": {"bucket": "my-snapshots"}, "cluster": {"version": "1.34.1-gke.3084001"}},
        "which the pod snapshot add-on needs",
    ),
    (
        STANDARD,
        {"snapshots": {"bucket": "my-snapshots"}, "cluster": {"podSnapshots": False}},
        "is given beside agent-sandbox:snapshots",
    ),
    # network
    (STANDARD, {"network": {"pods": "10.4.0.0"}}, "has room for 1 addresses"),
    (STANDARD, {"network": {"pods": "10.4.0.1/14"}}, "is not an IPv4 range"),
    (STANDARD, {"network": {"nodes": "8.8.0.0/20"}}, "is a public range"),
    (STANDARD, {"network": {"nodes": "10.8.0.0/20"}}, "overlaps services (10.8.0.0/20)"),
    (STANDARD, {"network": {"pods": "10.4.0.0/22"}}, 'network.pods: "10.4.0.0/22" has room for 1024 addresses'),
    (STANDARD, {"network": {"nodes": "10.0.0.0/29"}}, "the last would never come"),
    (STANDARD, {"network": {"proxies": "10.9.0.0/28"}}, "refuses a proxy-only subnet smaller than 64 addresses"),
    (
        STANDARD,
        {
            "gateway": {"exposure": "internal", "unsafePlainHttp": True},
            "router": {"loadBalancers": ["35.191.0.0/16", "10.9.0.0/24"]},
        },
        "though gke-l7-rilb has its proxies there",
    ),
    (
        STANDARD,
        {"gateway": {"exposure": "internal", "tls": {"certificateMap": "m"}}, "network": {"proxies": "10.9.0.0/24"}},
        "names a certificate_map, which the class gke-l7-rilb does not read",
    ),
    (STANDARD, {"network": {"fleetProxies": {"europe-west4": "10.9.0.0/24"}}}, "though the cluster is in no fleet"),
    (
        STANDARD,
        {"network": {"fleetProxies": {"us-central1": "10.9.0.0/24"}}, "cluster": {"fleetProject": "my-project"}},
        "has no range for the stack's region",
    ),
    (
        STANDARD,
        {"network": {"fleetProxies": {"europe-west4": "10.9.0.0/28"}}, "cluster": {"fleetProject": "my-project"}},
        'network.fleetProxies.europe-west4: "10.9.0.0/28" is too small',
    ),
    (STANDARD, {"network": {"fleetProxies": {"europe": "10.9.0.0/24"}}}, "which is not a region"),
    (
        STANDARD,
        {"network": {"fleetProxies": {"europe-west4": "10.9.0.0/24", "us-central1": "10.9.0.0/25"}}},
        "overlaps fleet_proxies.europe-west4",
    ),
    (STANDARD, {"network": {"vpc": "projects/p/global/networks/n"}}, "is not a network's name"),
    (STANDARD, {"name": "Agents"}, "cannot be what Google Cloud's resources are called"),
    (STANDARD, {"members": ["prod"]}, "is a key of the target fleet"),
    (STANDARD, {"gateway": {"exposure": "internal"}}, "agent-sandbox:network.proxies: nothing is given"),
    (
        STANDARD,
        {
            "gateway": {"exposure": "internal"},
            "network": {"proxies": "10.9.0.0/24"},
            "router": {"loadBalancers": ["35.191.0.0/16"]},
        },
        "lacks the network's proxies",
    ),
    (
        STANDARD,
        {"network": {"nat": False}, "registry": {"mirrors": {}}},
        "though images come from registry.k8s.io",
    ),
    (STANDARD, {"registry": {"mirrors": {"m": "http://registry.k8s.io"}}}, "which is not an https address"),
    # identities
    (STANDARD, {"identities": {"py": {"rights": {"all": {"role": "roles/editor"}}}}}, "is a basic role"),
    (STANDARD, {"identities": {"py": {"rights": {"r": {"role": "storage"}}}}}, "is not a role"),
    (STANDARD, {"identities": {"py": {"rights": {"r": {"role": "roles/storage.admin"}}}}}, "in the whole project"),
    (STANDARD, {"identities": {"py": {"namespace": "default"}}}, "is a namespace of every cluster"),
    (STANDARD, {"identities": {"py": {"impersonate": "py"}}}, "is not a service account's id"),
    (
        STANDARD,
        {"identities": {"a": {"impersonate": "sandboxes"}, "b": {"impersonate": "sandboxes"}}},
        "is also impersonated by a",
    ),
    (
        STANDARD,
        {"identities": {"py": {"namespace": "team"}}},
        'identities.py.namespace: "team" is not one of the names',
    ),
    (STANDARD, {"identities": {"default": {}}}, "is the account of whoever names none"),
    (STANDARD, _template(identity="files"), 'templates.python.identity: "files" is not one of the identities'),
    (AUTOPILOT, {**_template(identity="fils"), "identities": {"files": {}}}, "Did you mean files?"),
    (
        STANDARD,
        {
            "templates": {"a": {"image": IMAGE, "identity": "files"}, "python": {"image": IMAGE, "identity": "files"}},
            "identities": {"files": {}},
        },
        'templates.python.identity: "files" is already the identity of templates.a',
    ),
    (
        STANDARD,
        {
            **_template(identity="files"),
            "sandboxes": {"one": {"image": IMAGE, "identity": "files"}},
            "identities": {"files": {}},
        },
        'sandboxes.one.identity: "files" is already the identity of templates.python',
    ),
    (
        STANDARD,
        {**_template(identity="files", serviceAccount="other"), "identities": {"files": {}}},
        'templates.python.serviceAccount: "other" is given beside an identity',
    ),
    (
        STANDARD,
        {
            "templates": {"python": {"pod": {**POD, "serviceAccountName": "other"}, "identity": "files"}},
            "identities": {"files": {}},
        },
        'templates.python.pod.serviceAccountName: "other" is given beside an identity',
    ),
    (
        STANDARD,
        {**_template(serviceAccount="files"), "identities": {"files": {}}},
        "Write identity: files in its place",
    ),
    (
        STANDARD,
        {**_template(identity="files", egress={"unsafeMetadataServer": False}), "identities": {"files": {}}},
        "templates.python.egress.unsafeMetadataServer: false is given beside an identity",
    ),
    (
        STANDARD,
        {
            **_template(identity="files", namespace="team"),
            "namespaces": {"team": {}},
            "warmPools": {},
            "identities": {"files": {"namespace": "sandboxes"}},
        },
        'identities.files.namespace: "sandboxes" is not the namespace of templates.python, team',
    ),
    (
        {"target": "local"},
        {"templates": {"python": {"image": IMAGE, "identity": "files"}}},
        "Add it under agent-sandbox:id",
    ),
    # snapshots' rights
    (STANDARD, {"snapshots": {"bucket": "my-snapshots", "namespace": "team"}}, "nowhere to put its policy"),
    (
        STANDARD,
        {"snapshots": {"bucket": "my-snapshots", "namespace": "team"}, "namespaces": {"team": {}}},
        "snapshots.serviceAccounts: [] names no account",
    ),
    (
        STANDARD,
        {
            **_template(identity="files"),
            "identities": {"files": {}},
            "snapshots": {"bucket": "my-snapshots", "serviceAccounts": ["default"]},
        },
        "leaves out files, which sandboxes run as",
    ),
    # prod
    (PROD, {"protected": False}, "leaves prod without protection"),
    (PROD, {"cluster": {"deletionProtection": False}}, "cluster.deletionProtection: false leaves prod without"),
    (PROD, {"cluster": {"location": "europe-west4-a"}}, "is a zone, though the environment is prod"),
    (PROD, {"zones": ["europe-west4-a"]}, "is one zone, though the environment is prod"),
    (PROD, {"cluster": {"privateNodes": False}}, "Nodes that run what nobody read would be on the internet"),
    (PROD, {"cluster": {"releaseChannel": "RAPID"}}, "not covered by GKE's service level agreement"),
    (PROD, {"router": {"authorizer": "unsafe-allow-all"}}, "router.authorizer:"),
    (
        PROD,
        {"gateway": {"exposure": "internal"}, "network": {"proxies": "10.9.0.0/24"}},
        "gateway.tls: nothing is given, though the environment is prod",
    ),
    (PROD, {"nodePools": {"gvisor": {"spot": True}}}, "end at 30 seconds' notice"),
]


@pytest.mark.parametrize(("base", "wrong", "expected"), WRONG, ids=[text[:50] for _, _, text in WRONG])
def test_a_wrong_stack_file_is_refused_with_its_reason(
    base: dict[str, Any], wrong: dict[str, Any], expected: str
) -> None:
    with pytest.raises(settings.SettingsError) as raised:
        settings.parse({**base, **wrong})
    assert expected in str(raised.value)
    for problem in raised.value.problems:
        assert problem.remedy.endswith("."), problem
        assert problem.key.startswith("agent-sandbox:")


@pytest.mark.parametrize("base", [STANDARD, AUTOPILOT, PROD], ids=["standard", "autopilot", "prod"])
def test_what_the_wrong_ones_are_changed_from_is_right(base: dict[str, Any]) -> None:
    assert settings.parse(base).gke is not None


def test_there_are_wrong_stack_files_enough() -> None:
    assert len(WRONG) >= 40
    assert len({text for _, _, text in WRONG}) == len(WRONG)


def test_one_key_switches_the_add_on_on_and_upstreams_controller_off() -> None:
    managed = settings.parse({**STANDARD, "controller": {"source": "managed"}})
    upstream = settings.parse(STANDARD)
    assert managed.gke is not None
    assert upstream.gke is not None
    assert (managed.gke.cluster["agent_sandbox"], upstream.gke.cluster["agent_sandbox"]) == (True, False)
    assert (managed.release, upstream.release is not None) == (None, True)


def test_the_router_lets_in_the_proxies_of_the_stacks_own_gateway() -> None:
    gateway = {"gateway": {"exposure": "internal"}, "network": {"proxies": "10.9.0.0/24"}}
    assert "10.9.0.0/24" in settings.parse({**STANDARD, **gateway}).router["load_balancers"]
    external = {**gateway, "gateway": {"exposure": "external", "tls": {"certificateMap": "m"}}}
    assert "10.9.0.0/24" not in settings.parse({**STANDARD, **external}).router["load_balancers"]


def test_snapshots_switch_their_add_on_on_and_move_the_pool_off_e2() -> None:
    parsed = settings.parse({**STANDARD, "snapshots": {"bucket": "my-snapshots"}}).gke
    assert parsed is not None
    assert parsed.cluster["pod_snapshots"] is True
    assert parsed.pools["gvisor"] == ("gvisor", {**parsed.pools["gvisor"][1], "snapshots": True})


FILES: dict[str, Any] = {"identities": {"files": {"rights": {"read": {"role": "roles/storage.objectViewer"}}}}}


def test_a_template_that_names_an_identity_runs_as_it_and_reaches_its_tokens() -> None:
    parsed = settings.parse({**STANDARD, **_template(identity="files"), **FILES})
    assert parsed.templates["python"] == {
        "image": IMAGE,
        "namespace": "sandboxes",
        "service_account": "files",
        "egress": {"internet": True, "unsafe_metadata_server": True},
    }
    assert parsed.gke is not None
    assert parsed.gke.identities["files"]["namespace"] == "sandboxes"


def test_a_whole_pod_spec_and_a_sandbox_may_name_one_too_and_other_ways_out_stay_as_they_are() -> None:
    more: dict[str, Any] = {"tools": {"rights": {}}}
    parsed = settings.parse(
        {
            **STANDARD,
            "templates": {"python": {"pod": POD, "identity": "files", "egress": {"dns": "cluster"}}},
            "sandboxes": {"one": {"image": IMAGE, "identity": "tools", "unsafeUnmanagedNetwork": True}},
            "identities": {**FILES["identities"], **more},
        }
    )
    assert parsed.templates["python"]["pod"]["serviceAccountName"] == "files"
    assert parsed.templates["python"]["egress"] == {"dns": "cluster", "unsafe_metadata_server": True}
    assert parsed.sandboxes["one"].get("service_account") == "tools"
    assert "egress" not in parsed.sandboxes["one"]


def test_an_identity_lives_where_the_template_does_that_names_it() -> None:
    parsed = settings.parse(
        {**STANDARD, **_template(identity="files", namespace="team"), **FILES, "namespaces": {"team": {}}}
    )
    assert parsed.gke is not None
    assert parsed.gke.identities["files"]["namespace"] == "team"


@pytest.mark.parametrize(
    ("templates", "accounts"),
    [
        ({"python": {"image": IMAGE}}, ["default"]),
        ({"python": {"image": IMAGE, "identity": "files"}}, ["files"]),
        ({"python": {"image": IMAGE, "identity": "files"}, "node": {"image": IMAGE}}, ["default", "files"]),
        ({"python": {"image": IMAGE, "serviceAccount": "own"}, "k": {"image": IMAGE, "runtime": "kata-clh"}}, ["own"]),
    ],
)
def test_snapshots_are_for_the_accounts_that_the_templates_run_as(templates: Any, accounts: list[str]) -> None:
    pools = {"gvisor": {}, "kata": {"runtime": "kata"}}
    content = {**STANDARD, "nodePools": pools, "templates": templates, **FILES, "snapshots": {"bucket": "my-snapshots"}}
    parsed = settings.parse(content).gke
    assert parsed is not None
    assert parsed.snapshots is not None
    assert parsed.snapshots["service_accounts"] == accounts


def test_a_stack_file_that_pulumi_has_written_again_says_the_same(tmp_path: Any) -> None:
    file = tmp_path / "Pulumi.test.yaml"
    lines = ["target: standard", "project: my-project", "region: europe-west4", 'protected: "true"', 'zones: "[]"']
    file.write_text("config:\n" + "".join(f"  agent-sandbox:{line}\n" for line in lines))
    parsed = settings.read(file).gke
    assert parsed is not None
    assert parsed.protected is True
