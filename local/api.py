"""A Kubernetes API server, asked by path; objects are the JSON that it sends.

The official client does connections, certificates and credential plugins; its model classes are left
aside, since half of what is read here are custom resources.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes
import urllib3.exceptions

Json = dict[str, Any]

SANDBOXES = "/apis/agents.x-k8s.io/v1beta1"
EXTENSIONS = "/apis/extensions.agents.x-k8s.io/v1beta1"


class ApiError(Exception):
    """The API server refused or could not be reached; `status` is its HTTP status, 0 for no answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Api:
    """One cluster, through a kubeconfig."""

    def __init__(self, kubeconfig: Path | None, context: str | None = None) -> None:
        file = str(kubeconfig) if kubeconfig else None
        try:
            new_client: Any = kubernetes.config.new_client_from_config
            self._client = new_client(config_file=file, context=context)
        except (kubernetes.config.ConfigException, OSError) as error:
            raise ApiError(0, f"no usable kubeconfig at {file}: {error}") from error

    def get(self, path: str, **query: str) -> Json:
        return self._json("GET", path, query)

    def is_ready(self) -> bool:
        """Whether the API server answers, and says that it is ready."""
        try:
            return bool(self._send("GET", "/readyz", {}, None, 5.0).status == 200)
        except ApiError:
            return False

    def items(self, path: str, **query: str) -> list[Json]:
        """The list at `path`; empty if that kind is not served."""
        try:
            found: list[Json] = self.get(path, **query)["items"]
        except ApiError as error:
            if error.status == 404:
                return []
            raise
        return found

    def find(self, path: str) -> Json | None:
        """The object at `path`, or None if it is not there."""
        try:
            return self.get(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def create(self, path: str, body: Json, **query: str) -> Json:
        return self._json("POST", path, query, body)

    def replace(self, path: str, body: Json) -> Json:
        return self._json("PUT", path, {}, body)

    def delete(self, path: str) -> Json:
        return self._json("DELETE", path, {})

    def watch(self, path: str, seconds: int, **query: str) -> Iterator[Json]:
        """The watch events at `path`, for at most `seconds`."""
        query = {**query, "watch": "true", "timeoutSeconds": str(seconds)}
        response = self._send("GET", path, query, None, seconds + 5.0).response
        buffered = b""
        try:
            for block in response.stream(amt=None):
                buffered += block
                *lines, buffered = buffered.split(b"\n")
                for line in lines:
                    yield json.loads(line)
        finally:
            response.close()

    def _json(self, method: str, path: str, query: dict[str, str], body: Json | None = None) -> Json:
        answer = self._send(method, path, query, body, 30.0)
        text = answer.read()
        parsed: Json = json.loads(text)
        return parsed

    def _send(self, method: str, path: str, query: dict[str, str], body: Json | None, timeout: float) -> Any:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        request = self._client.param_serialize(
            method,
            path,
            query_params=list(query.items()),
            header_params=headers,
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            answer = self._client.call_api(*request, _request_timeout=timeout)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ApiError(0, f"the API server does not answer: {error}") from error
        if not 200 <= answer.status < 300:
            raise ApiError(answer.status, _reason(answer.read()))
        return answer


def holds(item: Json, condition: str) -> bool:
    """Whether an object says that `condition` is so."""
    conditions = item.get("status", {}).get("conditions", [])
    return any(each["type"] == condition and each["status"] == "True" for each in conditions)


def _reason(text: bytes) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text.decode("utf-8", "replace")[:500]
