import subprocess
import sys
from pathlib import Path

PROGRAM = """
import os, sys
from pathlib import Path
from cluster.cli.console import err, out, print_json, stray_output_into
out.print("before")
with stray_output_into(Path(sys.argv[1])):
    print("stray")
    os.write(1, b"native\\n")
    print("noise", file=sys.stderr)
    sys.stdout.flush()
    print_json({"name": "caf\\udce9"})
    err.print("progress")
out.print("after")
err.print("end")
"""


def test_results_stay_apart_from_what_libraries_print(tmp_path: Path) -> None:
    log = tmp_path / "stray.log"
    run = subprocess.run([sys.executable, "-c", PROGRAM, str(log)], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == ["before", '{"name": "caf\\udce9"}', "after"]
    assert run.stderr.splitlines() == ["progress", "end"]
    assert sorted(log.read_text(encoding="utf-8").splitlines()) == ["native", "noise", "stray"]
