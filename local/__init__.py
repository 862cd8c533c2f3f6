"""All that lets the stack run with no cloud: the toolchain, the embedded control plane, the commands.

Nothing here is needed to deploy to a cluster that exists already; `python -m local --help` lists
what it offers.
"""
