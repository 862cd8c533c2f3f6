"""The images that the stack names, as archives in the cache: pulled where a registry can be reached, else put together.

What is put together bears the name of the image that it stands for, so the stack is the same. It is made
of the same sources: the controller and the router that the toolchain built, upstream's Python runtime
server with its pinned requirements on Debian's Python. crane does the images; the layers are made the
same from the same files, with no time in them.
"""

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from local import building, downloads
from local.bootstrap import installers, locked
from local.console import Failure, Step, say, step
from local.node import packages
from local.node.config import PAUSE_IMAGE
from local.paths import CACHE, made_whole
from local.supervisor import free_port
from local.toolchain import Toolchain, allowed_ways
from local.tools import SOURCES, pinned

HOME = CACHE / "images"
PULL_TIMEOUT = 300
"""Seconds for one image from a registry that answers."""
ANSWER_TIMEOUT = 5
"""Seconds for a registry to say that it is there."""

PYTHON_PACKAGES = (
    "bash",
    "ca-certificates",
    "coreutils",
    "dash",
    "findutils",
    "grep",
    "gzip",
    "hostname",
    "libpython3-stdlib",
    "mount",
    "procps",
    "python3",
    "sed",
    "tar",
    "util-linux",
)
"""Debian's packages in the Python runtime's image: Python, and the commands that one expects beside it."""

PYTHON_REVISION = 2
"""Goes up when the way in which that image is put together changes."""

UNUSED = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/info",
    "usr/share/locale",
    "usr/share/bash-completion",
    "var/cache",
)


@dataclass(frozen=True)
class Recipe:
    """How an image is put together, and what it says of itself."""

    fill: Callable[[Toolchain, Path, Step], None]
    """Fills the root file system."""
    inputs: Callable[[Toolchain], str]
    """What the content follows from; another text is another image."""
    settings: tuple[str, ...]
    """crane's flags for the image's configuration."""


def _binary(tool: str, user: str) -> Recipe:
    """An image of one static program."""

    def fill(tools: Toolchain, root: Path, _: Step) -> None:
        shutil.copy(tools.path(tool), root / tool)

    return Recipe(fill, lambda tools: str(tools.path(tool)), (f"--entrypoint=/{tool}", f"--user={user}"))


def _python_inputs(_: Toolchain) -> str:
    server = pinned("agent-sandbox", "sigs.k8s.io/agent-sandbox")
    requirements = (SOURCES / "python-runtime" / "requirements.txt").read_text()
    return f"{PYTHON_REVISION} {server} {' '.join(PYTHON_PACKAGES)} {requirements}"


def _fill_python(_: Toolchain, root: Path, progress: Step) -> None:
    with tempfile.TemporaryDirectory() as folder:
        nothing = Path(folder) / "status"
        nothing.touch()
        packages.unpack(PYTHON_PACKAGES, root, progress, installed=nothing)
    for each in UNUSED:
        shutil.rmtree(root / each, ignore_errors=True)
    (root / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\nsandbox:x:1000:1000::/app:/bin/sh\n")
    (root / "etc" / "group").write_text("root:x:0:\nsandbox:x:1000:\n")
    for folder_name in ("app", "dev", "proc", "sys", "tmp", "run", "root"):
        (root / folder_name).mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)
    upstream = building.module_folder(SOURCES / "agent-sandbox", "sigs.k8s.io/agent-sandbox")
    shutil.copyfile(upstream / "examples" / "python-runtime-sandbox" / "main.py", root / "app" / "main.py")
    version = next((root / "usr" / "bin").glob("python3.*")).name.removeprefix("python")
    libraries = root / "usr" / "local" / "lib" / f"python{version}" / "dist-packages"
    progress.update("installing the runtime server's requirements")
    _install_requirements(version, libraries)
    # Their first line names the interpreter that installed them, and so does their record; nothing starts them.
    shutil.rmtree(libraries / "bin", ignore_errors=True)
    for record in libraries.glob("*.dist-info/RECORD"):
        record.unlink()
    (root / "usr" / "local" / "bin").mkdir(parents=True, exist_ok=True)
    (root / "usr" / "local" / "bin" / "python").symlink_to("/usr/bin/python3")
    # Compiled now, by content rather than by time: a sandbox starts seconds sooner.
    compile_all = ["python3", "-m", "compileall", "-q", "--invalidation-mode=unchecked-hash"]
    subprocess.run(
        ["chroot", str(root), *compile_all, "/usr/lib/python3", f"/usr/lib/python{version}", "/usr/local/lib", "/app"],
        check=False,  # a few test files of Debian's are meant not to compile
        capture_output=True,
    )
    for path in [root / "app", *(root / "app").rglob("*")]:
        os.chown(path, 1000, 1000)


def _install_requirements(version: str, target: Path) -> None:
    import sys  # noqa: PLC0415

    options = ["--target", str(target), "--python-version", version, "--only-binary", ":all:", "--no-deps"]
    file = ["-r", str(SOURCES / "python-runtime" / "requirements.txt")]
    for installer in installers(sys.executable):
        command = [each for each in installer if each != "--compile-bytecode"]
        ended = subprocess.run([*command, *options, *file], capture_output=True, text=True, check=False)
        if ended.returncode == 0:
            return
    raise Failure(f"The Python runtime's requirements cannot be installed:\n{ended.stderr[-800:]}")


