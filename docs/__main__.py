"""`make docs`: write every generated file again. A test fails when one is stale."""

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

from docs import generators

FOLDER = Path(__file__).parent


def generated() -> Iterator[tuple[Path, str]]:
    """Each generated file and the text that it should have."""
    for module in pkgutil.iter_modules(generators.__path__):
        generator = importlib.import_module(f"docs.generators.{module.name}")
        yield FOLDER / generator.TARGET, generator.generate()


def main() -> None:
    """Write the files whose text differs, and name them."""
    for path, text in generated():
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"docs/{path.relative_to(FOLDER)}")


if __name__ == "__main__":
    main()
