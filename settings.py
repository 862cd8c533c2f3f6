"""The stack's settings: everything the stack file says, checked as a whole before any resource.

The only reader of pulumi.Config. Entries that describe a component are checked against that
component's own arguments, so a key means here what it means there. All problems are reported
together, each with its key, its value, what follows and what helps.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
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
    Problem,
    SandboxAdmissionArgs,
    SandboxArgs,
    SandboxClaimArgs,
    SandboxNamespaceArgs,
    SandboxRouterArgs,
    SandboxTemplateArgs,
    SandboxWarmPoolArgs,
)
from components._arguments import arguments, find_problems, show, similar, to_arguments
from components._checks import dns_label, one_of
from local.paths import CHECKOUT, State

PROJECT = "agent-sandbox"
TARGETS = ("local", "existing")
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
    if "release" not in values:
        return
    if values.get("source") == "managed":
        yield (
            "release",
            "is given, though the source is managed",
            "Both would own the same CRDs. Remove one of the two.",
        )
    elif values.get("manifest") != str(releases.known()[values["release"]].manifest_path):
        yield (
            "manifest",
            f"is given beside the release {values['release']}",
            "That is two releases at once. Remove one.",
        )


@arguments(
    extends=AgentSandboxControllerArgs,
    together=_one_release,
    release=one_of(releases.known(), "Its manifest is not pinned in releases.toml."),
)
class ControllerEntry(AgentSandboxControllerArgs):
    """The component's arguments, or a pinned release in place of manifest, sha256 and image."""

    release: NotRequired[str]


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
    templates: NotRequired[dict[str, SandboxTemplateArgs]]
    warm_pools: NotRequired[dict[str, SandboxWarmPoolArgs]]
    claims: NotRequired[dict[str, SandboxClaimArgs]]
    sandboxes: NotRequired[dict[str, SandboxArgs]]
    access: NotRequired[dict[str, ControllerAppAccessArgs]]


TEXTS = ("target", "kubeconfig", "context", "namespace")
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
    templates: Mapping[str, SandboxTemplateArgs]
    warm_pools: Mapping[str, SandboxWarmPoolArgs]
    claims: Mapping[str, SandboxClaimArgs]
    sandboxes: Mapping[str, SandboxArgs]
    access: Mapping[str, ControllerAppAccessArgs]


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
            values[name] = _closed(value)
    return parse(values)


def _closed(value: Any) -> Any:
    """`value` with a placeholder for each encrypted text in it."""
    if isinstance(value, Mapping):
        return "(a secret)" if set(value) == {"secure"} else {name: _closed(each) for name, each in value.items()}
    return [_closed(each) for each in value] if isinstance(value, list) else value


def parse(values: Mapping[str, Any]) -> Settings:
    """The settings that a stack file's `values`, by key without prefix, describe. Raises SettingsError."""
    filled = _with_defaults(values)
    problems = find_problems(StackFile, filled, f"{PROJECT}:", "camel")
    problems += _broken_references(filled)
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
        release=release if controller.get("manifest") == str(release.manifest_path) else None,
        router=stack["router"],
        admission=stack["admission"],
        templates=stack["templates"],
        warm_pools=stack["warm_pools"],
        claims=stack["claims"],
        sandboxes=stack["sandboxes"],
        access=stack["access"],
    )


def _local_kubeconfig(target: str) -> str | None:
    return str(State.of_checkout().kubeconfig) if target == "local" else None


