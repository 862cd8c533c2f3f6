"""The stand-in as Pulumi's engine talks to it: the provider protocol over gRPC.

The engine starts bin/pulumi-resource-gcp as it would start the real plugin, reads the port that it
prints, and ends it. Secrets are left to the engine, which keeps track of them for a provider that
does not.
"""

import hashlib
import threading
from collections.abc import Mapping
from concurrent import futures
from typing import Any

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc
from pulumi.runtime.rpc import UNKNOWN

from local.standin_gcp import addon, api, clusters, controllers, differences, validation
from local.standin_gcp.cloud import Cloud, Json, Kept, Refused, merged, plain, project_number
from local.standin_gcp.computed import KINDS, Kind

VERSION = "10.2.0"
"""The release of pulumi-gcp whose place it takes."""


class StandIn(provider_pb2_grpc.ResourceProviderServicer):
    """One engine's provider; the cloud outlives it in its file."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.defaults: Json = {}
        self.ended = threading.Event()

    def GetPluginInfo(self, request: object, context: Any) -> Any:  # noqa: N802 - the protocol's names, here and below
        del request, context
        return plugin_pb2.PluginInfo(version=VERSION)

    def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        del context
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Another project is another provider: everything in it is another thing."""
        old, new = _unpacked(request.old_inputs or request.olds), _unpacked(request.news)
        del context
        differ = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name) and name != "version"]
        return _diff_response(differ, [name for name in differ if name == "project"])

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802
        del context
        self.defaults = {key.rpartition(":")[2]: value for key, value in request.variables.items()}
        self.cloud.project = self.defaults.get("project", "")
        controllers.start(self.cloud, self.ended)
        return provider_pb2.ConfigureResponse(acceptSecrets=False, supportsPreview=True)

    def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802
        args = _unpacked(request.args)
        if request.tok != "gcp:organizations/getProject:getProject":
            return _refuse(context, f"the stand-in does not answer {request.tok}")
        project = args.get("projectId") or self.defaults["project"]
        found = {"id": f"projects/{project}", "projectId": project, "number": project_number(project), "name": project}
        return provider_pb2.InvokeResponse(**{"return": _packed(found)})

    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        kind = _kind_of(request.urn)
        if kind not in KINDS:
            return _refuse(context, f"the stand-in does not know {kind}; describe it in local/standin_gcp/computed.py")
        inputs = self._filled(kind, _unpacked(request.news), _unpacked(request.olds), request)
        found = [
            provider_pb2.CheckFailure(property=property_, reason=reason)
            for property_, reason in validation.failures(kind, inputs)
        ]
        return provider_pb2.CheckResponse(inputs=_packed(inputs), failures=found)

    def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802
        del context
        kind, old, new = _kind_of(request.urn), _unpacked(request.old_inputs), _unpacked(request.news)
        paths = sorted({path for path, _, _ in differences.changed(old, new)})
        response = _diff_response(paths, differences.replacing(kind, old, new))
        # Two things of one name cannot be at the same time.
        name = KINDS[kind].name
        response.deleteBeforeReplace = bool(response.replaces) and (not name or old.get(name) == new.get(name))
        return response

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        kind, inputs = _kind_of(request.urn), _unpacked(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=_packed(_unknown_outputs(KINDS[kind], inputs)))
        with self.cloud.lock:
            try:
                identifier = KINDS[kind].identifier.format(**inputs)
                if self.cloud.is_taken(identifier) and KINDS[kind].name:
                    raise Refused(f"409: Already exists: {identifier}")
                outputs = self._settle(kind, identifier, inputs)
            except Refused as refused:
                return _refuse(context, str(refused))
        return provider_pb2.CreateResponse(id=identifier, properties=_packed(outputs))

    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        kind, inputs = _kind_of(request.urn), _unpacked(request.news)
        if request.preview:
            kept = {name: value for name, value in _unpacked(request.olds).items() if name in KINDS[kind].outputs}
            return provider_pb2.UpdateResponse(properties=_packed(merged(inputs, kept)))
        with self.cloud.lock:
            try:
                outputs = self._settle(kind, request.id, inputs)
            except Refused as refused:
                return _refuse(context, str(refused))
        return provider_pb2.UpdateResponse(properties=_packed(outputs))

    def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        del context
        found = self.cloud.find(request.id)
        if found is None:  # gone behind Pulumi's back
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(id=request.id, properties=_packed(found.outputs), inputs=_packed(found.inputs))

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        kind = _kind_of(request.urn)
        with self.cloud.lock:
            found = self.cloud.find(request.id)
            try:
                if found is not None:
                    api.refuse_deletion(kind, found.outputs, self.cloud)
                if not _stays_enabled(kind, found):
                    addon.forget(kind, found.outputs if found else {})
                    self.cloud.remove(request.id)
            except Refused as refused:
                return _refuse(context, str(refused))
        return empty_pb2.Empty()

    def Cancel(self, request: object, context: Any) -> Any:  # noqa: N802
        del request, context
        self.ended.set()
        return empty_pb2.Empty()

    def _filled(self, kind: str, news: Json, olds: Json, request: Any) -> Json:
        """The inputs with what the provider adds: project, region, and a name where none is given."""
        filled = dict(news)
        identifier = KINDS[kind].identifier
        for name in ("project", "region"):
            if f"{{{name}}}" in identifier and name not in filled and name in self.defaults:
                filled[name] = self.defaults[name]
        if "{location}" in identifier and "location" not in filled:
            filled["location"] = "global" if "gkehub" in kind else self.defaults.get("region", "")
        name = KINDS[kind].name
        if name and name not in filled:
            suffix = hashlib.sha256(request.randomSeed).hexdigest()[:7]
            filled[name] = olds.get(name) or f"{request.urn.rpartition('::')[2]}-{suffix}"
        return filled

    def _settle(self, kind: str, identifier: str, inputs: Json) -> Json:
        """Keep what is asked for, if it is not refused; returns how it looks then."""
        api.refuse(kind, inputs, self.cloud)
        before = self.cloud.find(identifier)
        outputs = merged(inputs, {name: compute(inputs) for name, compute in KINDS[kind].outputs.items()})
        addon.follow(kind, before.inputs if before else {}, inputs)
        self.cloud.put(identifier, Kept(kind, inputs, outputs))
        return outputs


