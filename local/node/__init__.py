"""A real node on this machine: kubelet, containerd and gVisor in a box of Linux namespaces.

The second kind of node of the embedded control plane (`make up NODE=gvisor`). The box has a network,
mounts, process ids and cgroups of its own, as a container has: what the node's programs do to any of
these is gone with the box, however it ends, and the machine around it stays as it was.

    keeper.py     the box's one process outside: starts it, and is its only way in and out
    init.py       its first process inside: mounts, network, firewall, then the node's daemons
    config.py     what containerd, kubelet and the network plugin are told
    images.py     the images that the stack names: pulled, or put together here
    packages.py   runc, iptables and ipset: found on the machine, or unpacked into the cache
    volumes.py    the volumes that the node offers
    preflight.py  what the machine must have, all said at once
    hello.py      what `make hello` asks a sandbox
    lifecycle.py  up, down and what is left after a crash
"""
