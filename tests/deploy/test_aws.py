"""ray-cluster.yaml is what Ray's autoscaler takes, and says what the operations manual says."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

from cluster.settings import Settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "ray-cluster.yaml").read_text(encoding="utf-8")
POLICIES = sorted((ROOT / "deploy" / "aws").glob("*.json"))


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(TEXT)
    return document


def test_ray_accepts_it(config: dict[str, Any]) -> None:
    prepared = prepare_config(copy.deepcopy(config))
    validate_config(prepared)
    types = prepared["available_node_types"]
    assert types[prepared["head_node_type"]]["max_workers"] == 0
    assert prepared["head_start_ray_commands"] == config["head_start_ray_commands"]


@pytest.mark.parametrize("change", [{"max_worker": 3}, {"available_node_types": {"head": {"resources": {"CPU": -1}}}}])
def test_ray_would_refuse_what_is_wrong(config: dict[str, Any], change: dict[str, Any]) -> None:
    with pytest.raises(Exception, match=r"(?i)additional|minimum|required"):
        validate_config(prepare_config({**copy.deepcopy(config), **change}))


def test_nodes_scale_between_limits_and_the_head_does_no_work(config: dict[str, Any]) -> None:
    types = dict(config["available_node_types"])
    head = types.pop(config["head_node_type"])
    assert head["resources"] == {"CPU": 0}
    for node in types.values():
        assert 0 <= node["min_workers"] <= node["max_workers"]
    assert sum(node["max_workers"] for node in types.values()) <= config["max_workers"]
    assert types["gpu"]["max_workers"] <= 16, "a cell is no larger"


def test_every_node_has_a_role_an_encrypted_disk_and_its_labels(config: dict[str, Any]) -> None:
    head = config["head_node_type"]
    for name, node in config["available_node_types"].items():
        machine = node["node_config"]
        assert machine["IamInstanceProfile"] == {"Name": "dubflow-head" if name == head else "dubflow-worker"}
        assert machine["MetadataOptions"] == {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}
        assert machine["SubnetIds"]
        assert machine["SecurityGroupIds"]
        assert all(disk["Ebs"]["Encrypted"] for disk in machine["BlockDeviceMappings"])
        assert node["labels"] == {"dubflow-cell": "main", "dubflow-role": name}


def test_nothing_of_ray_is_open_to_others(config: dict[str, Any]) -> None:
    assert config["provider"]["use_internal_ips"] is True
    (start,) = [command for command in config["head_start_ray_commands"] if "ray start --head" in command]
    assert "--dashboard-host=127.0.0.1" in start
    assert "RAY_gcs_storage=rocksdb" in start
    assert "RAY_gcs_storage_path=/var/lib/dubflow/" in start
    assert re.search(r"RAY_AUTH_MODE=token", TEXT)


def test_settings_come_from_a_secret_and_are_settings(config: dict[str, Any]) -> None:
    described = set(re.findall(r"^#\s+(DUBFLOW_\w+)=", TEXT, re.MULTILINE))
    assert {"DUBFLOW_DATABASE_URL", "DUBFLOW_BLOB_URL"} <= described
    assert {name.removeprefix("DUBFLOW_").lower() for name in described} <= set(Settings.model_fields)
    assert any("secretsmanager get-secret-value" in command for command in config["initialization_commands"])
    assert any("--env-file" in option for option in config["docker"]["run_options"])
    assert not re.search(r"(?i)(password|secret|token|key)\w*:\s*['\"]?[A-Za-z0-9+/]{16,}", TEXT)


def test_files_that_go_along_exist(config: dict[str, Any]) -> None:
    for remote, local in config["file_mounts"].items():
        assert (ROOT / local).is_file()
        assert any(remote in command for command in config["head_start_ray_commands"])


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.name)
def test_roles_may_do_single_things(path: Path) -> None:
    policy = json.loads(path.read_text(encoding="utf-8"))
    for statement in policy["Statement"]:
        assert statement["Effect"] == "Allow"
        assert all(re.fullmatch(r"[a-z0-9]+:[A-Z]\w+", action) for action in statement["Action"]), "no wildcards"
        reads = all(re.match(r"\w+:(Describe|Get|BatchGet)", action) for action in statement["Action"])
        assert statement["Resource"] != "*" or reads or "Condition" in statement