def serve() -> None:
    """Serve on a free port of loopback, which is printed, until the engine ends this process."""
    own, *others = clusters.kept()
    cloud = Cloud(own, others)
    server = grpc.server(
        futures.ThreadPoolExecutor(16),
        options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)],
    )
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(StandIn(cloud), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)  # noqa: T201 - the engine reads it
    server.wait_for_termination()


def _stays_enabled(kind: str, found: Kept | None) -> bool:
    """An API that the stack enabled stays enabled unless it says otherwise."""
    return (
        kind == "gcp:projects/service:Service" and found is not None and not found.inputs.get("disableOnDestroy", True)
    )


def _kind_of(urn: str) -> str:
    return urn.split("::")[2].rpartition("$")[2]


def _unknown_outputs(kind: Kind, inputs: Json) -> Json:
    """A preview's answer: what is given, and a mark for each thing that only creating it tells."""
    unknown: Json = dict.fromkeys(kind.outputs, UNKNOWN)
    if "controlPlaneEndpointsConfig" in unknown:
        unknown["controlPlaneEndpointsConfig"] = {"dnsEndpointConfig": {"endpoint": UNKNOWN}}
        unknown["fleet"] = {"membership": UNKNOWN} if "fleet" in inputs else None
    return merged(inputs, unknown)


def _diff_response(paths: list[str], replaces: list[str]) -> Any:
    changes = provider_pb2.DiffResponse.DIFF_SOME if paths else provider_pb2.DiffResponse.DIFF_NONE
    kinds = provider_pb2.PropertyDiff
    detailed = {
        path: kinds(kind=kinds.UPDATE_REPLACE if path in replaces else kinds.UPDATE, inputDiff=True) for path in paths
    }
    return provider_pb2.DiffResponse(
        changes=changes,
        replaces=replaces,
        diffs=sorted({path.partition(".")[0] for path in paths}),
        detailedDiff=detailed,
        hasDetailedDiff=True,
    )


def _unpacked(properties: Any) -> Json:
    return plain(json_format.MessageToDict(properties))


def _packed(properties: Mapping[str, Any]) -> Any:
    packed = struct_pb2.Struct()
    json_format.ParseDict(properties, packed)
    return packed


def _refuse(context: Any, text: str) -> Any:
    context.abort(grpc.StatusCode.UNKNOWN, f"{text} [stand-in for Google Cloud]")
