"""What IAM calls a Kubernetes service account of a cluster with Workload Identity."""

from collections.abc import Mapping
from typing import Any

import pulumi


def principal(args: Mapping[str, Any], namespace: str, account: str) -> pulumi.Output[str]:
    """The principal of an account, in the pool that the arguments `project_number` and `workload_pool` name."""
    return pulumi.Output.format(
        "principal://iam.googleapis.com/projects/{}/locations/global/workloadIdentityPools/{}/subject/ns/{}/sa/{}",
        args["project_number"],
        args["workload_pool"],
        namespace,
        account,
    )
