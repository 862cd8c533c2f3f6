"""The stack's settings: everything the stack file says, checked as a whole before any resource.

The only reader of pulumi.Config. Entries that describe a component are checked against that
component's own arguments, so a key means here what it means there. All problems are reported
together, each with its key, its value, what follows and what helps.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NotRequired, TypedDict, cast

import pulumi
import yaml
from pulumi.runtime import config as pulumi_config

import releases
from components import (
    AgentSandboxControllerArgs,
    ControllerAppAccessArgs,
    ObservabilityArgs,
    Problem,
    SandboxAdmissionArgs,
    SandboxArgs,
    SandboxClaimArgs,
    SandboxGatewayArgs,
    SandboxNamespaceArgs,
    SandboxRouterArgs,
    SandboxTemplateArgs,
    SandboxWarmPoolArgs,
)
from components._arguments import arguments, find_problems, to_arguments
from components._checks import dns_label, matches, one_of
from local.paths import CHECKOUT, State
from settings import fleet as fleet_settings
from settings import gke as gke_settings
from settings.identities import SandboxEntry, TemplateEntry, identity_defaults, identity_problems, without_identity
from settings.sandbox_defaults import broken_references, sandbox_defaults
from settings.stack_defaults import gateway_defaults, observability_defaults, regional_gateway, router_defaults

PROJECT = "agent-sandbox"
TARGETS = ("local", "existing", *gke_settings.TARGETS, "fleet")
UNPINNED = "0" * 64
"""Stands for the checksum of a release that has none, until the check has said so."""

MOST_SANDBOXES = 10_000
"""Warm sandboxes over all pools; no cluster of upstream's load tests holds more."""


class SettingsError(pulumi.RunError):
    """The stack file is wrong; the text lists every problem."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        count = f"{len(self.problems)} problem" + ("s" if len(self.problems) > 1 else "")
        listed = "\n".join(str(problem) for problem in self.problems)
        super().__init__(f"The stack file has {count}; nothing was changed.\n{listed}")


def _one_release(values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    if "release" not in values or values.get("source") == "managed":
        return  # nothing else is taken with the source managed, which the component's own check says
    version, pinned = values["release"], releases.known().get(values["release"])
    if values.get("manifest") != str(releases.Release(version, "").manifest_path):
        remedy = "That is two releases at once. Remove one."
        yield "manifest", f"is given beside the release {version}", remedy
    elif pinned is None and values["sha256"] == UNPINNED:
        remedy = (
            f"Whatever the release page serves would be installed. See what it would change, and pin it:"
            f" {releases.pin_command(version)}; or add its sha256. Pinned are: {', '.join(releases.known())}."
        )
        yield "release", "is not pinned in releases.toml", remedy
    elif pinned is not None and values["sha256"] != pinned.sha256:
        remedy = f"It pins {pinned.sha256}. Remove yours, or see what it would change: {releases.pin_command(version)}."
        yield "sha256", f"is not what releases.toml pins for {version}", remedy


_version = matches(
    r"v\d+\.\d+\.\d+([-.]?\w+)*",
    "is not a release",
    "Nothing could be fetched. Write it as upstream does, as in v0.5.6.",
)


@arguments(extends=AgentSandboxControllerArgs, together=_one_release, release=_version)
class ControllerEntry(AgentSandboxControllerArgs):
    """The component's arguments, or a release in place of manifest, sha256 and image."""

    release: NotRequired[str]
    """A release that releases.toml pins, or any other together with its sha256. Default the one that this project's
    own tests run against."""


