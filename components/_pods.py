"""From a blueprint's arguments to the fields of a SandboxTemplate's or a Sandbox's spec."""

from collections.abc import Mapping
from typing import Any

from components._blueprint import BlueprintArgs, VolumeArgs, VolumeClaimArgs
from components._egress import DEFAULT, dns_fields, egress_rules, ingress_rules
from components._hardening import harden
from components._kubernetes import SYSTEM_NAMESPACE
from components._runtimes import RUNTIMES


def blueprint(args: BlueprintArgs) -> dict[str, Any]:
    """The fields that upstream calls SandboxBlueprint."""
    metadata = {field: args[field] for field in ("labels", "annotations") if field in args}
    fields: dict[str, Any] = {"podTemplate": {"spec": pod_spec(args), **({"metadata": metadata} if metadata else {})}}
    if claims := args.get("volume_claims"):
        fields["volumeClaimTemplates"] = [claim_template(name, each) for name, each in claims.items()]
    if "service" in args:
        fields["service"] = args["service"]
    return fields


def pod_spec(args: BlueprintArgs) -> dict[str, Any]:
    """The hardened pod spec, from either form."""
    spec = copied(args["pod"]) if "pod" in args else _short_form(args)
    spec["nodeSelector"] = {**(spec.get("nodeSelector") or {}), **args.get("node_selector", {})}
    spec["tolerations"] = [*(spec.get("tolerations") or ()), *args.get("tolerations", ())]
    if not args.get("unsafe_unmanaged_network", False) and "dnsPolicy" not in spec:
        fields = dns_fields(args.get("egress", DEFAULT))
        aliases = [*(spec.get("hostAliases") or ()), *fields.pop("hostAliases", ())]
        spec |= {**fields, **({"hostAliases": aliases} if aliases else {})}
    first = spec["containers"][0]
    mounts = [_mount(name, each, False) for name, each in args.get("volume_claims", {}).items() if "mount_path" in each]
    if mounts:
        first["volumeMounts"] = [*(first.get("volumeMounts") or ()), *mounts]
    _probe(first, args)
    runtime = RUNTIMES[args.get("runtime", "gvisor")]
    return harden(spec, runtime, args.get("user", 1000), args.get("read_only_root", False))


def network_rules(args: BlueprintArgs) -> dict[str, Any]:
    """Who may reach it and what it may reach, as NetworkPolicy rules."""
    return {
        "ingress": ingress_rules(args.get("clients", ()), args.get("router_namespace", SYSTEM_NAMESPACE)),
        "egress": egress_rules(args.get("egress", DEFAULT)),
    }


def copied(value: Any) -> Any:
    """A copy to change, in which only maps and lists are new: outputs cannot be copied."""
    if isinstance(value, Mapping):
        return {key: copied(each) for key, each in value.items()}
    return [copied(each) for each in value] if isinstance(value, list) else value


def _short_form(args: BlueprintArgs) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": "sandbox",
        "image": args["image"],
        "imagePullPolicy": "IfNotPresent",
        "ports": [
            {"name": "http", "containerPort": args.get("port", 8888)},
            *({"name": name, "containerPort": number} for name, number in args.get("ports", {}).items()),
        ],
        "resources": {field: args[field] for field in ("requests", "limits") if field in args},
    }
    for field in ("command", "args"):
        if field in args:
            container[field] = args[field]
    if env := args.get("env"):
        container["env"] = [{"name": key, "value": value} for key, value in env.items()]
    spec: dict[str, Any] = {"containers": [container]}
    if volumes := args.get("volumes"):
        container["volumeMounts"] = [_mount(name, each, _is_files(each)) for name, each in volumes.items()]
        spec["volumes"] = [{"name": name, **_source(each)} for name, each in volumes.items()]
    if "service_account" in args:
        spec["serviceAccountName"] = args["service_account"]
    if "priority_class" in args:
        spec["priorityClassName"] = args["priority_class"]
    return spec


def _probe(container: dict[str, Any], args: BlueprintArgs) -> None:
    """Startup and readiness, unless the container brings its own; of a full pod spec only its port is known."""
    ports = container.get("ports") or []
    if not ports:
        return
    if "pod" in args:
        probe: dict[str, Any] = {"tcpSocket": {"port": ports[0].get("name", ports[0]["containerPort"])}}
    else:
        probe = {"httpGet": {"path": args.get("health_path", "/"), "port": "http"}}
    container.setdefault("startupProbe", {**probe, "periodSeconds": 1, "failureThreshold": 60})
    container.setdefault("readinessProbe", {**probe, "periodSeconds": 5})


def _is_files(volume: VolumeArgs) -> bool:
    return "config_map" in volume or "secret" in volume


def _mount(name: str, volume: VolumeArgs | VolumeClaimArgs, read_only: bool) -> dict[str, Any]:
    given: Any = volume
    only = given.get("read_only", read_only)
    return {"name": name, "mountPath": given["mount_path"], **({"readOnly": True} if only else {})}


def _source(volume: VolumeArgs) -> dict[str, Any]:
    if "config_map" in volume:
        return {"configMap": {"name": volume["config_map"]}}
    if "secret" in volume:
        return {"secret": {"secretName": volume["secret"]}}
    if "claim" in volume:
        return {"persistentVolumeClaim": {"claimName": volume["claim"]}}
    return {"emptyDir": {"sizeLimit": volume["size_limit"]} if "size_limit" in volume else {}}


def claim_template(name: str, claim: VolumeClaimArgs) -> dict[str, Any]:
    """An entry of a spec's volumeClaimTemplates."""
    spec: dict[str, Any] = {
        "accessModes": claim.get("access_modes", ["ReadWriteOnce"]),
        "resources": {"requests": {"storage": claim["size"]}},
    }
    if "storage_class" in claim:
        spec["storageClassName"] = claim["storage_class"]
    return {"metadata": {"name": name}, "spec": spec}
