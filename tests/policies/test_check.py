"""`python -m policies`: what it reads, what it writes, and how it exits."""

import io
import json
import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from local.paths import CHECKOUT
from policies import cli
from policies.catalog import controls
from policies.reports import FORMATS
from policies.waivers import today
from tests.policies.cases import POD, Json, changed, manifest, pod, template

SOFT = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
spec:
  template:
    spec:
      hostPID: true
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: web
          image: registry.example/web:v1
          securityContext:
            privileged: true
            allowPrivilegeEscalation: false
            capabilities:
              drop: [ALL]
"""
KEYS = ["policy", "control", "level", "severity", "resource", "file", "line", "field", "message", "fix"]


class Run:
    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: Any) -> None:
        self.status = cli.main([str(each) for each in arguments])
        self.out, self.err = capsys.readouterr()

    @property
    def json(self) -> Json:
        parsed: Json = json.loads(self.out)
        return parsed

    @property
    def found(self) -> dict[str, int]:
        """The line of each control that found something."""
        return {each["control"]: each["line"] for each in self.json["violations"]}


@pytest.fixture
def soft(tmp_path: Path) -> Path:
    file = tmp_path / "soft.yaml"
    file.write_text(SOFT)
    return file


def write(file: Path, *manifests: Any) -> Path:
    file.write_text("---\n".join(yaml.safe_dump(each) for each in manifests))
    return file


def test_json_has_the_shape_that_machines_rely_on(soft: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ran = Run(capsys, "check", "--format", "json", soft)
    assert ran.status == 1
    assert list(ran.json) == ["summary", "violations"]
    assert ran.json["summary"] == {"resources": 2, "violations": 2, "waived": 0, "indeterminate": 0}
    assert [list(each) for each in ran.json["violations"]] == [KEYS, KEYS]
    first, second = ran.json["violations"]
    assert first == {
        "policy": "pod-security-baseline",
        "control": "hostNamespaces",
        "level": "mandatory",
        "severity": "critical",
        "resource": "Deployment/shop/web",
        "file": str(soft),
        "line": 13,
        "field": "spec.template.spec.hostPID",
        "message": "spec.template.spec.hostPID is true. The pod sees the node's network, processes or shared memory as "
        "its own, the metadata server included.",
        "fix": "Remove the field.",
    }
    assert (second["control"], second["line"]) == ("privileged", 19)
    assert second["field"] == "spec.template.spec.containers[0].securityContext.privileged"


def test_exit_status_tells_clean_violations_and_unusable_apart(
    tmp_path: Path, soft: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clean = write(tmp_path / "clean.yaml", pod()[0])
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [1, 2")
    assert Run(capsys, "check", clean).status == 0
    assert Run(capsys, "check", soft).status == 1
    for unusable in (broken, tmp_path / "absent.yaml"):
        ran = Run(capsys, "check", clean, unusable)
        assert ran.status == 2
        assert f"Not checked: {unusable}" in ran.err
    assert Run(capsys, "explain", "nonsense").status == 2
    with pytest.raises(SystemExit) as wrong:
        cli.main(["check", "--format", "nonsense", str(clean)])
    assert wrong.value.code == 2


def test_what_is_readable_is_judged_though_something_else_is_not(
    tmp_path: Path, soft: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = Run(capsys, "check", "--format", "json", tmp_path / "absent.yaml", soft)
    assert ran.status == 2
    assert set(ran.found) == {"hostNamespaces", "privileged"}


def test_folders_are_searched_for_manifests_and_hidden_ones_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.yaml", "deep/er/b.yml", "deep/c.json", ".hidden/d.yaml", "node_modules/e.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(json.dumps(pod()[0]))
    (tmp_path / "values.yaml").write_text("replicas: 3")
    (tmp_path / "readme.md").write_text("kind: Pod")
    assert Run(capsys, "check", "--format", "json", tmp_path).json["summary"]["resources"] == 3


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Input:
        buffer = io.BytesIO(SOFT.encode("utf-16"))

    monkeypatch.setattr(sys, "stdin", Input)
    ran = Run(capsys, "check", "--format", "json", "-")
    assert ran.found == {"hostNamespaces": 13, "privileged": 19}
    assert ran.json["violations"][0]["file"] == "<stdin>"


def state(*resources: Json) -> Json:
    return {"version": 3, "deployment": {"manifest": {}, "resources": list(resources)}}


def resource(type_: str, inputs: Any, name: str = "one", **more: Any) -> Json:
    return {
        "urn": f"urn:pulumi:prod::project::{type_}::{name}",
        "custom": True,
        "type": type_,
        "inputs": inputs,
        **more,
    }


def test_pulumi_states_are_read_with_their_lines_and_secrets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
    inputs = manifest("Pod", spec=changed(POD, "hostPID", True))
    hidden = manifest("Pod", spec={**secret, "ciphertext": "v1:abc"})
    plain = manifest("Pod", spec={**secret, "plaintext": json.dumps(changed(POD, "hostIPC", True))})
    content = state(
        {"urn": "urn:pulumi:prod::project::pulumi:pulumi:Stack::s", "type": "pulumi:pulumi:Stack"},
        resource("kubernetes:core/v1:Pod", inputs),
        resource("kubernetes:core/v1:Pod", hidden, "hidden"),
        resource("kubernetes:core/v1:Pod", plain, "plain"),
        resource("kubernetes:core/v1:Pod", inputs, "gone", delete=True),
    )
    file = tmp_path / "state.json"
    file.write_text(json.dumps(content, indent=4))
    ran = Run(capsys, "check", "--format", "json", file)
    assert ran.status == 1
    fields = {each["field"]: each["line"] for each in ran.json["violations"] if each["control"] == "hostNamespaces"}
    lines = file.read_text().splitlines()
    assert '"hostPID": true' in lines[fields["spec.hostPID"] - 1]
    assert "spec.hostIPC" in fields
    assert ran.json["summary"]["resources"] == 3
    assert ran.json["summary"]["indeterminate"] > 5


def test_pulumi_previews_are_read_and_unknowns_fail_where_configured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
    soft_pod = resource("kubernetes:core/v1:Pod", manifest("Pod", spec=changed(POD, "hostPID", True)))
    open_pod = resource("kubernetes:core/v1:Pod", manifest("Pod", spec=changed(POD, "containers/0/image", unknown)))
    preview = tmp_path / "preview.json"
    preview.write_text(
        json.dumps({"steps": [{"op": "create", "newState": open_pod}, {"op": "delete", "oldState": {}}]})
    )
    ran = Run(capsys, "check", "--format", "json", preview)
    assert ran.status == 0
    assert ran.json["summary"] == {"resources": 1, "violations": 1, "waived": 0, "indeterminate": 1}
    assert ran.json["violations"][0]["level"] == "advisory"
    config = tmp_path / "config.json"
    config.write_text('{"undecided": "mandatory"}')
    assert Run(capsys, "check", "--config", config, preview).status == 1
    monkeypatch.setenv("CI", "true")
    assert Run(capsys, "check", preview).status == 1
    log = tmp_path / "events.json"
    events = [{"preludeEvent": {}}, {"resourcePreEvent": {"metadata": {"op": "create", "new": soft_pod}}}]
    log.write_text("\n".join(map(json.dumps, events)))
    assert set(Run(capsys, "check", "--format", "json", log).found) == {"hostNamespaces"}


def test_what_a_stack_leaves_open_has_a_level_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
    claim = manifest("SandboxClaim", "extensions.agents.x-k8s.io/v1beta1", spec={"warmPoolRef": {"name": unknown}})
    step = {"op": "create", "newState": resource("kubernetes:extensions.agents.x-k8s.io/v1beta1:SandboxClaim", claim)}
    preview = tmp_path / "preview.json"
    preview.write_text(json.dumps({"steps": [step]}))
    config = tmp_path / "config.json"
    for level, status in (("advisory", 0), ("mandatory", 1)):
        config.write_text(json.dumps({"undecided": "disabled", "undecided-stack": level}))
        ran = Run(capsys, "check", "--format", "json", "--config", config, preview)
        assert (ran.status, set(ran.found)) == (status, {"claimPool"})


def waivers(file: Path, **changes: Any) -> Path:
    entry = {
        "control": "privileged",
        "resource": "Deployment/shop/*",
        "reason": "until the driver is replaced",
        "owner": "platform-team",
        "until": str(today() + timedelta(days=1)),
        **changes,
    }
    return write(file, {"waivers": [{key: value for key, value in entry.items() if value is not None}]})


def test_a_waiver_is_counted_until_it_ends(tmp_path: Path, soft: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = waivers(tmp_path / "w.yaml", until=str(today()))
    ran = Run(capsys, "check", "--format", "json", "--waivers", file, soft)
    assert ran.json["summary"] == {"resources": 2, "violations": 1, "waived": 1, "indeterminate": 0}
    waivers(file, until=str(today() - timedelta(days=1)))
    ran = Run(capsys, "check", "--format", "json", "--waivers", file, soft)
    assert set(ran.found) == {"hostNamespaces", "privileged", "expiredWaiver"}
    assert any("Its waiver expired on" in each["message"] for each in ran.json["violations"])


def test_an_expired_waiver_fails_and_a_useless_one_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clean = write(tmp_path / "clean.yaml", pod()[0])
    expired = waivers(tmp_path / "w.yaml", until="2020-01-01")
    ran = Run(capsys, "check", "--format", "json", "--waivers", expired, clean)
    assert (ran.status, set(ran.found)) == (1, {"expiredWaiver"})
    assert ran.json["violations"][0]["file"] == str(expired)
    useless = waivers(tmp_path / "w.yaml")
    ran = Run(capsys, "check", "--format", "json", "--waivers", useless, clean)
    assert (ran.status, set(ran.found)) == (0, {"unusedWaiver"})
    assert ran.json["violations"][0]["level"] == "advisory"


@pytest.mark.parametrize(
    "changes",
    [{"until": None}, {"owner": None}, {"reason": " "}, {"control": "privilegd"}, {"until": "soon"}, {"extra": "key"}],
)
def test_a_waiver_that_says_too_little_is_refused(
    tmp_path: Path, soft: Path, changes: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = Run(capsys, "check", "--waivers", waivers(tmp_path / "w.yaml", **changes), soft)
    assert ran.status == 2
    assert next(iter(changes)) in ran.err


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ("pod-security: mandatory", "There are: all, well-formed"),
        ("supply-chain: {enforcementLevel: strict}", "is none of advisory"),
        ("supply-chain: {allowedRegistries: docker.io}", "is a text where a list belongs"),
        ("supply-chain: {registries: []}", "is no parameter"),
        ("pod-security-baseline: {except: [privilegd]}", "is no control"),
        ("[]", "is a list where a map"),
        ("a: [", "neither JSON nor YAML"),
    ],
)
def test_a_wrong_configuration_is_refused_with_what_there_is(
    tmp_path: Path, soft: Path, config: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(config)
    ran = Run(capsys, "check", "--config", file, soft)
    assert ran.status == 2
    assert told in ran.err


def test_levels_decide_what_fails(tmp_path: Path, soft: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config.json"
    config.write_text('{"pod-security-baseline": "advisory"}')
    ran = Run(capsys, "check", "--format", "json", "--config", config, soft)
    assert ran.status == 0
    assert {each["level"] for each in ran.json["violations"]} == {"advisory"}
    config.write_text('{"all": "disabled"}')
    assert Run(capsys, "check", "--format", "json", "--config", config, soft).found == {}


def test_sarif_holds_rules_places_and_levels(soft: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = Run(capsys, "check", "--format", "sarif", soft).json
    assert (log["version"], len(log["runs"])) == ("2.1.0", 1)
    [run] = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len(rules) == len({rule["id"] for rule in rules}) == len(controls()) + 2
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] == "error"
        assert result["message"]["text"]
    places = [each["locations"][0]["physicalLocation"] for each in run["results"]]
    assert [each["region"]["startLine"] for each in places] == [13, 19]
    assert run["invocations"][0]["executionSuccessful"] is True


def test_junit_is_xml_that_counts_failures(soft: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = ElementTree.fromstring(Run(capsys, "check", "--format", "junit", soft).out)  # noqa: S314 - our own
    assert root.attrib["failures"] == "2"
    assert len(root.findall(".//failure")) == 2
    odd = write(tmp_path / "odd.yaml", changed(pod("hostPID", True)[0], "metadata/name", 'a"<&\x07'))
    assert ElementTree.fromstring(Run(capsys, "check", "--format", "junit", odd).out).findall(".//failure")  # noqa: S314
    clean = write(tmp_path / "clean.yaml", pod()[0])
    assert ElementTree.fromstring(Run(capsys, "check", "--format", "junit", clean).out).attrib["failures"] == "0"  # noqa: S314


def test_github_gets_annotations_at_lines(soft: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed = Run(capsys, "check", "--format", "github", soft).out
    file = str(soft).replace(":", "%3A")
    assert f"::error file={file},line=13,title=pod-security-baseline/hostNamespaces::Deployment/shop/web: " in printed


def test_text_names_resource_line_control_and_fix(soft: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed = Run(capsys, "check", soft).out
    assert f"Deployment/shop/web ({soft})" in printed
    assert "line 13: [mandatory] pod-security-baseline/hostNamespaces (critical)" in printed
    assert "2 resources, 2 violations, 0 waived, 0 cannot be told yet." in printed


def test_a_report_can_be_written_to_a_file(soft: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for form in FORMATS:
        assert Run(capsys, "check", "--format", form, "--output", tmp_path / form, soft).out == ""
        assert "privileged" in (tmp_path / form).read_text()


def test_list_and_explain_tell_of_every_control(capsys: pytest.CaptureFixture[str]) -> None:
    listed = Run(capsys, "list").out
    for name, (topic, control) in controls().items():
        assert re.search(rf"^  {name} +{control.severity} ", listed, re.MULTILINE)
        told = Run(capsys, "explain", f"{topic.name}/{name}").out
        assert " ".join(control.fix.split()[:3]) in told
    assert "5.2.2" in Run(capsys, "explain", "workloadIdentity").out
    assert "hostNamespaces" in Run(capsys, "explain", "pod-security-baseline").out


def test_it_runs_as_a_module_from_anywhere(soft: Path, tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "policies", "check", "--format", "json", soft.name],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1, ended.stderr
    assert json.loads(ended.stdout)["violations"][0]["file"] == "soft.yaml"


def test_checking_files_loads_neither_pulumi_nor_grpc() -> None:
    code = "import sys; from policies import cli; print([each for each in ('grpc', 'pulumi') if each in sys.modules])"
    assert subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True
    ).stdout == ("[]\n")


def test_the_projects_own_components_comply_as_manifests(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "own.yaml", *template())
    assert Run(capsys, "check", file).status == 0
