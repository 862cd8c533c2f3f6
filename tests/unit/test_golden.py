"""A picture of each stack's resources, so that a review sees what a change does to them.

tests/golden/<stack>.txt is what the program declares for Pulumi.<stack>.yaml: each resource under its
parent, with the properties that decide what it is. After a change that is meant:
UPDATE_GOLDEN=1 make test ARGS=tests/unit/test_golden.py, and read the difference.
"""

import os

import pytest

from local import graph
from local.paths import CHECKOUT

FOLDER = CHECKOUT / "tests" / "golden"


@pytest.mark.parametrize("stack", ["dev", "staging", "prod", "prod-us", "fleet"])
def test_a_stack_is_what_its_picture_shows(stack: str) -> None:
    picture = graph.as_text(graph.of_stack(CHECKOUT / f"Pulumi.{stack}.yaml"))
    file = FOLDER / f"{stack}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(picture)
    assert picture.splitlines() == file.read_text().splitlines()