def _with_defaults(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with what they leave to the program; what is not even a map is left for the check."""
    given = {key: value for key, value in values.items() if not (key in TEXTS and value == "")}
    filled = {"target": "local", "namespace": "sandboxes", **given}
    release = _release(values.get("controller"))
    filled["controller"] = _filled(values.get("controller", {}), _release_arguments(values.get("controller"), release))
    filled["router"] = _filled(values.get("router", {}), {"image": release.router_image})
    namespace = filled["namespace"]
    filled["namespaces"] = _filled(values.get("namespaces", {}), {} if _is_in(values, namespace) else {namespace: {}})
    here = {"namespace": namespace}
    for key in ("templates", "sandboxes"):
        filled[key] = _each_filled(values.get(key, {}), lambda _: here)
    filled["warmPools"] = _each_filled(values.get("warmPools", {}), _place_of(filled["templates"], "template", here))
    filled["claims"] = _each_filled(values.get("claims", {}), _place_of(filled["warmPools"], "pool", here))
    filled["access"] = _each_filled(values.get("access", {}), lambda _: {"sandboxNamespaces": [namespace]})
    made = list(filled["namespaces"]) if isinstance(filled["namespaces"], Mapping) else [namespace]
    everywhere = {"namespaces": made}
    filled["admission"] = _each_filled(
        values.get("admission", {}), lambda entry: {} if "namespaceLabels" in entry else everywhere
    )
    return filled


def _is_in(values: Mapping[str, Any], namespace: object) -> bool:
    return isinstance(values.get("namespaces"), Mapping) and namespace in values["namespaces"]


def _place_of(entries: Any, field: str, otherwise: dict[str, Any]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Where an entry lives by default: where that one lives which its `field` names."""

    def place(entry: Mapping[str, Any]) -> dict[str, Any]:
        named = entry.get(field)
        other = entries.get(named) if isinstance(entries, Mapping) and isinstance(named, str) else None
        return {"namespace": other["namespace"]} if isinstance(other, Mapping) else otherwise

    return place


def _each_filled(entries: Any, defaults: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> Any:
    if not isinstance(entries, Mapping):
        return entries
    return {name: _filled(each, defaults(each) if isinstance(each, Mapping) else {}) for name, each in entries.items()}


def _filled(entry: Any, defaults: Mapping[str, Any]) -> Any:
    return {**defaults, **entry} if isinstance(entry, Mapping) else entry


def _release(controller: Any) -> releases.Release:
    version = controller.get("release") if isinstance(controller, Mapping) else None
    return releases.known().get(str(version), releases.default())


def _release_arguments(controller: Any, release: releases.Release) -> dict[str, Any]:
    """The upstream source's three arguments, unless the stack file gives its own, or the managed source."""
    if isinstance(controller, Mapping) and ("manifest" in controller or controller.get("source") == "managed"):
        return {}
    return {"manifest": str(release.manifest_path), "sha256": release.sha256, "image": release.controller_image}


def _broken_references(values: Mapping[str, Any]) -> list[Problem]:
    """Names that nothing bears: a pool's template, a claim's pool, a namespace."""
    problems = _dangling(values, "warmPools", "template", "templates", "The pool would never fill.")
    problems += _dangling(values, "claims", "pool", "warmPools", "The claim would never be bound.")
    for key in ("templates", "warmPools", "claims", "sandboxes"):
        problems += _dangling(values, key, "namespace", "namespaces", "There would be nowhere to put it.")
    problems += _apart(values, "warmPools", "template", "templates", "The pool would never fill.")
    problems += _apart(values, "claims", "pool", "warmPools", "The claim would never be bound.")
    return problems + _applications_among_sandboxes(values)


def _entries(values: Mapping[str, Any], key: str) -> dict[str, Mapping[str, Any]]:
    """The entries of a map that are maps themselves; what is not is reported by the check of types."""
    entries = values[key] if isinstance(values[key], Mapping) else {}
    return {name: entry for name, entry in entries.items() if isinstance(entry, Mapping)}


def _apart(values: Mapping[str, Any], key: str, field: str, target: str, consequence: str) -> list[Problem]:
    targets, problems = _entries(values, target), []
    for name, entry in _entries(values, key).items():
        other = targets.get(str(entry.get(field)))
        if other is not None and other.get("namespace") != entry.get("namespace"):
            where = f"{PROJECT}:{key}.{name}.namespace"
            wrong = f"is not the namespace of {entry[field]}, {other.get('namespace')}"
            problems.append(Problem(where, show(entry.get("namespace")), wrong, f"{consequence} Leave it out."))
    return problems


def _applications_among_sandboxes(values: Mapping[str, Any]) -> list[Problem]:
    """Accounts in a namespace of sandboxes, and rights in one that holds none."""
    namespaces, problems = _entries(values, "namespaces"), []
    for name, entry in _entries(values, "access").items():
        key = f"{PROJECT}:access.{name}"
        if entry.get("namespace") in namespaces:
            remedy = "A sandbox there could be given its account. Name the namespace of the application."
            problems.append(Problem(f"{key}.namespace", show(entry["namespace"]), "is one of the sandboxes'", remedy))
        listed = entry.get("sandboxNamespaces")
        for index, each in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(each, str) and each not in namespaces:
                remedy = f"No right would come of it. {similar(each, namespaces)}"
                where = f"{key}.sandboxNamespaces[{index}]"
                problems.append(Problem(where, show(each), "is not one of the namespaces", remedy))
    return problems


def _dangling(values: Mapping[str, Any], key: str, field: str, target: str, consequence: str) -> list[Problem]:
    names = list(values[target]) if isinstance(values[target], Mapping) else []
    problems = []
    for name, entry in _entries(values, key).items():
        given = entry.get(field)
        if isinstance(given, str) and given not in names:
            remedy = f"{consequence} Correct the name, or add it under {PROJECT}:{target}. {similar(given, names)}"
            problems.append(
                Problem(f"{PROJECT}:{key}.{name}.{field}", show(given), f"is not one of the {target}", remedy)
            )
    return problems
