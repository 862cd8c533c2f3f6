"""What the node's programs are told: their addresses, folders and configuration files.

Paths are those inside the box, where the deployment's folder for the node is /run/node: unix sockets
have room for a hundred characters, which a checkout's own path may exceed.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from local.paths import State

NAME = "gvisor-0"
"""The node's name, as that of the simulated node that it takes the place of."""

HOME = Path("/run/node")
CONTAINERD = Path("/run/containerd/containerd.sock")

# All private, as everything is that upstream's default network policy keeps sandboxes from; nobody
# outside of the box sees them, so they clash with no network that the machine is in.
NODE_ADDRESS = "10.64.0.1"
POD_SUBNET = "10.64.1.0/24"
SERVICE_SUBNET = "10.96.0.0/16"
API_ADDRESS = "10.96.0.1"
"""The first address of SERVICE_SUBNET, which Kubernetes gives to its API server's Service."""
KUBELET_PORT = 10250

PAUSE_IMAGE = "registry.k8s.io/pause:3.10.1"

GVISOR_LABEL = "sandbox.gke.io/runtime=gvisor"
LABELS = (GVISOR_LABEL, "cloud.google.com/gke-nodepool=gvisor", "topology.kubernetes.io/zone=local-a")
"""As GKE labels the nodes of a gVisor pool. Its taint is left out: this node runs everything else too."""

NO_BINDING_PORT = "30000-30001"
NO_BINDING_SUBNET = "10.96.255.254/32"
"""kube-router lets pods reach node ports and cluster addresses unasked. There are none here but the API
server's, which is to be guarded: so it is told of ones that nothing uses."""


@dataclass(frozen=True)
class Machine:
    """What the machine allows, which the configuration follows."""

    cgroup_v2: bool
    may_lower_oom_score: bool
    """Has CAP_SYS_RESOURCE, and with it gVisor's own containerd shim."""


@dataclass(frozen=True)
class NodeSettings:
    """All that the keeper and the box's init need to know, handed to them as a file."""

    state: str
    machine: Machine
    api_port: int
    """The API server's, on loopback outside of the box."""

    @classmethod
    def read(cls, state: State) -> "NodeSettings":
        content = json.loads(settings_file(state).read_text())
        return cls(**{**content, "machine": Machine(**content["machine"])})

    def write(self) -> None:
        settings_file(State(Path(self.state))).write_text(json.dumps(asdict(self), indent=2))


def folder(state: State) -> Path:
    """The deployment's folder for its node; HOME inside the box."""
    return state.root / "node"


def runtime_folder(state: State) -> Path:
    """For unix sockets outside of the box, where a checkout's own path may be too long for them."""
    return Path("/run/agent-sandbox") / identity(state)


def identity(state: State) -> str:
    """A short name that no other deployment on this machine has."""
    return hashlib.sha256(str(state.root).encode()).hexdigest()[:12]


def egress_socket(state: State) -> Path:
    """Where the API server's connections to the node go through."""
    return runtime_folder(state) / "egress.sock"


def settings_file(state: State) -> Path:
    return folder(state) / "node.json"


def write_files(settings: NodeSettings) -> None:
    """Write every configuration file under the deployment's folder for the node."""
    etc = folder(State(Path(settings.state))) / "etc"
    (etc / "cni").mkdir(parents=True, exist_ok=True)
    (etc / "containerd.toml").write_text(containerd_config(settings.machine))
    (etc / "runsc.toml").write_text(_SHIM_CONFIG)
    (etc / "kubelet.yaml").write_text(yaml.safe_dump(kubelet_config(settings.machine)))
    (etc / "cni" / "10-node.conflist").write_text(json.dumps(_NETWORK, indent=2))


_NETWORK = {
    "cniVersion": "1.0.0",
    "name": "pods",
    "plugins": [
        {
            # A link of its own for each pod, and the node's routing between them: pods share no wire on which
            # one could go around the firewall to the other.
            "type": "ptp",
            "ipam": {
                "type": "host-local",
                "dataDir": f"{HOME}/cni",
                "ranges": [[{"subnet": POD_SUBNET}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        }
    ],
}

_SHIM_CONFIG = """\
[runsc_config]
  platform = "systrap"
"""

_GVISOR_SHIM = f"""\
  runtime_type = "io.containerd.runsc.v1"
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.gvisor.options]
    TypeUrl = "io.containerd.runsc.v1.options"
    ConfigPath = "{HOME}/etc/runsc.toml"
"""

_RUNC_SHIM = f"""\
  # gVisor's own shim must lower its oom_score_adj, which this machine does not let it.
  runtime_type = "io.containerd.runc.v2"
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.gvisor.options]
    BinaryName = "{HOME}/bin/runsc-as-runc"
    Root = "/run/runsc"
    SystemdCgroup = false
"""


def containerd_config(machine: Machine) -> str:
    """The configuration of containerd: two runtimes, the network plugin, and nothing of the machine's own."""
    return f"""\
version = 3
root = "{HOME}/containerd"
state = "/run/containerd"

[grpc]
  address = "{CONTAINERD}"

[plugins.'io.containerd.internal.v1.opt']
  path = "{HOME}/opt"
[plugins.'io.containerd.nri.v1.nri']
  disable = true

[plugins.'io.containerd.cri.v1.images']
  snapshotter = "overlayfs"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "{PAUSE_IMAGE}"

[plugins.'io.containerd.cri.v1.runtime']
  enable_selinux = false
  disable_apparmor = true
  restrict_oom_score_adj = {_toml(not machine.may_lower_oom_score)}
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ["{HOME}/bin"]
  conf_dir = "{HOME}/etc/cni"
[plugins.'io.containerd.cri.v1.runtime'.containerd]
  default_runtime_name = "runc"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
    BinaryName = "{HOME}/bin/runc"
    SystemdCgroup = false
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.gvisor]
{_GVISOR_SHIM if machine.may_lower_oom_score else _RUNC_SHIM}"""


def _toml(value: bool) -> str:
    return "true" if value else "false"


def kubelet_config(machine: Machine) -> dict[str, object]:
    """The kubelet's configuration; who may ask it for what is the API server's to say."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{CONTAINERD}",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{HOME}/etc/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "address": NODE_ADDRESS,
        "port": KUBELET_PORT,
        "healthzBindAddress": "127.0.0.1",
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "oomScoreAdj": -999 if machine.may_lower_oom_score else 0,
        "failSwapOn": False,
        "makeIPTablesUtilChains": False,
        "resolvConf": "",
        "clusterDNS": ["127.0.0.1"],  # there is none: a pod's look-up fails at once, rather than after a while
        "podLogsDir": f"{HOME}/pods",
        "imageGCHighThresholdPercent": 100,  # an image that was put together here cannot be pulled again
        "evictionHard": {"memory.available": "200Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "maxPods": 200,
    }
