"""How `dubflow serve` refuses; what it does when it runs is in tests/serve_apps/live."""

import socket
import subprocess
import sys
from pathlib import Path

from tests.fixtures.services import DUBFLOW, free_port


def refused(home: Path, *arguments: str) -> tuple[int, str]:
    environment = {"DUBFLOW_HOME": str(home), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [DUBFLOW, "serve", *arguments], env=environment, cwd=home, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, error = refused(tmp_path, "--port", port)
    assert code == 3
    assert error.count("\n") == 1
    assert f"127.0.0.1:{port}" in error
    assert "--port" in error


def test_other_machines_are_not_let_in_without_a_key(tmp_path: Path) -> None:
    code, error = refused(tmp_path, "--host", "0.0.0.0", "--port", str(free_port()))
    assert code == 3
    assert error.count("\n") == 1
    assert "dubflow keys create" in error


def test_the_command_does_not_import_ray_before_it_needs_it() -> None:
    code = "import sys; import serve_apps.command; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
