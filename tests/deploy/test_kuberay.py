"""The manifests for Kubernetes have the structure that is documented, and Serve can read their part.

KubeRay's own definition is as large as Kubernetes' pod; what is checked here is a strict schema of the fields that
these manifests use, written after KubeRay 1.7: a field that is not in it is an error.
"""

import copy
import importlib
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from ray.serve.schema import ServeDeploySchema

from cluster.settings import Settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kuberay"
QUANTITY = {"type": "string", "pattern": r"^\d+(\.\d+)?(m|Ki|Mi|Gi|Ti)?$"}
TEXT = {"type": "string", "minLength": 1}
NAME = {"type": "string", "pattern": r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"}
COUNT = {"type": "integer", "minimum": 0}
TEXTS = {"type": "object", "additionalProperties": TEXT}


def record(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


def several(of: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": of, "minItems": 1}


REFERENCE = record({"name": NAME})
ENVIRONMENT = {"oneOf": [record({"configMapRef": REFERENCE}), record({"secretRef": REFERENCE})]}
AMOUNTS = {"type": "object", "additionalProperties": QUANTITY}
CONTAINER = record(
    {"name": NAME, "image": TEXT, "resources": record({"requests": AMOUNTS, "limits": AMOUNTS})},
    command=several(TEXT),
    envFrom=several(ENVIRONMENT),
    ports=several(record({"containerPort": COUNT, "name": NAME})),
    securityContext=record(
        {
            "allowPrivilegeEscalation": {"const": False},
            "capabilities": record({"drop": {"const": ["ALL"]}}),
        }
    ),
    volumeMounts=several(record({"name": NAME, "mountPath": {"type": "string", "pattern": "^/"}})),
)
POD = record(
    {
        "containers": several(CONTAINER),
        "serviceAccountName": NAME,
        "automountServiceAccountToken": {"type": "boolean"},
        "securityContext": record(
            {
                "runAsNonRoot": {"const": True},
                "runAsUser": COUNT,
                "runAsGroup": COUNT,
                "fsGroup": COUNT,
                "seccompProfile": record({"type": {"const": "RuntimeDefault"}}),
            }
        ),
    },
    initContainers=several(CONTAINER),
    terminationGracePeriodSeconds=COUNT,
    tolerations=several(record({"key": TEXT, "operator": {"const": "Exists"}, "effect": {"const": "NoSchedule"}})),
    volumes=several(record({"name": NAME, "emptyDir": record({"sizeLimit": QUANTITY})})),
)
TEMPLATE = record({"metadata": record({"labels": TEXTS}), "spec": POD})
REDIS_PASSWORD = record({"valueFrom": record({"secretKeyRef": record({"name": NAME, "key": TEXT})})})
FAULT_TOLERANCE = {
    "oneOf": [
        record({"backend": {"const": "rocksdb"}, "storage": record({"size": QUANTITY})}),
        record({"backend": {"const": "redis"}, "redisAddress": TEXT}, redisPassword=REDIS_PASSWORD),
    ]
}
HEAD = record(
    {"rayStartParams": TEXTS, "template": TEMPLATE}, serviceType={"enum": ["ClusterIP", "NodePort", "LoadBalancer"]}
)
WORKERS = record(
    {"groupName": NAME, "minReplicas": COUNT, "maxReplicas": COUNT, "rayStartParams": TEXTS, "template": TEMPLATE},
    replicas=COUNT,
)
CLUSTER = record(
    {"headGroupSpec": HEAD, "rayVersion": {"type": "string", "pattern": r"^\d+\.\d+\.\d+$"}},
    workerGroupSpecs=several(WORKERS),
    enableInTreeAutoscaling={"type": "boolean"},
    autoscalerOptions=record({}, idleTimeoutSeconds=COUNT, upscalingMode={"enum": ["Default", "Conservative"]}),
    authOptions=record({"mode": {"enum": ["token", "disabled"]}}, secretName=NAME),
    gcsFaultToleranceOptions=FAULT_TOLERANCE,
)
SERVICE = record(
    {
        "apiVersion": {"const": "ray.io/v1"},
        "kind": {"const": "RayService"},
        "metadata": record({"name": NAME}, labels=TEXTS),
        "spec": record(
            {"serveConfigV2": TEXT, "rayClusterConfig": CLUSTER},
            upgradeStrategy=record({"type": {"enum": ["NewCluster", "None"]}}),
            rayClusterDeletionDelaySeconds=COUNT,
        ),
    }
)


@cache
def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8")))


def service() -> dict[str, Any]:
    (document,) = copy.deepcopy(documents("rayservice.yaml"))
    return document


def merged(target: Any, patch: Any) -> Any:
    """RFC 7386, as `kubectl patch --type merge` does it."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def pods(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    cluster = document["spec"]["rayClusterConfig"]
    groups = {group["groupName"]: group for group in cluster["workerGroupSpecs"]}
    return {name: group["template"] for name, group in {"head": cluster["headGroupSpec"], **groups}.items()}


def test_the_service_has_the_documented_structure() -> None:
    jsonschema.validate(service(), SERVICE)


def test_a_field_that_does_not_exist_would_be_seen() -> None:
    wrong = service()
    wrong["spec"]["rayClusterConfig"]["workerGroupSpecs"][0]["minReplica"] = 1
    with pytest.raises(jsonschema.ValidationError, match="minReplica"):
        jsonschema.validate(wrong, SERVICE)


def test_with_redis_it_has_that_structure_too() -> None:
    (patch,) = documents("gcs-redis.yaml")
    with_redis = merged(service(), patch)
    jsonschema.validate(with_redis, SERVICE)
    assert with_redis["spec"]["rayClusterConfig"]["gcsFaultToleranceOptions"]["backend"] == "redis"


def test_serve_reads_its_part_and_finds_the_application() -> None:
    own = yaml.safe_load((ROOT / "deploy" / "serve.yaml").read_text(encoding="utf-8"))
    assert yaml.safe_load(service()["spec"]["serveConfigV2"]) == own, "one configuration for both"
    (application,) = ServeDeploySchema(**own).applications
    known = set(ServeDeploySchema.model_fields)
    assert set(own) <= known, "Serve ignores what it does not know"
    assert application.import_path
    module, name = application.import_path.split(":")
    assert callable(getattr(importlib.import_module(module), name))
    assert application.route_prefix == "/"


def test_versions_and_sizes_fit_the_project() -> None:
    import ray  # noqa: PLC0415 - takes seconds

    cluster = service()["spec"]["rayClusterConfig"]
    assert cluster["rayVersion"] == ray.__version__
    assert cluster["authOptions"]["mode"] == "token"
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    for group in cluster["workerGroupSpecs"]:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"] <= 16


def test_pods_are_like_each_other_and_never_privileged() -> None:
    images = set()
    for name, template in pods(service()).items():
        assert template["metadata"]["labels"] == {"dubflow-cell": "main", "dubflow-role": name}
        spec = template["spec"]
        mounted = {mount["name"] for one in spec["containers"] for mount in one.get("volumeMounts", [])}
        assert mounted == {volume["name"] for volume in spec["volumes"]}
        for container in [*spec["containers"], *spec.get("initContainers", [])]:
            images.add(container["image"])
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["resources"]["limits"]["memory"]
            assert {next(iter(source)) for source in container["envFrom"]} == {"configMapRef", "secretRef"}
    assert len(images) == 1


def test_only_pods_that_need_kubernetes_get_its_token() -> None:
    tokens = {name: pod["spec"]["automountServiceAccountToken"] for name, pod in pods(service()).items()}
    assert {name for name, has in tokens.items() if has} == {"head"}


def test_what_the_service_refers_to_is_described() -> None:
    made = {(one["kind"], one["metadata"]["name"]): one for one in documents("prerequisites.yaml")}
    text = (FOLDER / "rayservice.yaml").read_text(encoding="utf-8")
    for kind, pattern in {
        "ConfigMap": r"configMapRef: \{name: ([\w-]+)\}",
        "Secret": r"secretRef: \{name: ([\w-]+)\}|secretName: ([\w-]+)",
        "ServiceAccount": r"serviceAccountName: ([\w-]+)",
    }.items():
        names = {name for found in re.findall(pattern, text) for name in ([found] if isinstance(found, str) else found)}
        for name in names - {""}:
            assert (kind, name) in made
    assert "auth_token" in made["Secret", "dubflow-ray-token"]["stringData"]
    described = {**made["ConfigMap", "dubflow-settings"]["data"], **made["Secret", "dubflow-secrets"]["stringData"]}
    ours = {name.removeprefix("DUBFLOW_").lower() for name in described if name.startswith("DUBFLOW_")}
    assert {"database_url", "blob_url"} <= ours <= set(Settings.model_fields)


def test_only_port_8000_is_open_to_others() -> None:
    (policy,) = [one for one in documents("prerequisites.yaml") if one["kind"] == "NetworkPolicy"]
    assert policy["spec"]["podSelector"] == {"matchLabels": {"dubflow-cell": "main"}}
    for rule in policy["spec"]["ingress"]:
        assert rule["from"]
        namespaces = {
            source.get("namespaceSelector", {}).get("matchLabels", {}).get("kubernetes.io/metadata.name")
            for source in rule["from"]
        }
        if "ports" not in rule:
            assert namespaces == {None, "kuberay-system"}
        else:
            assert {port["port"] for port in rule["ports"]} <= {8000, 8080}
