"""An application that claims sandboxes through the Python client: its account, and what the client calls.

Its pods run as the account and need nothing more. From a laptop, for an hour:
`kubectl create token planner --namespace planner`.
"""

import pulumi
import pulumi_kubernetes as kubernetes

import components

applications = kubernetes.core.v1.Namespace("planner", metadata={"name": "planner"})
agents = components.SandboxNamespace("access-example", {})
planner = components.ControllerAppAccess(
    "planner",
    {"namespace": "planner", "sandbox_namespaces": ["access-example"]},
    pulumi.ResourceOptions(depends_on=[applications, agents]),
)

pulumi.export("serviceAccount", planner.service_account_name)
