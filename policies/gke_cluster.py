"""GKE clusters: the CIS benchmark's configuration that a cluster for untrusted code should have.

Autopilot brings half of it by itself and refuses the fields; there only the rest is asked.
"""

from collections.abc import Iterator
from typing import Any

from policies.controls import Hit, Parameters, Topic, depending_on, untold
from policies.objects import Object
from policies.values import UNKNOWN, get, mappings

CLUSTER = "gcp:container/cluster:Cluster"
BENCHMARK = "CIS GKE Benchmark 1.9"

TOPIC = Topic(
    "gke-cluster",
    "GKE clusters are private, hardened and observed",
    "objects",
    framework=BENCHMARK,
    types=(CLUSTER,),
    url="https://www.cisecurity.org/benchmark/kubernetes",
    parameters={
        "productionStacks": {
            "type": "array",
            "items": {"type": "string"},
            "default": ["prod", "prod-us"],
            "description": "Names of Pulumi stacks whose clusters must be protected from deletion.",
        },
        "trialStacks": {
            "type": "array",
            "items": {"type": "string"},
            "default": ["dev", "staging"],
            "description": "Names of Pulumi stacks whose clusters need neither a key of their own for Secrets nor "
            "Binary Authorization, which both must be set up first.",
        },
    },
)


def _cluster(one: Object) -> bool:
    return one.type == CLUSTER


def _autopilot(one: Object) -> Any:
    value = get(one.data, "enableAutopilot")
    return UNKNOWN if value is UNKNOWN else value is True


def expect(one: Object, fields: str, accepted: Any, problem: str) -> Iterator[Hit]:
    """A hit unless the value at `fields` is `accepted`: a value, a tuple of them, or a predicate."""
    value = get(one.data, *fields.split("."))
    if value is UNKNOWN:
        yield untold(fields)
    elif callable(accepted):
        if not accepted(value):
            yield Hit(fields, problem)
    elif value not in (accepted if isinstance(accepted, tuple) else (accepted,)):
        yield Hit(fields, problem)


@TOPIC.control(
    "workloadIdentity",
    severity="high",
    kinds=("Cluster",),
    references=("5.2.2",),
    risk="Pods act as their node's service account towards every Google API.",
    fix="Set workloadIdentityConfig.workloadPool to PROJECT.svc.id.goog.",
)
def workload_identity(one: Object, _: Parameters) -> Iterator[Hit]:
    """Workload Identity is on."""
    hits = expect(one, "workloadIdentityConfig.workloadPool", bool, "is not set")
    yield from depending_on(_autopilot(one), hits)


@TOPIC.control(
    "secretsEncryption",
    severity="medium",
    kinds=("Cluster",),
    references=("5.3.1",),
    risk="Who gets at etcd's storage reads every Secret; no key of yours stands before them.",
    fix="Set databaseEncryption with state ENCRYPTED and a Cloud KMS keyName.",
)
def secrets_encryption(one: Object, parameters: Parameters) -> Iterator[Hit]:
    """Secrets are encrypted with a key of the project's own, but for trialStacks."""
    if one.stack in parameters["trialStacks"]:
        return
    accepted = ("ENCRYPTED", "ALL_OBJECTS_ENCRYPTION_ENABLED")
    yield from expect(one, "databaseEncryption.state", accepted, "is not ENCRYPTED")


@TOPIC.control(
    "releaseChannel",
    severity="medium",
    kinds=("Cluster",),
    references=("5.5.4",),
    risk="The cluster misses upgrades and their security fixes.",
    fix="Set releaseChannel.channel to REGULAR, STABLE, RAPID or EXTENDED.",
)
def release_channel(one: Object, _: Parameters) -> Iterator[Hit]:
    """The cluster is on a release channel."""

    def subscribed(value: Any) -> bool:
        return value in ("RAPID", "REGULAR", "STABLE", "EXTENDED")

    hits = expect(one, "releaseChannel.channel", subscribed, "is not a channel")
    yield from depending_on(_autopilot(one), hits)


@TOPIC.control(
    "shieldedNodes",
    severity="medium",
    kinds=("Cluster",),
    references=("5.5.5",),
    risk="Another machine may pass for a node.",
    fix="Remove enableShieldedNodes: false.",
)
def shielded_nodes(one: Object, _: Parameters) -> Iterator[Hit]:
    """Shielded nodes are not switched off; they are GKE's default."""
    yield from expect(one, "enableShieldedNodes", (True, None), "is false")


