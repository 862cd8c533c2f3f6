"""The documentation that is derived says what the code says."""

from docs.__main__ import FOLDER, generated


def test_no_generated_file_is_stale() -> None:
    stale = [path.relative_to(FOLDER) for path, text in generated() if not path.exists() or path.read_text() != text]
    assert not stale, f"run `make docs`: {stale} differ from what they are generated from"
