"""The reference says of every argument what it is; so a docstring that is missing is a fault."""

from typing import Any, TypedDict

import pulumi
import pytest

import components
from components import _arguments
from docs.generators import reference

PUBLIC = [getattr(components, name) for name in components.__all__]
KINDS = [each for each in PUBLIC if isinstance(each, type) and issubclass(each, pulumi.ComponentResource)]
NESTED = reference.nested(getattr(components, f"{kind.__name__}Args") for kind in KINDS)
ARGUMENTS = [*(getattr(components, f"{kind.__name__}Args") for kind in KINDS), *NESTED]


@pytest.mark.parametrize("kind", [*ARGUMENTS, *KINDS], ids=lambda kind: str(kind.__name__))
def test_every_argument_and_output_has_a_docstring(kind: Any) -> None:
    missing = [name for name, _, _, text in reference.fields(kind) if not text]
    assert missing == []


@pytest.mark.parametrize("kind", [getattr(components, f"{kind.__name__}Args") for kind in KINDS])
def test_an_argument_that_may_be_left_out_says_what_follows(kind: Any) -> None:
    optional = {name: text for name, _, required, text in reference.fields(kind) if not required}
    said = ("Default", "Required ", "required ")
    silent = [
        name for name, text in optional.items() if not any(word in str(text) for word in said) and name not in EXPLAINED
    ]
    assert silent == []


EXPLAINED = {
    "config_map",  # sources, of which there is one
    "secret",
    "claim",
    "value",  # targets, of which there is one
    "average_value",
    "gateway_namespace",  # goes with gateway
}
"""Arguments that have no default because they exclude each other, or depend on each other."""


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.__name__))
def test_every_component_has_arguments_of_its_name_and_a_part_of_the_reference(kind: Any) -> None:
    assert f"{kind.__name__}Args" in components.__all__
    assert f"\n## {kind.__name__}\n" in reference.generate()


def test_what_nests_in_an_argument_is_documented_by_itself() -> None:
    text = reference.generate()
    assert {each.__name__ for each in NESTED} >= {"CidrArgs", "EgressArgs", "MetricArgs", "VolumeArgs"}
    assert [each.__name__ for each in NESTED if f"\n### {each.__name__}\n" not in text] == []


def test_the_fields_of_what_is_extended_come_first() -> None:
    names = [name for name, _, _, _ in reference.fields(components.SandboxTemplateArgs)]
    assert names[0] == "namespace"
    assert names[-1] == "volume_claim_templates_policy"
    assert set(names) == set(components.SandboxTemplateArgs.__annotations__)


class Undocumented(TypedDict):
    """A definition as none should be."""

    something: str
    other: int
    """This one is well."""


def test_a_missing_docstring_is_found() -> None:
    assert [text for _, _, _, text in reference.fields(Undocumented)] == [None, "This one is well."]


def test_the_spelling_of_a_stack_file_is_the_one_that_settings_reads() -> None:
    assert f"`{_arguments.camel_case('read_only_root')}`" in reference.generate()