@TOPIC.control(
    "intranodeVisibility",
    severity="low",
    kinds=("Cluster",),
    references=("5.6.1",),
    risk="Traffic between sandboxes of one node passes unlogged and past VPC firewalls.",
    fix="Set enableIntranodeVisibility: true, or datapathProvider: ADVANCED_DATAPATH, whose flow logs see it.",
)
def intranode_visibility(one: Object, _: Parameters) -> Iterator[Hit]:
    """Traffic inside a node is visible: by intranode visibility, or by Dataplane V2."""
    if get(one.data, "datapathProvider") != "ADVANCED_DATAPATH":
        hits = expect(one, "enableIntranodeVisibility", True, "is not true")
        yield from depending_on(_autopilot(one), hits)


@TOPIC.control(
    "vpcNative",
    severity="medium",
    kinds=("Cluster",),
    references=("5.6.2",),
    risk="Pods have addresses that firewalls and authorized networks cannot tell apart.",
    fix="Set networkingMode: VPC_NATIVE with an ipAllocationPolicy.",
)
def vpc_native(one: Object, _: Parameters) -> Iterator[Hit]:
    """The cluster is VPC-native, GKE's default."""
    yield from expect(one, "networkingMode", ("VPC_NATIVE", None), "is not VPC_NATIVE")


@TOPIC.control(
    "authorizedNetworks",
    severity="high",
    kinds=("Cluster",),
    references=("5.6.3",),
    risk="The API server answers the whole internet, and one stolen token is enough.",
    fix="Set masterAuthorizedNetworksConfig.cidrBlocks to your networks, or switch the IP endpoint off and use the DNS "
    "endpoint.",
)
def authorized_networks(one: Object, _: Parameters) -> Iterator[Hit]:
    """The control plane's public address answers authorized networks only, none of which is everything."""
    if _no_public_address(one):
        return
    field = "masterAuthorizedNetworksConfig"
    config = get(one.data, field)
    if config is UNKNOWN:
        yield untold(field)
    elif config is None:
        yield Hit(field, "is absent, so every address may connect")
    for path, block in mappings(get(config, "cidrBlocks"), f"{field}.cidrBlocks"):
        cidr = get(block, "cidrBlock")
        if cidr is UNKNOWN:
            yield untold(path)
        elif isinstance(cidr, str) and cidr.endswith("/0"):
            yield Hit(f"{path}.cidrBlock", "is every address")


def _no_public_address(one: Object) -> bool:
    private = get(one.data, "privateClusterConfig", "enablePrivateEndpoint") is True
    return private or get(one.data, "controlPlaneEndpointsConfig", "ipEndpointsConfig", "enabled") is False


@TOPIC.control(
    "privateEndpoint",
    severity="medium",
    kinds=("Cluster",),
    references=("5.6.4",),
    risk="The API server has a public address to attack.",
    fix="Use the DNS endpoint (controlPlaneEndpointsConfig.dnsEndpointConfig), or set "
    "privateClusterConfig.enablePrivateEndpoint: true.",
)
def private_endpoint(one: Object, _: Parameters) -> Iterator[Hit]:
    """The control plane is reached by its private address or its DNS endpoint."""
    dns = get(one.data, "controlPlaneEndpointsConfig", "dnsEndpointConfig")
    if not _no_public_address(one) and dns is None:
        yield Hit("privateClusterConfig.enablePrivateEndpoint", "is not true, and there is no DNS endpoint")


@TOPIC.control(
    "privateNodes",
    severity="high",
    kinds=("Cluster",),
    references=("5.6.5",),
    risk="Every node has a public address to attack.",
    fix="Set privateClusterConfig.enablePrivateNodes: true, and give egress a Cloud NAT.",
)
def private_nodes(one: Object, _: Parameters) -> Iterator[Hit]:
    """Nodes have private addresses only."""
    yield from expect(one, "privateClusterConfig.enablePrivateNodes", True, "is not true")


