"""Where images come from, and whether the same name means the same image tomorrow."""

import re
from collections.abc import Iterator
from typing import Any

from policies.controls import Hit, Parameters, Topic, untold
from policies.pods import Pod
from policies.values import UNKNOWN, get
from policies.workloads import PARAMETERS

TOPIC = Topic(
    "supply-chain",
    "Images are pinned, and come from registries that are allowed",
    "pods",
    url="https://kubernetes.io/docs/concepts/containers/images/",
    parameters={
        **PARAMETERS,
        "allowedRegistries": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "description": "Prefixes of images that may run, as in `registry.k8s.io/` or "
            "`europe-docker.pkg.dev/my-project/`; none for any. "
            "An image without a registry is `docker.io/library/...`.",
        },
        "requireDigest": {
            "type": "boolean",
            "default": False,
            "description": "Whether an image must have a digest, since the tag of a release can still be moved.",
        },
    },
)

_IMAGE = re.compile(r"(?P<repository>[^@\s]+?)(:(?P<tag>\w[\w.-]{0,127}))?(@(?P<digest>sha256:[0-9a-f]{64}))?")


@TOPIC.control(
    "imagePinned",
    severity="high",
    risk="What runs changes under an unchanged stack, and nobody reviewed it.",
    fix="Name a release's tag, or a digest.",
)
def image_pinned(pod: Pod, parameters: Parameters) -> Iterator[Hit]:
    """Every image has a tag that does not move, or a digest."""
    for path, image in _images(pod):
        if image is UNKNOWN:
            yield untold(path)
            continue
        match = _IMAGE.fullmatch(image or "")
        if match is None:
            yield Hit(path, "is not an image reference" if image else "names no image")
        elif match["digest"]:
            continue
        elif parameters["requireDigest"]:
            yield Hit(path, "has no digest")
        elif match["tag"] is None:
            yield Hit(path, "has neither a tag nor a digest, so it means latest")
        elif match["tag"].startswith("latest"):
            yield Hit(path, "has a tag that moves")


@TOPIC.control(
    "allowedRegistry",
    severity="high",
    risk="Anybody may publish there, under a name like that of what is meant.",
    fix="Use an image from one of the configured allowedRegistries.",
)
def allowed_registry(pod: Pod, parameters: Parameters) -> Iterator[Hit]:
    """Every image comes from an allowed registry, where allowedRegistries is configured."""
    allowed = tuple(parameters["allowedRegistries"])
    for path, image in _images(pod) if allowed else ():
        if image is UNKNOWN:
            yield untold(path)
        elif image and not _full_name(image).startswith(allowed):
            yield Hit(path, "is not from an allowed registry")


def _images(pod: Pod) -> Iterator[tuple[str, Any]]:
    for path, container in pod.containers:
        image = get(container, "image")
        if image is None and pod.owner.patch:
            continue  # a patch that leaves the image alone
        yield (path if container is UNKNOWN else f"{path}.image"), image
    # An image volume is code as well.
    volumes = pod.get("volumes")
    for index, volume in enumerate(volumes if isinstance(volumes, list) else ()):
        reference = get(volume, "image", "reference")
        if reference is not None:
            yield f"{pod.at('volumes')}[{index}].image.reference", reference


def _full_name(image: str) -> str:
    """The image with the registry that a container runtime reads into it."""
    first, slash, _ = image.partition("/")
    if not slash:
        return f"docker.io/library/{image}"
    return image if "." in first or ":" in first or first == "localhost" else f"docker.io/{image}"
