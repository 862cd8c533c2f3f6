"""Which call of Google's APIs each type of resource becomes, and where the two spell a thing differently.

The names are Pulumi's on the left and the REST API's on the right. Both sides of each entry are
checked: an entry that the API's description does not bear out, or that is not needed, fails a test.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

Names = Mapping[str, str]


@dataclass(frozen=True)
class Call:
    """The request that makes a resource."""

    document: str
    """The discovery document, as in compute.v1."""
    method: str
    """The method's path in it, as in subnetworks.insert."""
    address: Names = field(default_factory=dict)
    """What goes into the request's address, and the parameter there."""
    body: str = ""
    """Where in the request's body the rest goes."""
    renamed: Names = field(default_factory=dict)
    """A path, and the API's below `body`; the longest that fits holds. [] at the end: it becomes one of a list."""
    not_sent: Names = field(default_factory=dict)
    """What the provider keeps to itself, and why."""


_PLACE = {"project": "projectsId", "location": "locationsId"}
_REGION = {"project": "project", "region": "region"}
_MEMBER = {"member": "members[]"}


def _certificates(collection: str, parameter: str, **more: str) -> Call:
    address = {**_PLACE, "name": parameter, **more}
    return Call("certificatemanager.v1", f"projects.locations.{collection}.create", address)


CLUSTER = Call(
    "container.v1",
    "projects.locations.clusters.create",
    _PLACE,
    "cluster",
    {
        "minMasterVersion": "initialClusterVersion",
        "nodeLocations": "locations",
        "enableAutopilot": "autopilot.enabled",
        "enableShieldedNodes": "shieldedNodes.enabled",
        "datapathProvider": "networkConfig.datapathProvider",
        "gatewayApiConfig": "networkConfig.gatewayApiConfig",
        "clusterAutoscaling": "autoscaling",
        "clusterAutoscaling.enabled": "autoscaling.enableNodeAutoprovisioning",
        "clusterAutoscaling.autoProvisioningDefaults": "autoscaling.autoprovisioningNodePoolDefaults",
        "loggingConfig.enableComponents": "loggingConfig.componentConfig.enableComponents",
        "monitoringConfig.enableComponents": "monitoringConfig.componentConfig.enableComponents",
        "monitoringConfig.managedPrometheus": "monitoringConfig.managedPrometheusConfig",
        "maintenancePolicy.recurringWindow": "maintenancePolicy.window.recurringWindow",
        "maintenancePolicy.recurringWindow.startTime": "maintenancePolicy.window.recurringWindow.window.startTime",
        "maintenancePolicy.recurringWindow.endTime": "maintenancePolicy.window.recurringWindow.window.endTime",
    },
    {
        "deletionProtection": "the provider's own: it refuses to send the deletion",
        "removeDefaultNodePool": "the provider's own: it deletes the first pool once the cluster is there",
    },
)
NODE_POOL = Call(
    "container.v1",
    "projects.locations.clusters.nodePools.create",
    {**_PLACE, "cluster": "clustersId"},
    "nodePool",
    {
        "nodeLocations": "locations",
        "nodeConfig": "config",
        "maxPodsPerNode": "maxPodsConstraint.maxPodsPerNode",
    },
)
BUCKET = Call(
    "storage.v1",
    "buckets.insert",
    {"project": "project"},
    renamed={
        "uniformBucketLevelAccess": "iamConfiguration.uniformBucketLevelAccess.enabled",
        "publicAccessPrevention": "iamConfiguration.publicAccessPrevention",
    },
    not_sent={"forceDestroy": "the provider's own: it deletes what is in the bucket before the bucket"},
)

CALLS: dict[str, Call] = {
    "gcp:projects/service:Service": Call(
        "serviceusage.v1",
        "services.batchEnable",
        {"project": "v1Id1"},  # the parent is projects/<project>
        renamed={"service": "serviceIds[]"},
        not_sent={"disableOnDestroy": "the provider's own: it sends no request at deletion"},
    ),
    "gcp:projects/iAMMember:IAMMember": Call(
        "cloudresourcemanager.v1", "projects.setIamPolicy", {"project": "resource"}, "policy.bindings", _MEMBER
    ),
    "gcp:serviceaccount/account:Account": Call(
        "iam.v1",
        "projects.serviceAccounts.create",
        {"project": "projectsId"},
        renamed={"displayName": "serviceAccount.displayName"},
    ),
    "gcp:serviceaccount/iAMMember:IAMMember": Call(
        "iam.v1",
        "projects.serviceAccounts.setIamPolicy",
        {"serviceAccountId": "serviceAccountsId"},
        "policy.bindings",
        _MEMBER,
    ),
    "gcp:compute/network:Network": Call(
        "compute.v1", "networks.insert", {"project": "project"}, renamed={"routingMode": "routingConfig.routingMode"}
    ),
    "gcp:compute/subnetwork:Subnetwork": Call("compute.v1", "subnetworks.insert", _REGION),
    "gcp:compute/router:Router": Call("compute.v1", "routers.insert", _REGION),
    "gcp:compute/routerNat:RouterNat": Call("compute.v1", "routers.patch", {**_REGION, "router": "router"}, "nats"),
    "gcp:compute/firewall:Firewall": Call(
        "compute.v1",
        "firewalls.insert",
        {"project": "project"},
        renamed={"allows": "allowed", "allows.protocol": "allowed.IPProtocol"},
    ),
    "gcp:compute/address:Address": Call("compute.v1", "addresses.insert", _REGION),
    "gcp:compute/globalAddress:GlobalAddress": Call("compute.v1", "globalAddresses.insert", {"project": "project"}),
    "gcp:compute/securityPolicy:SecurityPolicy": Call("compute.v1", "securityPolicies.insert", {"project": "project"}),
    "gcp:compute/sSLPolicy:SSLPolicy": Call("compute.v1", "sslPolicies.insert", {"project": "project"}),
    "gcp:artifactregistry/repository:Repository": Call(
        "artifactregistry.v1", "projects.locations.repositories.create", {**_PLACE, "repositoryId": "repositoryId"}
    ),
    "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember": Call(
        "artifactregistry.v1",
        "projects.locations.repositories.setIamPolicy",
        {**_PLACE, "repository": "repositoriesId"},
        "policy.bindings",
        _MEMBER,
    ),
    "gcp:storage/bucket:Bucket": BUCKET,
    "gcp:storage/bucketIAMMember:BucketIAMMember": Call(
        "storage.v1", "buckets.setIamPolicy", {"bucket": "bucket"}, "bindings", _MEMBER
    ),
    "gcp:container/cluster:Cluster": CLUSTER,
    "gcp:container/nodePool:NodePool": NODE_POOL,
    "gcp:gkehub/feature:Feature": Call(
        "gkehub.v1", "projects.locations.features.create", {**_PLACE, "name": "featureId"}
    ),
    "gcp:certificatemanager/certificate:Certificate": _certificates("certificates", "certificateId"),
    "gcp:certificatemanager/certificateMap:CertificateMap": _certificates("certificateMaps", "certificateMapId"),
    "gcp:certificatemanager/certificateMapEntry:CertificateMapEntry": _certificates(
        "certificateMaps.certificateMapEntries", "certificateMapEntryId", map="certificateMapsId"
    ),
    "gcp:certificatemanager/dnsAuthorization:DnsAuthorization": _certificates(
        "dnsAuthorizations", "dnsAuthorizationId"
    ),
}
"""By Pulumi's type. A type that a stack declares and that is missing here fails a test."""
