"""Command-line flags of upstream's programs: how values are written, and which ones may be passed through."""

from collections.abc import Mapping, Sequence


def written(value: object) -> str:
    """A value as Go's flag package reads it."""
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def extra_flags_problem(extra: Sequence[str], own: Sequence[str], typed: Mapping[str, str]) -> tuple[str, str] | None:
    """What is wrong with flags that are passed through; `typed` names the argument that is there for a flag."""
    for flag in extra:
        name = flag.lstrip("-").partition("=")[0]
        if not flag.startswith("-"):
            return f"holds {flag}, which is not a flag", "The program would not start. Write --name=value."
        if name in own:
            return f"holds {flag}", "Ports, probes and replicas depend on this flag, so it is the component's own."
        if name in typed:
            return f"holds {flag}", f"What this flag means for the other objects would be lost. Use {typed[name]}."
    return None
