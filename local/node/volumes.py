"""Volumes on the node: a few folders of the deployment's own, offered to claims as GKE offers its disks.

The storage class is the cluster's default and named as GKE's, so a claim that names either is served. A
volume that was given back is emptied and offered again, which the keeper looks after.
"""

import shutil
from pathlib import Path

from local.api import Api, Json
from local.node import config
from local.paths import State

STORAGE_CLASS = "standard-rwo"
COUNT = 8
SIZE = "10Gi"
"""What each says that it holds; folders have no size of their own."""
PATH = "/api/v1/persistentvolumes"
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"


def offer(api: Api, state: State) -> None:
    """Offer every volume that is not there, and again each one that was given back. Raises ApiError."""
    if api.find(f"{CLASSES}/{STORAGE_CLASS}") is None:
        api.create(CLASSES, _storage_class())
    present = {each["metadata"]["name"]: each for each in api.items(PATH)}
    for number in range(COUNT):
        name = f"{config.NAME}-{number}"
        folder = config.folder(state) / "volumes" / str(number)
        if present.get(name, {}).get("status", {}).get("phase") == "Released":
            _empty(folder)
            api.delete(f"{PATH}/{name}")
        elif name not in present:
            folder.mkdir(parents=True, exist_ok=True)
            api.create(PATH, _volume(name, number))


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def _storage_class() -> Json:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": STORAGE_CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    }


def _volume(name: str, number: int) -> Json:
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [config.NAME]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": SIZE},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": STORAGE_CLASS,
            "local": {"path": f"{config.HOME}/volumes/{number}"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    }
