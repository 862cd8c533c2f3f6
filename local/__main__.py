"""`python -m local`: the commands behind the Makefile."""

import sys

from local.commands import main

sys.exit(main(sys.argv[1:]))
