"""Which image is pulled: from upstream's registry or a mirror of it, by tag or by digest."""

from collections.abc import Mapping
from typing import Any, cast

import pulumi

from components._checks import Finding, matches

image_digest = matches(
    r"sha256:[0-9a-f]{64}", "is not a digest", "Nothing could be pulled. Write sha256: and 64 hexadecimal digits."
)


def image_registry(value: str) -> Finding:
    """A registry's host, and a path in it if there is one."""
    if value and "://" not in value and not value.endswith("/") and " " not in value and "@" not in value:
        return None
    return "is not a registry", "Nothing could be pulled. Write host/path with neither a scheme nor a slash at the end."


def chosen_image(args: Mapping[str, Any]) -> pulumi.Input[str]:
    """`args["image"]`, moved to `image_registry` and pinned by `image_digest` where they are given."""
    image, registry, digest = args["image"], args.get("image_registry"), args.get("image_digest")
    if registry is None and digest is None:
        return cast(pulumi.Input[str], image)
    if isinstance(image, str):
        return _moved(image, registry, digest)
    return pulumi.Output.from_input(image).apply(lambda known: _moved(known, registry, digest))


def _moved(image: str, registry: str | None, digest: str | None) -> str:
    if registry is not None:
        image = f"{registry}/{image.rpartition('/')[2]}"
    return image if digest is None else f"{image.partition('@')[0]}@{digest}"
