"""Random histories of the ledger, with owners that crash, come back late and never tell, against a plain model.

A few rules, each with many cases: Hypothesis picks rules evenly, and most steps should be work.
"""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select, update

from cluster.errors import DubflowError, ErrorCode, LeaseLostError
from cluster.ledger.ledger import Ledger
from cluster.ledger.parts import PartExhaustedError
from cluster.ledger.records import Failure, JobStatus, Lease, Priority, Review, ScriptEdits, Stage, StageStatus
from cluster.ledger.tables import jobs, leases
from tests.fixtures.databases import empty
from tests.fixtures.ledger_model import ALLOWED, Exhausted, JobModel, OutOfPlan
from tests.fixtures.ledgers import let_pauses_end, request, scene

OWNERS = st.sampled_from(["ann", "bob", "cleo"])
NAMES = st.sampled_from(["a", "b", "c"])
TENANTS = st.sampled_from(["one", "two"])
BATCHES = st.sampled_from(["", "night"])
KEYS = st.sampled_from(["old", "old", "old", "new"])
INDICES = st.sampled_from([0, 1, 2, 2, 1, 0, 3])
CODES = st.sampled_from([ErrorCode.ENGINE_FAILED, ErrorCode.STORAGE_FAILED])
LANGUAGES = st.sampled_from(["es", "fr"])
LINES = st.sampled_from(["u0001", "u0002"])
TEXTS = st.sampled_from(["hola", "adiós", "", None])
PICKS = st.integers(0, 99)
ACTIONS = st.one_of(
    st.tuples(st.just("begin"), INDICES, KEYS),
    st.tuples(st.just("finish"), INDICES, KEYS, st.none() | CODES),
    st.tuples(st.just("expect"), st.sampled_from([3, 3, 3, 3, 2, 4, 1, 0])),
)
CROWD = 4
"""So many jobs are enough; random histories would otherwise only submit."""


