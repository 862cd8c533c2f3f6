"""`make release`: looks at an upstream release, tells what it would change, and pins its checksum.

What is shown is what upstream released against what it released before, and nothing is pinned that
this project could not harden.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import yaml

import releases
from components import ManifestError, _upstream
from local.console import Failure
from local.differences import Difference, differences

MOST_FIELDS = 12
"""Differing fields told of one object."""


@dataclass(frozen=True)
class Candidate:
    """A release that somebody wants to use."""

    version: str
    content: bytes
    documents: list[dict[str, Any]]

    @property
    def sha256(self) -> str:
        return releases.checksum(self.content)


def look(version: str, place: str) -> Candidate:
    """The release `version` from a release page's address or a folder. Raises Failure."""
    if not re.fullmatch(r"v\d+\.\d+\.\d+[-.\w]*", version):
        raise Failure(f"{version} is not a release. Write it as upstream does: {releases.pin_command('v1.0.2')}")
    try:
        content = releases.read_asset(place, version)
        documents = _upstream.documents(content)
        _upstream.harden(documents, _upstream.Changes(releases.Release(version, "").controller_image))
    except (releases.ReleaseUnavailable, ManifestError) as error:
        raise Failure(str(error)) from error
    except (yaml.YAMLError, KeyError, TypeError) as error:
        text = f"{releases.ASSET} of {version} is not a manifest that this project knows: {error!r}"
        raise Failure(f"{text}.\n  Nothing was pinned.") from error
    return Candidate(version, content, documents)


def changes(candidate: Candidate) -> list[str]:
    """What installing it in place of the default release would change, as lines to print."""
    default = releases.default()
    default.fetch()
    before = _upstream.load(str(default.manifest_path), default.sha256)
    hardened = [
        _upstream.harden(documents, _upstream.Changes(release.controller_image))
        for documents, release in ((before, default), (candidate.documents, releases.Release(candidate.version, "")))
    ]
    return [
        f"Upstream's {candidate.version} against its {default.version}:",
        *_told(differences(before, candidate.documents)),
        "",
        "Of that, what is installed once it is hardened:",
        *_told(differences(*hardened)),
    ]


def _told(found: Iterable[Difference]) -> list[str]:
    listed = list(found)
    if not listed:
        return ["  nothing"]
    lines = []
    counts = Counter(each.object for each in listed)
    for name, count in counts.items():
        fields = [each for each in listed if each.object == name]
        if not fields[0].path:
            lines.append(f"  {str(fields[0])[0]} {name}")
            continue
        lines.append(f"  ~ {name}")
        lines += [f"      {each}" for each in fields[:MOST_FIELDS]]
        if count > MOST_FIELDS:
            lines.append(f"      and {count - MOST_FIELDS} more fields")
    return lines


def pin(candidate: Candidate) -> str:
    """Write the checksum into releases.toml and keep the manifest; returns what was done. Raises Failure."""
    pinned = releases.known().get(candidate.version)
    release = releases.Release(candidate.version, candidate.sha256, releases.ASSET)
    if pinned is not None and pinned.sha256 != candidate.sha256:
        how = "this asset" if pinned.asset else "upstream's Go module, which goes by another checksum,"
        raise Failure(
            f"releases.toml pins {candidate.version} to {pinned.sha256}, and {how} has {candidate.sha256}.\n"
            "  A release does not change once it is out. If you trust what is above more than the pin, remove the\n"
            f"  section of {candidate.version} from releases.toml and run the same command again."
        )
    releases.keep(release.manifest_path, candidate.content)
    if pinned is not None:
        return f"{candidate.version} is pinned already, to the same checksum."
    section = f'\n[releases."{candidate.version}"]\nasset = "{releases.ASSET}"\nsha256 = "{candidate.sha256}"\n'
    releases.PINS.write_text(releases.PINS.read_text().rstrip("\n") + "\n" + section)
    return f"Pinned {candidate.version} in releases.toml: {candidate.sha256}"
