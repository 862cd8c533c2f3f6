"""Releases beyond the default: looked at before they are pinned, and refused if they are not what was pinned."""

from pathlib import Path
from typing import Any

import pytest

import releases
import settings
from components import AgentSandboxControllerArgs
from local import commands, release
from local.console import Failure
from local.differences import ABSENT, differences, name_of
from tests.layouts import without_webhook

VERSION = "v1.0.2"


@pytest.fixture
def page(release: AgentSandboxControllerArgs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a newer release's asset; pins and cache of its own."""
    (tmp_path / releases.ASSET).write_text(without_webhook(Path(release["manifest"]).read_text()))
    pins = tmp_path / "releases.toml"
    pins.write_text(releases.PINS.read_text())
    monkeypatch.setattr(releases, "PINS", pins)
    cached = tmp_path / "cache" / "manifests" / Path(release["manifest"]).name
    releases.keep(cached, Path(release["manifest"]).read_bytes())
    monkeypatch.setattr(releases, "CACHE", tmp_path / "cache")
    return tmp_path


def test_the_command_shows_what_changes_and_pins_it_for_the_stack(
    page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.main(["release", VERSION, "--from", str(page)]) == 0
    printed = capsys.readouterr().out
    assert "- Service agent-sandbox-system/agent-sandbox-webhook-service" in printed
    assert "- spec.versions[v1alpha1]:" in printed
    of_ours = printed.partition("once it is hardened:")[2]
    assert "v1alpha1" not in of_ours, "which is not installed of the default either"
    assert "args[]: --enable-webhook=false" in of_ours
    pinned = releases.known()[VERSION]
    assert pinned.sha256 == releases.checksum((page / releases.ASSET).read_bytes())
    pinned.fetch()  # nothing is downloaded: the command has put it where a stack looks for it
    stack = settings.parse({"controller": {"release": VERSION}})
    assert stack.release == pinned
    assert stack.controller["image"] == pinned.controller_image
    assert releases.default().version == "v0.5.6", "the default is for whoever runs the tests against another"


def test_a_dry_run_pins_nothing(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["release", VERSION, "--from", str(page), "--dry-run"]) == 0
    assert "Nothing was pinned." in capsys.readouterr().out
    assert VERSION not in releases.known()


def test_a_pinned_release_that_changed_is_not_pinned_again(page: Path) -> None:
    release.pin(release.look(VERSION, str(page)))
    assert "to the same checksum" in release.pin(release.look(VERSION, str(page)))
    asset = page / releases.ASSET
    asset.write_text(asset.read_text() + "---\n")
    with pytest.raises(Failure, match="A release does not change once it is out"):
        release.pin(release.look(VERSION, str(page)))


def test_an_asset_that_is_not_what_was_pinned_is_neither_installed_nor_kept(
    page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned = releases.Release(VERSION, "1" * 64, releases.ASSET)
    monkeypatch.setattr(releases, "RELEASE_PAGE", str(page))
    with pytest.raises(releases.ReleaseRefused, match=f"make release VERSION={VERSION}"):
        pinned.fetch()
    assert not pinned.manifest_path.exists()


def test_a_kept_asset_that_was_changed_is_fetched_again(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release.pin(release.look(VERSION, str(page)))
    pinned = releases.known()[VERSION]
    pinned.manifest_path.write_text("changed")
    monkeypatch.setattr(releases, "RELEASE_PAGE", str(page))
    pinned.fetch()
    assert releases.checksum(pinned.manifest_path.read_bytes()) == pinned.sha256


def test_what_is_no_release_of_upstreams_is_refused(page: Path) -> None:
    (page / releases.ASSET).write_text("kind: Namespace\napiVersion: v1\nmetadata: {name: a}\n")
    with pytest.raises(Failure, match="0 objects of kind Deployment"):
        release.look(VERSION, str(page))
    (page / releases.ASSET).write_text("just: text\n")
    with pytest.raises(Failure, match="not a manifest that this project knows"):
        release.look(VERSION, str(page))
    with pytest.raises(Failure, match="is not a release"):
        release.look("../../etc", str(page))
    with pytest.raises(Failure, match="FROM=folder"):
        release.look(VERSION, str(page / "nowhere"))


UNKNOWN = {"release": "v9.9.9"}


@pytest.mark.parametrize(
    ("controller", "expected"),
    [
        (UNKNOWN, "See what it would change, and pin it: make release VERSION=v9.9.9; or add its sha256."),
        ({"release": "v0.5.6", "sha256": "1" * 64}, "is not what releases.toml pins for v0.5.6"),
        ({"release": "0.5.6"}, "is not a release"),
        ({"release": "v9.9.9", "sha256": "abc"}, "Write 64 hexadecimal digits"),
        ({"source": "managed", **UNKNOWN}, "Both would own the same CRDs."),
    ],
)
def test_a_stack_file_names_a_release_that_can_be_trusted(controller: dict[str, Any], expected: str) -> None:
    with pytest.raises(settings.SettingsError) as raised:
        settings.parse({"controller": controller})
    assert expected in str(raised.value)
    assert len(raised.value.problems) == 1


def test_a_release_with_a_checksum_of_its_own_comes_from_the_release_page() -> None:
    stack = settings.parse({"controller": {**UNKNOWN, "sha256": "a" * 64}})
    assert stack.release == releases.Release("v9.9.9", "a" * 64, releases.ASSET)
    assert stack.controller["manifest"] == str(stack.release.manifest_path)
    assert stack.router["image"] == "registry.k8s.io/agent-sandbox/sandbox-router-go:v9.9.9"


def test_differences_are_told_once_and_by_name() -> None:
    def deployment(**spec: Any) -> dict[str, Any]:
        return {"kind": "Deployment", "metadata": {"name": "a", "namespace": "b"}, "spec": spec}

    old = deployment(replicas=1, args=["x", "y"], ports=[{"name": "p", "port": 1}, {"name": "q", "port": 2}])
    new = deployment(replicas=2, args=["x", "z"], ports=[{"name": "q", "port": 3}])
    found = [(each.path, each.old, each.new) for each in differences([old], [new])]
    assert found == [
        ("spec.replicas", 1, 2),
        ("spec.args[]", "y", ABSENT),
        ("spec.args[]", ABSENT, "z"),
        ("spec.ports[p]", {"name": "p", "port": 1}, ABSENT),
        ("spec.ports[q].port", 2, 3),
    ]
    assert [(each.object, each.path) for each in differences([old], [])] == [(name_of(old), "")]


def test_the_routers_image_is_one_that_upstreams_registry_has() -> None:
    """Upstream promoted it for the first time with v1.0.0 (kubernetes/k8s.io#9883)."""
    for each in releases.known().values():
        tag = each.router_image.rpartition(":")[2]
        assert tuple(int(part) for part in tag.removeprefix("v").split(".")) >= (1, 0, 0)