class LedgerMachine(RuleBasedStateMachine):
    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self.ledger = ledger
        self.jobs: dict[str, JobModel] = {}
        self.leases: list[Lease] = []
        self.turns: dict[str, int] = {}
        self.seen: dict[str, tuple[int, JobStatus, float]] = {}

    @initialize(names=st.sets(NAMES, min_size=1, max_size=2), claims=st.integers(0, 3))
    def start_with_some_work(self, names: set[str], claims: int) -> None:
        empty(self.ledger._url)
        for name in sorted(names):
            self.submit(request(name, priority=Priority.BULK))
        for _ in range(claims):
            self.claim("ann", None)

    # Doors

    @rule(
        wanted=st.builds(
            request,
            NAMES,
            tenant=TENANTS,
            priority=st.sampled_from(Priority),
            batch=BATCHES,
            target_languages=st.sampled_from([("es",), ("es", "fr")]),
            review=st.booleans(),
        )
    )
    @precondition(lambda self: len(self.jobs) < CROWD)
    def submit(self, wanted: Any) -> None:
        job = self.ledger.submit(wanted)
        known = self.jobs.get(job.id)
        if known is None:
            assert job.status is JobStatus.UPLOADED
            self.turns.setdefault(wanted.tenant, 0)
            self.jobs[job.id] = JobModel.of(job, *self._place(job.id))
        elif not known.status.terminal:
            known.batch, known.priority = wanted.batch, max(known.priority, wanted.priority)

    @rule(pick=PICKS, ask=st.sampled_from(["requeue", "requeue", "redub", "redub", "cancel", "extend", "delete"]))
    @precondition(lambda self: self.jobs)
    def ask_about_a_job(self, pick: int, ask: str) -> None:
        ended = [job for job in self.jobs.values() if job.status.idle]
        if ask == "redub":
            ended = [job for job in ended if job.may_be_dubbed_again] or ended
        suitable = ended if ended and pick % 5 else list(self.jobs.values())
        job = suitable[pick % len(suitable)]
        match ask:
            case "cancel":
                refused = job.status in {JobStatus.COMPLETED, JobStatus.FAILED}
                self._ask(lambda: self.ledger.cancel(job.id), job.cancel, refused=refused)
            case "requeue":
                self._ask(lambda: self.ledger.requeue(job.id), job.requeue, refused=not job.status.terminal)
            case "redub":
                self._ask(lambda: self.ledger.redub(job.id), job.redub, refused=not job.may_be_dubbed_again)
            case "extend":
                refused = not job.status.idle and "fr" not in job.languages
                self._ask(lambda: self.ledger.add_languages(job.id, ["fr"]), job.add_french, refused=refused)
            case "delete":
                refused = not job.status.idle
                self._ask(lambda: self.ledger.delete(job.id), lambda: self._forget(job.id), refused=refused)
        if job.id in self.jobs:
            job.queued_at, job.number = self._place(job.id)

    @rule(pick=PICKS, line=LINES, text=TEXTS, stale=st.sampled_from([False, False, True]))
    @precondition(lambda self: self.jobs)
    def edit(self, pick: int, line: str, text: str | None, stale: bool) -> None:
        job = list(self.jobs.values())[pick % len(self.jobs)]
        language = job.languages[pick % len(job.languages)]
        base = job.revision(language)
        if stale:
            with pytest.raises(DubflowError) as conflict:
                self.ledger.edit(job.id, language, base + 1, {line: text})
            assert conflict.value.code is ErrorCode.CONFLICT
        else:
            assert self.ledger.edit(job.id, language, base, {line: text}) == job.edit(language, line, text)

    # Owners

    @rule(owner=OWNERS, batch=st.sampled_from([None, None, "night"]))
    def claim(self, owner: str, batch: str | None) -> None:
        self._take_back([job for job in self.jobs.values() if job.runs_out])
        waiting = [job for job in self.jobs.values() if job.waits and batch in {None, job.batch}]
        claim = self.ledger.claim(owner, batch)
        if not waiting:
            assert claim is None
            return
        assert claim is not None
        job = self._next(waiting)
        assert claim.job.id == job.id
        assert claim.lease == job.take(owner)
        self.turns[job.tenant] = max(self.turns.values()) + 1
        self.leases.append(claim.lease)

    @rule(owner=OWNERS, does=st.sampled_from(["beats", "is late", "is late", "is dead"]))
    @precondition(lambda self: self.leases)
    def an_owner(self, owner: str, does: str) -> None:
        held = [job for job in self.jobs.values() if job.lease and job.lease.owner == owner]
        match does:
            case "beats":
                assert self.ledger.heartbeat(owner) == {job.id for job in held}
            case "is late":
                late = update(leases).where(leases.c.owner == owner).values(expires_at=0.0)
                self.ledger._database.write(lambda connection: connection.execute(late))
            case "is dead":
                assert self.ledger.expire_owner(owner) == {job.id for job in held}
                self._take_back(held)
        for job in held:
            job.late = does == "is late"

    @rule(somebody_looks=st.booleans())
    @precondition(lambda self: any(job.pauses or job.runs_out for job in self.jobs.values()))
    def time_passes(self, somebody_looks: bool) -> None:
        let_pauses_end(self.ledger)
        for job in self.jobs.values():
            job.pauses = False
        if somebody_looks:
            late = [job for job in self.jobs.values() if job.runs_out]
            assert self.ledger.reclaim() == {job.id for job in late}
            self._take_back(late)

    # Workers, whose lease may stand or not

    @rule(pick=PICKS, actions=st.lists(ACTIONS, min_size=1, max_size=12))
    @precondition(lambda self: self.leases)
    def work(self, pick: int, actions: list[tuple[Any, ...]]) -> None:
        lease = self._lease(pick)
        does = {"begin": self._begin, "finish": self._finish, "expect": self._expect}
        for name, *arguments in actions if self._stands(lease) else actions[:1]:
            does[name](lease, *arguments)

    @rule(
        pick=PICKS, order=st.permutations(range(3)), key=KEYS, codes=st.lists(st.none() | CODES, min_size=2, max_size=3)
    )
    @precondition(lambda self: self.leases)
    def run_a_stage(self, pick: int, order: list[int], key: str, codes: list[ErrorCode | None]) -> None:
        """As the flow does: announce, begin and end each part, in any order, unless a crash comes before the last."""
        lease = self._lease(pick)
        if self._stands(lease):
            self._expect(lease, 3)
            for index in order:
                self._begin(lease, index, key)
            for index, code in zip(order, codes, strict=False):
                self._finish(lease, index, key, code)

    @rule(pick=PICKS)
    @precondition(lambda self: any(job.lease for job in self.jobs.values()))
    def repeat_all_that_is_finished(self, pick: int) -> None:
        """As a later attempt does, or Ray: one part closes, the same each time, and watchers hear nothing of it."""
        lease = self._lease(pick)
        if not self._stands(lease):
            return
        parts = self.jobs[lease.job_id].parts
        told = self.ledger.job(lease.job_id).seq
        for index, part in parts.parts.items():
            if part.status is StageStatus.COMPLETED:
                assert self.ledger.finish(lease, scene(index), part.key, seconds=0.0) is (parts.closer == index)
                part.fence = lease.fence
        assert self.ledger.job(lease.job_id).seq == told

    @rule(
        pick=PICKS,
        end=st.sampled_from(["publish", "publish", "publish", "await_review", "fail_output", "hand_back", "fail"]),
        language=LANGUAGES,
        code=CODES,
    )
    @precondition(lambda self: self.leases)
    def end(self, pick: int, end: str, language: str, code: ErrorCode) -> None:
        lease = self._lease(pick)
        failure = Failure(code, "it went wrong")
        match end:
            case "publish":
                self._publish(lease, language)
            case "await_review":
                self._await_review(lease, language)
            case "fail_output":
                self._fail_output(lease, language, failure)
            case "hand_back":
                self._as_worker(lease, lambda: self.ledger.hand_back(lease), lambda job: job.hand_back())
            case "fail":
                self._as_worker(lease, lambda: self.ledger.fail(lease, failure), lambda job: job.fail(code))

    @rule(pick=PICKS, fails=st.sampled_from([None, None, "es", "fr"]))
    @precondition(lambda self: any(job.lease for job in self.jobs.values()))
    def end_all_languages(self, pick: int, fails: str | None) -> None:
        """As the flow does: one language after the other is published, or comes to the point of review."""
        lease = self._lease(pick)
        for language in self.jobs[lease.job_id].unfinished(lease.fence) if self._stands(lease) else []:
            if language == fails:
                self._fail_output(lease, language, Failure(ErrorCode.ENGINE_FAILED, "it went wrong"))
            elif self.jobs[lease.job_id].review is Review.WANTED:
                self._await_review(lease, language)
            else:
                self._publish(lease, language)

    # Promises

    @invariant()
    def the_ledger_agrees_with_the_model(self) -> None:
        stored = {job.id: job for job in self.ledger.jobs(limit=1000).jobs}
        assert {job_id: (job.status, job.attempt) for job_id, job in stored.items()} == {
            job.id: (job.status, job.attempt) for job in self.jobs.values()
        }
        dead = {job.id for job in self.ledger.dead_letters().jobs}
        assert dead == {job.id for job in self.jobs.values() if job.dead_letter}
        assert all((job.progress == 100.0) is (job.status is JobStatus.COMPLETED) for job in stored.values())

    @invariant()
    def no_job_is_lost(self) -> None:
        held = select(leases.c.job_id, leases.c.owner, leases.c.fence)
        stored = self.ledger._database.read(lambda connection: [Lease(*row) for row in connection.execute(held)])
        assert {lease.job_id: lease for lease in stored} == {
            job.id: job.lease for job in self.jobs.values() if job.lease
        }
        for job in self.jobs.values():
            assert job.status.idle or (job.status is JobStatus.PROCESSING) is (job.lease is not None)
            assert job.lease is None or job.status is JobStatus.PROCESSING

    @invariant()
    def outputs_and_edits_are_what_was_said_of_them(self) -> None:
        for job in self.jobs.values():
            for output in self.ledger.outputs(job.id):
                language = output.language
                if language in job.outputs:
                    assert (output.status, output.revision) == (
                        job.outputs[language][0],
                        job.made_with.get(language, 0),
                    )
                for revision in {output.revision, job.revision(language)}:
                    texts = job.texts(language, revision)
                    assert self.ledger.edits(job.id, language, revision) == ScriptEdits(revision, texts)
                assert self.ledger.edits(job.id, language).revision == job.revision(language)

    @invariant()
    def events_have_no_gaps_statuses_move_along_edges_and_progress_never_falls(self) -> None:
        for job_id in self.jobs:
            seq, status, progress = self.seen.get(job_id, (0, JobStatus.UPLOADED, 0.0))
            for event in self.ledger.events(job_id, after=seq, limit=1000):
                assert event.seq == seq + 1
                if event.kind == "job" and event.seq > 1:
                    assert event.data["status"] in ALLOWED[status]
                    status = JobStatus(event.data["status"])
                    if status in {JobStatus.PROCESSING, JobStatus.UPLOADED}:
                        progress = 0.0
                assert event.data.get("progress", progress) >= progress
                seq, progress = event.seq, event.data.get("progress", progress)
            self.seen[job_id] = (seq, status, progress)

    def _begin(self, lease: Lease, index: int, key: str) -> None:
        def begin() -> object:
            try:
                return self.ledger.begin(lease, scene(index), key)
            except PartExhaustedError as error:
                return Exhausted(error.closes)
            except DubflowError as error:
                if error.code is ErrorCode.CONFLICT:
                    return OutOfPlan()
                raise

        self._as_worker(lease, begin, lambda job: job.parts.begin(lease.fence, index, key))

    def _finish(self, lease: Lease, index: int, key: str, code: ErrorCode | None) -> None:
        failure = Failure(code, "it went wrong") if code else None
        self._as_worker(
            lease,
            lambda: self.ledger.finish(lease, scene(index), key, seconds=1.0, failure=failure),
            lambda job: job.parts.finish(lease.fence, index, key, code),
        )

    def _expect(self, lease: Lease, count: int) -> None:
        self._as_worker(
            lease,
            lambda: self.ledger.expect(lease, Stage.TRANSCRIPTION, "", count),
            lambda job: job.parts.expect(lease.fence, count),
        )

    def _publish(self, lease: Lease, language: str) -> None:
        def publish() -> bool:
            return self.ledger.publish(lease, language, {"video": str(lease.fence)}, {})

        if self._ended_by(lease, language, StageStatus.COMPLETED):
            assert publish() is True
        elif self._may_end(lease, language):
            self._as_worker(lease, publish, lambda job: job.publish(lease.fence, language))

    def _await_review(self, lease: Lease, language: str) -> None:
        def wait() -> None:
            self.ledger.await_review(lease, language, f"draft-{lease.fence}")

        known = self.jobs.get(lease.job_id)
        if self._ended_by(lease, language, StageStatus.PENDING):
            wait()
        elif self._may_end(lease, language) and (known is None or known.review is Review.WANTED):
            self._as_worker(lease, wait, lambda job: job.await_review(lease.fence, language))

    def _fail_output(self, lease: Lease, language: str, failure: Failure) -> None:
        def fail() -> None:
            self.ledger.fail_output(lease, language, failure)

        if self._ended_by(lease, language, StageStatus.FAILED):
            fail()
        elif self._may_end(lease, language):
            self._as_worker(lease, fail, lambda job: job.fail_output(lease.fence, language))

    def _ended_by(self, lease: Lease, language: str, status: StageStatus) -> bool:
        job = self.jobs.get(lease.job_id)
        return job is not None and job.outputs.get(language) == (status, lease.fence)

    def _may_end(self, lease: Lease, language: str) -> bool:
        return lease.job_id not in self.jobs or language in self.jobs[lease.job_id].outputs

    def _as_worker(self, lease: Lease, write: Callable[[], object], promised: Callable[[JobModel], object]) -> None:
        """A worker whose lease stands gets the promised answer; any other is refused, and nothing changes."""
        if self._stands(lease):
            assert write() == promised(self.jobs[lease.job_id])
            return
        before = self.ledger.job(lease.job_id) if lease.job_id in self.jobs else None
        with pytest.raises(LeaseLostError):
            write()
        assert before is None or self.ledger.job(lease.job_id) == before

    def _ask(self, call: Callable[[], object], change: Callable[[], None], *, refused: bool) -> None:
        if not refused:
            call()
            change()
            return
        with pytest.raises(DubflowError) as conflict:
            call()
        assert conflict.value.code is ErrorCode.CONFLICT

    def _forget(self, job_id: str) -> None:
        del self.jobs[job_id]
        self.seen.pop(job_id, None)

    def _take_back(self, lost: list[JobModel]) -> None:
        for job in lost:
            job.lose()

    def _next(self, waiting: list[JobModel]) -> JobModel:
        highest = max(job.priority for job in waiting)
        rivals = [job for job in waiting if job.priority == highest]
        oldest = {job.tenant: min(other.queued_at for other in rivals if other.tenant == job.tenant) for job in rivals}
        return min(rivals, key=lambda job: (self.turns[job.tenant], oldest[job.tenant], job.queued_at, job.number))

    def _lease(self, pick: int) -> Lease:
        # Most writes should come from workers whose lease stands.
        standing = [job.lease for job in self.jobs.values() if job.lease]
        among = self.leases if not standing or pick % 5 == 4 else standing
        return among[pick % len(among)]

    def _stands(self, lease: Lease) -> bool:
        job = self.jobs.get(lease.job_id)
        return job is not None and job.lease == lease

    def _place(self, job_id: str) -> tuple[float, int]:
        place = select(jobs.c.queued_at, jobs.c.number).where(jobs.c.id == job_id)
        queued_at, number = self.ledger._database.read(lambda connection: connection.execute(place).one())
        return queued_at, number


def test_the_ledger_keeps_its_promises_through_random_histories(
    ledger: Ledger, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Pauses end when a history says so, and not because the machine that runs it is slow.
    for name in ("_FIRST_PAUSE_SECONDS", "_LONGEST_PAUSE_SECONDS"):
        monkeypatch.setattr(f"cluster.ledger.leases.{name}", 1e6)
    examples = {"sqlite": 35, "postgresql": 12, "lost answers": 12}[request.node.callspec.params["ledger"]]
    run_state_machine_as_test(
        lambda: LedgerMachine(ledger),
        settings=settings(
            max_examples=examples,
            stateful_step_count=50,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
