import io

from rich.console import Console

from cluster.ledger.records import Job, JobRequest, JobStatus, Stage, StageState, StageStatus
from dataflow.progress import Bars, JobProgress, Lines, TimeLeft, stage_in_work


def state(stage: Stage, status: StageStatus) -> StageState:
    return StageState(stage, "", status, None, 0, 0, 0.0)


def progress(percent: float, stage: Stage, status: JobStatus = JobStatus.PROCESSING) -> JobProgress:
    request = JobRequest("file:///a.mp4", "1", ("es",), "file:///out", "a")
    return JobProgress("a.mp4", Job("j1", request, status, 1, percent, 0.0, 0.0), stage)


def test_the_stage_in_work_is_the_first_that_runs_else_the_first_that_waits() -> None:
    done = state(Stage.VALIDATION, StageStatus.COMPLETED)
    running = state(Stage.TRANSCRIPTION, StageStatus.RUNNING)
    waiting = state(Stage.DIARIZATION, StageStatus.PENDING)
    assert stage_in_work([done, waiting, running]) is Stage.TRANSCRIPTION
    assert stage_in_work([done, waiting]) is Stage.DIARIZATION
    assert stage_in_work([done]) is None


def test_time_left_follows_the_pace() -> None:
    left = TimeLeft()
    assert left.at(2, now=0) is None
    assert left.at(10, now=5) is None
    assert left.at(40, now=11) == 12.0
    assert left.at(100, now=30) == 0.0


def test_without_a_terminal_a_line_is_printed_for_each_new_stage() -> None:
    written = io.StringIO()
    with Lines(Console(file=written)) as lines:
        lines.show([progress(10, Stage.DIARIZATION)])
        lines.show([progress(12, Stage.DIARIZATION)])
        lines.show([progress(38, Stage.GENDER_DETECTION)])
        lines.show([progress(100, Stage.COMBINATION, JobStatus.COMPLETED)])
    assert written.getvalue().splitlines() == ["a.mp4: 10 % diarization", "a.mp4: 38 % gender detection"]


def test_a_terminal_shows_a_bar_with_stage_and_percentage() -> None:
    written = io.StringIO()
    with Bars(Console(file=written, force_terminal=True, width=120)) as bars:
        bars.show([progress(35, Stage.TRANSLATION)])
        bars._bars.refresh()
    assert "a.mp4" in written.getvalue()
    assert "35 %  translation" in written.getvalue()
