"""Pod snapshots: a sandbox's memory and files in a bucket, from which it goes on where it was.

Owns the bucket, the rights on it, and GKE's PodSnapshotStorageConfig and PodSnapshotPolicy. The
cluster's add-on and a gVisor pool that is not E2 are the caller's. Snapshots hold whatever the
sandbox held, secrets too: the bucket is for nobody else.
"""

from typing import NotRequired, TypedDict

import pulumi
import pulumi_gcp as gcp

from components._arguments import arguments, require_valid
from components._checks import Finding, between, dns_label, each
from components._kubernetes import MANAGED_BY, KubernetesObject
from components.gke._checks import bucket_name, encryption_key, labels, project_id, region
from components.gke._principals import principal

API = "podsnapshot.gke.io/v1"
GROUP_BY = "agents.x-k8s.io/sandbox-name-hash"
"""The label that is a sandbox's own. Without grouping by it, one sandbox's snapshot restores as another's."""


def _accounts(value: list[str]) -> Finding:
    if not value:
        return "names no account", "Nobody could write a snapshot. Name those that the sandboxes run as."
    return each(dns_label)(value)


@arguments(
    project=project_id,
    location=region,
    bucket=bucket_name,
    namespace=dns_label,
    service_accounts=_accounts,
    keep=between(1, 100, "None could be restored, or the bucket grows without end."),
    encryption_key=encryption_key,
    labels=labels,
)
class PodSnapshotsArgs(TypedDict):
    """Arguments of PodSnapshots."""

    project: str
    """The project's id."""
    project_number: pulumi.Input[str]
    """The project's number."""
    workload_pool: pulumi.Input[str]
    """The cluster's identity pool."""
    location: str
    """The bucket's region, which must be the cluster's. It cannot change later."""
    bucket: str
    """The bucket's name, unique in all of Cloud Storage. It cannot change later."""
    namespace: str
    """The sandboxes' namespace; it must exist."""
    service_accounts: list[str]
    """The Kubernetes service accounts that the sandboxes run as, which write and read their snapshots; `default`
    where a template names none."""
    selector: NotRequired[dict[str, str]]
    """Labels of the pods that are snapshotted. Default all of this project's sandboxes in the namespace."""
    keep: NotRequired[int]
    """Snapshots kept of each sandbox. Default 3."""
    encryption_key: NotRequired[str]
    """The Cloud KMS key that encrypts the bucket. Default Google's own."""
    delete_with_snapshots: NotRequired[bool]
    """Whether destroying the stack deletes snapshots that are left. Default false: it stops and says so."""
    labels: NotRequired[dict[str, str]]
    """Labels on the bucket, for the bill. Default none."""


class PodSnapshots(pulumi.ComponentResource):
    """A bucket for snapshots, and the policy that takes them when a client asks.

    Pass a Kubernetes provider beside the Google Cloud one: opts.providers. What goes first when all
    goes is the policy, then the storage configuration, then the rights, then the bucket. Protected, it protects the
    bucket: the rest holds nothing, and changes with who the sandboxes are.
    """

    bucket_name: pulumi.Output[str]
    """The bucket's name."""

    def __init__(self, name: str, args: PodSnapshotsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError for wrong arguments."""
        require_valid(PodSnapshotsArgs, name, args)
        super().__init__("agent-sandbox:index:PodSnapshots", name, {**args}, opts)
        bucket = self._bucket(name, args)
        rights = self._rights(name, args, bucket)
        gcs = {"bucket": bucket.name, "path": args["namespace"], "tokenSource": "podKSA"}
        storage = KubernetesObject(
            f"{name}-storage",
            {
                "apiVersion": API,
                "kind": "PodSnapshotStorageConfig",
                "metadata": {"name": name, "labels": MANAGED_BY},
                "spec": {"snapshotStorageConfig": {"gcs": gcs}},
            },
            pulumi.ResourceOptions(parent=self, depends_on=rights, protect=False),
        )
        policy = {
            "storageConfigName": name,
            "selector": {"matchLabels": args["selector"]}
            if "selector" in args
            else {"matchExpressions": [{"key": GROUP_BY, "operator": "Exists"}]},
            "triggerConfig": {"type": "manual", "postCheckpoint": "resume"},
            "snapshotGroupingRules": {
                "groupByLabelValue": {
                    "labels": [GROUP_BY],
                    "groupRetentionPolicy": {"maxSnapshotCountPerGroup": args.get("keep", 3)},
                }
            },
        }
        KubernetesObject(
            f"{name}-policy",
            {
                "apiVersion": API,
                "kind": "PodSnapshotPolicy",
                "metadata": {"name": name, "namespace": args["namespace"], "labels": MANAGED_BY},
                "spec": policy,
            },
            pulumi.ResourceOptions(parent=self, depends_on=[storage], protect=False),
        )
        self.bucket_name = bucket.name
        self.register_outputs({"bucket_name": self.bucket_name})

    def _bucket(self, name: str, args: PodSnapshotsArgs) -> "gcp.storage.Bucket":
        return gcp.storage.Bucket(
            f"{name}-bucket",
            name=args["bucket"],
            project=args["project"],
            location=args["location"].upper(),
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            hierarchical_namespace={"enabled": True},
            # A deleted snapshot is gone: what a sandbox held should not stay for the week that is the default.
            soft_delete_policy={"retention_duration_seconds": 0},
            encryption={"default_kms_key_name": args["encryption_key"]} if "encryption_key" in args else None,
            force_destroy=args.get("delete_with_snapshots", False),
            labels=args.get("labels"),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _rights(self, name: str, args: PodSnapshotsArgs, bucket: "gcp.storage.Bucket") -> list[pulumi.Resource]:
        """Sandboxes write and read; GKE's service agent deletes, or deletions hang."""
        agent = pulumi.Output.format(
            "serviceAccount:service-{}@container-engine-robot.iam.gserviceaccount.com", args["project_number"]
        )
        granted = {"service-agent": ("roles/storage.objectUser", agent)}
        for account in args["service_accounts"]:
            own = principal(args, args["namespace"], account)
            granted[f"{account}-bucket-viewer"] = ("roles/storage.bucketViewer", own)
            granted[f"{account}-object-user"] = ("roles/storage.objectUser", own)
        return [
            gcp.storage.BucketIAMMember(
                f"{name}-{what}",
                bucket=bucket.name,
                role=role,
                member=member,
                opts=pulumi.ResourceOptions(parent=self, protect=False),
            )
            for what, (role, member) in granted.items()
        ]