RECIPES = {
    "pause": _binary("pause", "65535:65535"),
    "agent-sandbox-controller": _binary("agent-sandbox-controller", "65532:65532"),
    "sandbox-router-go": _binary("sandbox-router", "65532:65532"),
    "python-runtime-sandbox": Recipe(
        _fill_python,
        _python_inputs,
        (
            "--cmd=python3,-m,uvicorn,main:app,--host,0.0.0.0,--port,8888",
            "--user=1000:1000",
            "--workdir=/app",
            "--env=PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "--env=PYTHONUNBUFFERED=1",
        ),
    ),
}
"""What can be put together here, by the last part of the image's repository."""


def repository(image: str) -> str:
    """The last part of an image's repository: `pause` of registry.example/a/pause:v1."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


def ensure(names: Iterable[str], tools: Toolchain) -> dict[str, Path]:
    """The archive of each image, and of the pod's own (pause). Raises Failure naming those that are not to be had."""
    wanted = sorted({PAUSE_IMAGE, *names})
    with locked(f"{HOME}/.lock", lambda: say("Waiting for another run that makes the same images.")):
        ways = allowed_ways()
        found: dict[str, Path] = {}
        failures = []
        silent: dict[str, str] = {}
        for image in wanted:
            try:
                found[image] = _archive(image, tools, ways, silent)
            except Failure as error:
                failures.append(str(error))
    if failures:
        raise Failure("\n".join(failures))
    return found


def _archive(image: str, tools: Toolchain, ways: Iterable[str], silent: dict[str, str]) -> Path:
    pulled = HOME / f"{_file_name(image)}-pulled" / "image.tar"
    if pulled.exists():
        return pulled
    recipe = RECIPES.get(repository(image))
    if recipe is not None:
        digest = hashlib.sha256(f"{recipe.inputs(tools)} {recipe.settings}".encode()).hexdigest()[:12]
        built = HOME / f"{_file_name(image)}-{digest}" / "image.tar"
        if built.exists():
            return built
    reason = "downloads are not allowed (AGENT_SANDBOX_TOOLS)"
    if "download" in ways and (reason := _silence(image, silent)) == "":
        return _pull(image, tools, pulled)
    if recipe is None:
        raise Failure(
            f"{image}: it cannot be pulled ({reason}), and only these can be put together here: "
            f"{', '.join(RECIPES)}.\n  Use one of them in the stack file, or give this machine a way to the registry."
        )
    with step(f"image {image}") as progress, made_whole(built.parent) as folder:
        _build(image, recipe, tools, folder, progress)
        progress.outcome = f"put together here, since it cannot be pulled ({reason})"
    return built


def _file_name(image: str) -> str:
    return re.sub(r"[^\w.-]", "_", image)


def _silence(image: str, silent: dict[str, str]) -> str:
    """Why the image's registry cannot be asked; empty if it answers."""
    host = image.partition("/")[0]
    if host not in silent:
        silent[host] = ""
        try:
            urllib.request.urlopen(f"https://{host}/v2/", timeout=ANSWER_TIMEOUT).close()
        except urllib.error.HTTPError as error:
            if error.code not in (401, 403, 404):
                silent[host] = f"{host} answers {error.code}"
        except OSError as error:
            silent[host] = f"{host}: {getattr(error, 'reason', error)}"
    return silent[host]


def _pull(image: str, tools: Toolchain, target: Path) -> Path:
    with step(f"image {image}") as progress, made_whole(target.parent) as folder:
        progress.update("pulling")
        _crane(tools, "pull", f"--platform=linux/{downloads.architecture()}", image, str(folder / "image.tar"))
        progress.outcome = "pulled"
    return target


def _build(image: str, recipe: Recipe, tools: Toolchain, folder: Path, progress: Step) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        root, layer = Path(scratch) / "root", Path(scratch) / "layer.tar"
        root.mkdir()
        root.chmod(0o755)
        recipe.fill(tools, root, progress)
        progress.update("packing")
        same = ["--sort=name", "--mtime=@0", "--numeric-owner", "--format=gnu"]
        subprocess.run(["tar", "--create", *same, f"--file={layer}", f"--directory={root}", "."], check=True)
        with _registry(tools, Path(scratch)) as registry:
            raw = f"{registry}/raw:1"
            _crane(tools, "append", "--oci-empty-base", f"--new_layer={layer}", f"--new_tag={raw}")
            settings = [f"--set-platform=linux/{downloads.architecture()}", *recipe.settings]
            _crane(tools, "mutate", raw, *settings, f"--tag={image}", f"--output={folder / 'image.tar'}")


@contextlib.contextmanager
def _registry(tools: Toolchain, folder: Path) -> Iterator[str]:
    """A registry of crane's own on loopback: it changes an image's settings between two of them only."""
    address = f"127.0.0.1:{free_port()}"
    command = [str(tools.path("crane")), "registry", "serve", f"--address={address}", f"--disk={folder}/registry"]
    (folder / "registry").mkdir()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as serving:
        try:
            deadline = time.monotonic() + 10
            while not _answers(f"http://{address}/v2/") and time.monotonic() < deadline:
                time.sleep(0.05)
            yield address
        finally:
            serving.terminate()


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=2).close()
    except OSError:
        return False
    return True


def _crane(tools: Toolchain, *arguments: str) -> None:
    command = [str(tools.path("crane")), *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PULL_TIMEOUT)
    if ended.returncode != 0:
        raise Failure(f"crane {' '.join(arguments[:3])}: {ended.stderr.strip()[-800:]}")
