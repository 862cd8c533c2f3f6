"""Stack files as the commands take them: found by the stack's name, read, and refused before anything is started."""

from pathlib import Path
from typing import Any

from local import standin_gcp
from local.console import Failure, say
from local.paths import CHECKOUT

STACK = "local"


def stack_file(config_file: Path | None, stack: str = STACK) -> Path:
    """The file that was asked for, or the one of the stack that was. Raises Failure."""
    file = config_file or CHECKOUT / f"Pulumi.{stack}.yaml"
    if not file.exists():
        known = sorted(each.name.split(".")[1] for each in CHECKOUT.glob("Pulumi.*.yaml"))
        raise Failure(f"There is no stack file {file.name} (there are stacks {', '.join(known)}).")
    return file


def check_settings(config_file: Path | None, stack: str = STACK, on_real_cluster: bool = False) -> Any:
    """The settings in a stack file; a wrong one is refused before anything is built or started. Raises Failure.

    Of a stack on Google Cloud, which here means on the stand-in, it says so, unless it is looked at where it really is.
    """
    import settings  # noqa: PLC0415 - loads Pulumi's SDK, which most commands do without

    try:
        read = settings.read(stack_file(config_file, stack))
    except settings.SettingsError as error:
        raise Failure(str(error)) from error
    if is_on_google(read) and not on_real_cluster:
        say(standin_gcp.NOTICE)
    return read


def is_on_google(stack: Any) -> bool:
    """Whether the settings are of a stack on Google Cloud, with a cluster of its own or joining others'."""
    return stack.gke is not None or stack.fleet is not None
