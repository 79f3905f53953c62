"""How long the first result of a short clip takes on an idle, warm service, over the sum of its stages' own times.

The embedded engines dub the sample clip again and again, each time as another source, so that nothing is found made.
The sum is the ledger's: how long each part was at work. Whatever is on top of it was spent between the stages.

Example:
    python benchmarks/latency.py --json benchmarks/results/latency.json
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

from benchmarks.keeping import keep
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import JobRequest, JobStatus
from cluster.ledger.schema import upgrade
from cluster.ray_runtime import ray_cluster
from cluster.settings import Profile, Settings
from cluster.sources import describe_source
from cluster.supervision import end_flow, make_supervisor
from dataflow.records import JobOptions, to_plain

CLIP = Path(__file__).parent.parent / "samples" / "jfk.mp4"
LIMIT = 1.5
ROUNDS = 7
POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Round:
    """One clip: from its submission to its result, and what its stages took of that, in seconds."""

    wall: float
    stages: float

    @property
    def ratio(self) -> float:
        """What `LIMIT` bounds."""
        return self.wall / self.stages


@contextmanager
def service(settings: Settings, ledger: Ledger) -> Iterator[None]:
    """The endless flow and its supervisor, without doors."""
    stop = Event()
    with ray_cluster(settings):
        supervisor = make_supervisor(settings, ledger)
        watching = Thread(target=supervisor.run, args=(stop,))
        watching.start()
        try:
            yield
        finally:
            stop.set()
            watching.join()
            end_flow(settings, ledger, settings.drain_seconds)


def dub(settings: Settings, ledger: Ledger, number: int) -> Round:
    """Submit the clip as a source of its own and wait for its end."""
    copy = settings.home / f"clip{number}.mp4"
    shutil.copy(CLIP, copy)
    source = describe_source(copy)
    request = JobRequest(
        source_uri=source.uri,
        source_version=source.version,
        target_languages=("es",),
        destination=(settings.home / "out").as_uri(),
        stem=copy.stem,
        options=to_plain(JobOptions(profile=Profile.LITE)),
        tenant=f"tenant{number}",  # tenants share no artefacts
    )
    started = time.monotonic()
    job = ledger.submit(request)
    while not ledger.job(job.id).status.terminal:
        time.sleep(POLL_SECONDS)
    wall = time.monotonic() - started
    if (status := ledger.job(job.id).status) is not JobStatus.COMPLETED:
        sys.exit(f"the clip was not dubbed: {status}")
    return Round(wall, sum(stage.seconds for stage in ledger.stages(job.id)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="df-") as folder:
        settings = Settings(home=Path(folder), profile=Profile.LITE)
        upgrade(settings.database)
        ledger = Ledger(settings.database)
        with service(settings, ledger):
            dub(settings, ledger, 0)  # until everything is warm
            rounds = [dub(settings, ledger, number) for number in range(1, ROUNDS + 1)]
        ledger.close()
    ratio = statistics.median(one.ratio for one in rounds)
    verdict = "PASS" if ratio <= LIMIT else "FAIL"
    print(f"{'round':>6} {'wall s':>8} {'stages s':>9} {'ratio':>6}")
    for number, one in enumerate(rounds, start=1):
        print(f"{number:6} {one.wall:8.2f} {one.stages:9.2f} {one.ratio:6.2f}")
    print(f"median ratio {ratio:.2f}, at most {LIMIT:.2f}: {verdict}")
    keep({"median_ratio": ratio, "limit": LIMIT, "rounds": rounds}, arguments.json)
    return int(verdict == "FAIL")


if __name__ == "__main__":
    sys.exit(main())
