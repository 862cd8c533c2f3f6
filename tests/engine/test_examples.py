"""Every example does what its reader will expect: it comes up, a second run changes nothing, and it goes entirely.

One control plane serves all of them. Examples that install the controller themselves come first, on
the bare cluster; for the others one is installed once. Those that make a GKE cluster are handed the same
control plane by the stand-in for Google Cloud.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import components
from local import toolchain
from local.cluster import bring_up_cluster
from local.console import Step
from local.engine import Engine, Outcome
from local.paths import CHECKOUT
from tests.engine.conftest import Deployment, eventually
from tests.engine.test_lifecycle import everything, settled
from tests.engine.test_sandboxes import DISK

pytestmark = pytest.mark.engine

CONTROLLER = """
import components
import releases

release = releases.default()
release.fetch()
components.AgentSandboxController(
    "controller",
    {"manifest": str(release.manifest_path), "sha256": release.sha256, "image": release.controller_image},
)
"""


def installs_the_controller(folder: Path) -> bool:
    text = (folder / "__main__.py").read_text()
    return "AgentSandboxController(" in text or '"agent_sandbox": True' in text


def is_on_gke(folder: Path) -> bool:
    return "components.ProjectServices(" in (folder / "__main__.py").read_text()


EXAMPLES = sorted(
    (file.parent for file in CHECKOUT.glob("examples/*/__main__.py")),
    key=lambda folder: (not installs_the_controller(folder), folder.name),
)


class Cluster(Deployment):
    """A control plane with nothing on it but what the examples need of a cluster: a disk."""

    has_controller = False

    def project(self, folder: Path) -> Engine:
        """A project's engine, in a copy, so that no stack's configuration is written beside the example."""
        copy = self.folder / folder.name
        shutil.copytree(folder, copy)
        if not (copy / "Pulumi.yaml").exists():
            (copy / "Pulumi.yaml").write_text(f"name: example-{folder.name}\nruntime: python\n")
        on_gke = is_on_gke(folder)
        stack = "dev" if on_gke else "try"  # a cluster that is not for trying things out needs a key of one's own
        return Engine(stack, self.state, toolchain.ensure(), project=copy, standin=on_gke)

    def kept_by_google(self) -> set[str]:
        """The types of what the stand-in keeps."""
        file = self.state.root / "standin-gcp.json"
        return {each["kind"] for each in json.loads(file.read_text()).values()} if file.exists() else set()

    def install_controller(self) -> None:
        if not self.has_controller:
            folder = self.folder / "written" / "base"
            folder.mkdir(parents=True)
            (folder / "Pulumi.yaml").write_text("name: base\nruntime: python\n")
            (folder / "__main__.py").write_text(CONTROLLER)
            up(self.project(folder))
            self.has_controller = True


def up(engine: Engine) -> Outcome:
    return engine.up(Step("example"))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("examples"))
    control_plane = bring_up_cluster(made.state, toolchain.ensure())
    disk = json.loads(json.dumps(DISK))
    disk["items"][0]["metadata"]["annotations"] = {"storageclass.kubernetes.io/is-default-class": "true"}
    control_plane.kubectl("apply", "--filename=-", stdin=json.dumps(disk))
    settled(made)
    yield made
    made.run("down", expect=None)


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: str(folder.name))
def test_an_example_comes_up_changes_nothing_more_and_goes_entirely(cluster: Cluster, folder: Path) -> None:
    if not installs_the_controller(folder):
        cluster.install_controller()
    before = set(settled(cluster))
    engine = cluster.project(folder)
    assert up(engine).changes["create"] > 1
    assert up(engine).changed == []
    engine.destroy(Step("example"))
    eventually(lambda: set(everything(cluster.api)) == before, 60, "nothing is left of it")
    assert cluster.kept_by_google() <= {"gcp:projects/service:Service"}, "APIs stay enabled, and nothing else is left"


def test_every_component_is_in_an_example() -> None:
    text = "".join((folder / "__main__.py").read_text() for folder in EXAMPLES)
    kinds = [name for name in components.__all__ if f"{name}Args" in components.__all__]
    assert [name for name in kinds if f"components.{name}(" not in text and name not in PLATFORM] == []


PLATFORM = {"AgentSandboxController", "SandboxRouter"}
"""Components that a platform is made of; the stack itself is their example."""
