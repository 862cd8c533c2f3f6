"""One folder, two programs: the engine runs it as a policy pack, `python -m policies` as a command."""

import sys
from pathlib import Path

if __package__:
    from policies import cli

    sys.exit(cli.main(sys.argv[1:]))

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the engine runs this file, not the package

from policies import pack

pack.serve()