def _needs_context(values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    if values.get("target") == "existing" and not values.get("context"):
        remedy = "The stack would land on whichever cluster is current. Name the kubeconfig's context."
        yield "context", "is given, though the target is an existing cluster", remedy


@arguments(
    together=_needs_context,
    target=one_of(TARGETS, "It says which cluster the stack is for."),
    namespace=dns_label,
)
class StackFile(TypedDict):
    """Every key of a stack file, as in agent-sandbox:<key>. Pulumi.yaml declares the same."""

    target: NotRequired[str]
    kubeconfig: NotRequired[str]
    context: NotRequired[str]
    namespace: NotRequired[str]
    namespaces: NotRequired[dict[str, SandboxNamespaceArgs]]
    controller: NotRequired[ControllerEntry]
    router: NotRequired[SandboxRouterArgs]
    admission: NotRequired[dict[str, SandboxAdmissionArgs]]
    gateway: NotRequired[SandboxGatewayArgs]
    observability: NotRequired[ObservabilityArgs]
    templates: NotRequired[dict[str, TemplateEntry]]
    warm_pools: NotRequired[dict[str, SandboxWarmPoolArgs]]
    claims: NotRequired[dict[str, SandboxClaimArgs]]
    sandboxes: NotRequired[dict[str, SandboxEntry]]
    access: NotRequired[dict[str, ControllerAppAccessArgs]]
    # On GKE alone; gke.py checks what is in them.
    environment: NotRequired[str]
    project: NotRequired[str]
    region: NotRequired[str]
    zones: NotRequired[list[str]]
    services: NotRequired[list[str]]
    network: NotRequired[dict[str, Any]]
    cluster: NotRequired[dict[str, Any]]
    node_pools: NotRequired[dict[str, dict[str, Any]]]
    registry: NotRequired[dict[str, Any]]
    identities: NotRequired[dict[str, dict[str, Any]]]
    snapshots: NotRequired[dict[str, Any]]
    protected: NotRequired[bool]
    name: NotRequired[str]
    # For a fleet alone; fleet.py checks them.
    members: NotRequired[list[str]]
    config_cluster: NotRequired[str]


TEXTS = (
    "target",
    "kubeconfig",
    "context",
    "namespace",
    "environment",
    "name",
    "project",
    "region",
    "configCluster",
)
"""Keys whose value is a text, which Pulumi hands over as it is, and empty where none is given; the others
come as JSON."""


@dataclass(frozen=True)
class Settings:
    """A checked stack file. The maps are by name, in the order of the file."""

    target: str
    kubeconfig: str | None
    context: str | None
    namespace: str
    """Where an entry lives that names no namespace of its own."""
    namespaces: Mapping[str, SandboxNamespaceArgs]
    """All namespaces that the stack makes, the one above among them."""
    controller: AgentSandboxControllerArgs
    release: releases.Release | None
    """The pinned release that `controller` installs; None if it brings its own manifest, or installs none."""
    router: SandboxRouterArgs
    admission: Mapping[str, SandboxAdmissionArgs]
    gateway: SandboxGatewayArgs | None
    """None where the stack has no gateway."""
    observability: ObservabilityArgs | None
    """None where the stack has none."""
    templates: Mapping[str, SandboxTemplateArgs]
    warm_pools: Mapping[str, SandboxWarmPoolArgs]
    claims: Mapping[str, SandboxClaimArgs]
    sandboxes: Mapping[str, SandboxArgs]
    access: Mapping[str, ControllerAppAccessArgs]
    gke: gke_settings.Gke | None
    """What is made on GKE before all that; None on a cluster that is there already."""
    fleet: fleet_settings.Fleet | None
    """Which clusters are joined instead of all that; None for a stack that has one of its own."""


def load(config: pulumi.Config) -> Settings:
    """The settings of the stack that Pulumi runs. Raises SettingsError."""
    prefix = f"{config.name}:"
    set_keys = sorted({*pulumi_config.CONFIG.get(), *pulumi_config.get_config_env()})
    names = [key.removeprefix(prefix) for key in set_keys if key.startswith(prefix)]
    return parse({name: _value(config, name) for name in names})


def _value(config: pulumi.Config, name: str) -> Any:
    if name in TEXTS:
        return config.get(name)
    try:
        return config.get_object(name)
    except pulumi.ConfigTypeError:  # not JSON: a text where none belongs, which parse reports
        return config.get(name)


def read(stack_file: Path) -> Settings:
    """The settings in a stack file, without Pulumi; secrets stay closed. Raises SettingsError."""
    declared = yaml.safe_load((CHECKOUT / "Pulumi.yaml").read_text())["config"]
    values = {name: entry["default"] for name, entry in declared.items()}
    content = yaml.safe_load(stack_file.read_text()) or {}
    for key, value in (content.get("config") or {}).items():
        project, _, name = str(key).rpartition(":")
        if project in ("", PROJECT):
            values[name] = _closed(_as_pulumi_reads(name, value))
    return parse(values)


def _as_pulumi_reads(name: str, value: Any) -> Any:
    """A value of a stack file as the program gets it: Pulumi writes numbers and truth values as texts."""
    if name in TEXTS or not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _closed(value: Any) -> Any:
    """`value` with a placeholder for each encrypted text in it."""
    if isinstance(value, Mapping):
        return "(a secret)" if set(value) == {"secure"} else {name: _closed(each) for name, each in value.items()}
    return [_closed(each) for each in value] if isinstance(value, list) else value


def parse(values: Mapping[str, Any]) -> Settings:
    """The settings that a stack file's `values`, by key without prefix, describe. Raises SettingsError."""
    filled = _with_defaults(values)
    problems = find_problems(StackFile, filled, f"{PROJECT}:", "camel")
    problems += [*broken_references(filled, PROJECT), *regional_gateway(filled, PROJECT), *identity_problems(filled)]
    problems += fleet_settings.misplaced(values)
    if not problems:
        problems += fleet_settings.problems(filled)
        problems += gke_settings.problems(filled) if filled["target"] != "fleet" else []
    if problems:
        raise SettingsError(problems)
    stack = to_arguments(StackFile, filled)
    controller = dict(stack["controller"])
    controller.pop("release", None)
    release = _release(values.get("controller"))
    return Settings(
        target=stack["target"],
        kubeconfig=stack.get("kubeconfig") or _local_kubeconfig(stack["target"]),
        context=stack.get("context") or None,
        namespace=stack["namespace"],
        namespaces=stack["namespaces"],
        controller=cast(AgentSandboxControllerArgs, controller),
        release=release if _installs(stack["target"], controller, release) else None,
        router=stack["router"],
        admission=stack["admission"],
        gateway=stack.get("gateway") or None,
        observability=stack.get("observability") or None,
        templates=cast(dict[str, SandboxTemplateArgs], without_identity(stack["templates"])),
        warm_pools=stack["warm_pools"],
        claims=stack["claims"],
        sandboxes=cast(dict[str, SandboxArgs], without_identity(stack["sandboxes"])),
        access=stack["access"],
        gke=gke_settings.parse(filled),
        fleet=fleet_settings.parse(filled),
    )


def _installs(target: str, controller: Mapping[str, Any], release: releases.Release) -> bool:
    return target != "fleet" and controller.get("manifest") == str(release.manifest_path)


def _local_kubeconfig(target: str) -> str | None:
    return str(State.of_checkout().kubeconfig) if target == "local" else None


def _with_defaults(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with what they leave to the program; what is not even a map is left for the check."""
    given = {key: value for key, value in values.items() if not (key in TEXTS and value == "")}
    filled = {"target": "local", "namespace": "sandboxes", **given}
    release = _release(values.get("controller"))
    filled["controller"] = _filled(values.get("controller", {}), _release_arguments(values.get("controller"), release))
    filled |= sandbox_defaults(filled)
    filled |= identity_defaults(filled)
    filled["router"] = _filled(values.get("router", {}), router_defaults(filled, release))
    for key, defaults in (("gateway", gateway_defaults), ("observability", observability_defaults)):
        if values.get(key):
            filled[key] = _filled(values[key], defaults(filled))
        else:
            filled.pop(key, None)
    return filled


def _filled(entry: Any, defaults: Mapping[str, Any]) -> Any:
    return {**defaults, **entry} if isinstance(entry, Mapping) else entry


def _release(controller: Any) -> releases.Release:
    """The release that a stack file's controller names, if only by version and checksum; else the default."""
    if not isinstance(controller, Mapping) or not isinstance(controller.get("release"), str):
        return releases.default()
    version = controller["release"]
    given = controller.get("sha256", UNPINNED)
    return releases.known().get(version) or releases.Release(version, str(given), releases.ASSET)


def _release_arguments(controller: Any, release: releases.Release) -> dict[str, Any]:
    """The upstream source's three arguments, unless the stack file gives its own, or the managed source."""
    if isinstance(controller, Mapping) and ("manifest" in controller or controller.get("source") == "managed"):
        return {}
    return {"manifest": str(release.manifest_path), "sha256": release.sha256, "image": release.controller_image}