@TOPIC.control(
    "networkPolicyEnforced",
    severity="critical",
    kinds=("Cluster",),
    references=("4.3.1",),
    risk="NetworkPolicy objects do nothing: sandboxes reach each other, private ranges and the metadata server.",
    fix="Set datapathProvider: ADVANCED_DATAPATH; it cannot be changed later without replacing the cluster.",
)
def network_policy_enforced(one: Object, _: Parameters) -> Iterator[Hit]:
    """Network policies are enforced: by Dataplane V2, or by the Calico add-on."""
    if get(one.data, "networkPolicy", "enabled") is not True:
        hits = expect(one, "datapathProvider", "ADVANCED_DATAPATH", "is not ADVANCED_DATAPATH")
        yield from depending_on(_autopilot(one), hits)


@TOPIC.control(
    "observability",
    severity="medium",
    kinds=("Cluster",),
    references=("5.7.1",),
    risk="Nobody sees an attack, nor can tell afterwards what happened.",
    fix="Remove the setting: logging and monitoring are on by default.",
)
def observability(one: Object, _: Parameters) -> Iterator[Hit]:
    """Logging and monitoring are not switched off."""
    for field in ("loggingService", "monitoringService"):
        yield from expect(one, field, lambda value: value != "none", "is none")
    for field in ("loggingConfig.enableComponents", "monitoringConfig.enableComponents"):
        yield from expect(one, field, lambda value: value != [], "is empty")


@TOPIC.control(
    "clientCertificate",
    severity="medium",
    kinds=("Cluster",),
    references=("5.8.1",),
    risk="A client certificate cannot be revoked.",
    fix="Remove masterAuth.clientCertificateConfig.issueClientCertificate.",
)
def client_certificate(one: Object, _: Parameters) -> Iterator[Hit]:
    """No client certificate is issued."""
    field = "masterAuth.clientCertificateConfig.issueClientCertificate"
    yield from expect(one, field, (False, None), "is true")


@TOPIC.control(
    "legacyAbac",
    severity="high",
    kinds=("Cluster",),
    references=("5.8.3",),
    risk="Rights are granted past RBAC, to every service account.",
    fix="Remove enableLegacyAbac.",
)
def legacy_abac(one: Object, _: Parameters) -> Iterator[Hit]:
    """Legacy authorization is off."""
    yield from expect(one, "enableLegacyAbac", (False, None), "is true")


@TOPIC.control(
    "alphaFeatures",
    severity="medium",
    kinds=("Cluster",),
    references=("5.10.2",),
    risk="An alpha cluster is never upgraded, and deleted after thirty days.",
    fix="Remove enableKubernetesAlpha.",
)
def alpha_features(one: Object, _: Parameters) -> Iterator[Hit]:
    """The cluster is not an alpha cluster."""
    yield from expect(one, "enableKubernetesAlpha", (False, None), "is true")


@TOPIC.control(
    "securityPosture",
    severity="low",
    kinds=("Cluster",),
    references=("5.10.4",),
    risk="Known weaknesses of workloads go unnoticed.",
    fix="Set securityPostureConfig.mode: BASIC.",
)
def security_posture(one: Object, _: Parameters) -> Iterator[Hit]:
    """The security posture dashboard watches the cluster."""
    yield from expect(one, "securityPostureConfig.mode", ("BASIC", "ENTERPRISE"), "is not BASIC or ENTERPRISE")


@TOPIC.control(
    "binaryAuthorization",
    severity="low",
    kinds=("Cluster",),
    references=("5.1.4",),
    risk="Any image that somebody can name runs.",
    fix="Set binaryAuthorization.evaluationMode: PROJECT_SINGLETON_POLICY_ENFORCE.",
)
def binary_authorization(one: Object, parameters: Parameters) -> Iterator[Hit]:
    """Binary Authorization judges images, but for trialStacks."""
    if one.stack in parameters["trialStacks"]:
        return

    def judges(value: Any) -> bool:
        return isinstance(value, str) and value not in ("", "DISABLED", "EVALUATION_MODE_UNSPECIFIED")

    yield from expect(one, "binaryAuthorization.evaluationMode", judges, "is not set")


@TOPIC.control(
    "deletionProtection",
    severity="medium",
    kinds=("Cluster",),
    risk="One wrong command deletes the cluster and every sandbox in it.",
    fix="Remove deletionProtection: false in production.",
)
def deletion_protection(one: Object, parameters: Parameters) -> Iterator[Hit]:
    """A production stack's cluster is protected from deletion, the provider's default."""
    if one.stack in parameters["productionStacks"]:
        yield from expect(one, "deletionProtection", (True, None), "is false")
