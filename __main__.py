"""The stack: settings -> components -> exports."""

import pulumi
import pulumi_kubernetes as kubernetes

import components
import settings

stack = settings.load(pulumi.Config())
if stack.release:
    stack.release.fetch()

cluster = kubernetes.Provider("cluster", kubeconfig=stack.kubeconfig, context=stack.context)
on_cluster = pulumi.ResourceOptions(provider=cluster)


def after(*dependencies: pulumi.Resource) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions(provider=cluster, depends_on=dependencies)


controller = components.AgentSandboxController("controller", stack.controller, on_cluster)
router = components.SandboxRouter("router", stack.router, after(controller))
namespace = components.SandboxNamespace(stack.namespace, {}, on_cluster)

templates = {
    name: components.SandboxTemplate(name, args, after(controller, namespace)) for name, args in stack.templates.items()
}
pools = {
    name: components.SandboxWarmPool(name, args, after(templates[str(args["template"])]))
    for name, args in stack.warm_pools.items()
}
claims = {
    name: components.SandboxClaim(name, args, after(pools[str(args["pool"])])) for name, args in stack.claims.items()
}

if stack.observability is not None:
    components.Observability("observability", stack.observability, after(controller, router))
if stack.gateway is not None:
    gateway = components.SandboxGateway("sandbox-gateway", stack.gateway, after(controller, router))
    pulumi.export("gatewayAddress", gateway.address)

pulumi.export("namespace", namespace.namespace_name)
pulumi.export("routerUrl", router.url)
pulumi.export("templates", {name: each.template_name for name, each in templates.items()})
pulumi.export("warmPools", {name: each.pool_name for name, each in pools.items()})
pulumi.export("claims", {name: each.sandbox_name for name, each in claims.items()})
