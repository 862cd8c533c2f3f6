"""The stack: settings -> components -> exports."""

import pulumi
import pulumi_kubernetes as kubernetes

import components
import fleet
import gke
import settings

stack = settings.load(pulumi.Config())
if stack.release:
    stack.release.fetch()

if stack.fleet and stack.gateway:
    fleet.join(stack.fleet, stack.gateway)
else:
    platform = gke.make(stack.gke) if stack.gke else None
    cluster = (
        platform.kubernetes
        if platform
        else kubernetes.Provider("cluster", kubeconfig=stack.kubeconfig, context=stack.context)
    )
    on_cluster = pulumi.ResourceOptions(provider=cluster)

    def after(*dependencies: pulumi.Resource) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(provider=cluster, depends_on=dependencies)

    keeping = pulumi.ResourceOptions(provider=cluster, transformations=[gke.keep_kinds] if platform else None)
    controller = components.AgentSandboxController("controller", stack.controller, keeping)
    system = gke.add_system_namespace(stack.gke, platform) if stack.gke and platform else []
    router = components.SandboxRouter("router", stack.router, after(controller, *system))
    namespaces = {name: components.SandboxNamespace(name, args, on_cluster) for name, args in stack.namespaces.items()}
    identities = gke.add_identities(stack.gke, platform, namespaces) if stack.gke and platform else {}
    admission = {
        name: components.SandboxAdmission(name, args, after(controller, *namespaces.values()))
        for name, args in stack.admission.items()
    }

    def in_namespace(args: components.SandboxTemplateArgs | components.SandboxArgs) -> pulumi.ResourceOptions:
        return after(controller, namespaces[args["namespace"]], *admission.values(), *identities.values())

    templates = {
        name: components.SandboxTemplate(name, args, in_namespace(args)) for name, args in stack.templates.items()
    }
    nodes = platform.ready_for_sandboxes if platform else []
    pools = {
        name: components.SandboxWarmPool(name, args, after(templates[str(args["template"])], *nodes))
        for name, args in stack.warm_pools.items()
    }
    claims = {
        name: components.SandboxClaim(name, args, after(pools[str(args["pool"])]))
        for name, args in stack.claims.items()
    }
    sandboxes = {name: components.Sandbox(name, args, in_namespace(args)) for name, args in stack.sandboxes.items()}
    access = {
        name: components.ControllerAppAccess(name, args, after(controller, *namespaces.values()))
        for name, args in stack.access.items()
    }

    if stack.observability is not None:
        components.Observability("observability", stack.observability, after(controller, router))
    if stack.gateway is not None:
        gateway = components.SandboxGateway("sandbox-gateway", stack.gateway, after(controller, router))
        pulumi.export("gatewayAddress", gateway.address)

    pulumi.export("namespace", namespaces[stack.namespace].namespace_name)
    pulumi.export("namespaces", {name: each.namespace_name for name, each in namespaces.items()})
    pulumi.export("routerUrl", router.url)
    pulumi.export("templates", {name: each.template_name for name, each in templates.items()})
    pulumi.export("warmPools", {name: each.pool_name for name, each in pools.items()})
    pulumi.export("claims", {name: each.sandbox_name for name, each in claims.items()})
    pulumi.export("sandboxes", {name: each.sandbox_name for name, each in sandboxes.items()})
    pulumi.export("serviceAccounts", {name: each.service_account_name for name, each in access.items()})
    pulumi.export(
        "kubeconfigs", {name: each.kubeconfig for name, each in access.items() if "kubeconfig" in stack.access[name]}
    )
    if stack.gke and platform:
        gke.export(stack.gke, platform, identities)
