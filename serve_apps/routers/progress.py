"""Watching a job: by WebSocket, or as server-sent events."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import aclosing, suppress
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response, WebSocket, WebSocketDisconnect, status
from starlette.responses import StreamingResponse

from cluster.errors import DubflowError, RateLimitedError
from serve_apps.authentication import Caller, SocketCallerDep
from serve_apps.dependencies import CallerDep, JobDep
from serve_apps.progress import Progress, ProgressDep, until_refused

router = APIRouter(prefix="/jobs", tags=["progress"])

MAX_FRAME_BYTES = 4096
"""Clients have nothing to say; what is longer than any ping is refused."""
_RETRY_MILLISECONDS = 2000

After = Annotated[
    int | None, Query(ge=0, le=2**53, description="`seq` of the last message you know; the events after it follow.")
]
LastEventId = Annotated[int | None, Header(ge=0, le=2**53, description="As `after`; browsers send it by themselves.")]


@router.get(
    "/{job_id}/events",
    operation_id="job_events",
    summary="Watch a job (server-sent events)",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "The stream; it ends with the job.",
            "content": {"text/event-stream": {}},
        },
        204: {"description": "You know the last event of a job that is over; do not come back."},
    },
)
async def events(
    request: Request,
    job: JobDep,
    caller: CallerDep,
    progress: ProgressDep,
    *,
    after: After = None,
    last_event_id: LastEventId = None,
) -> Response:
    """First `{"type": "snapshot", "seq", "job"}`, the job as `/status` has it; then each `{"type": "event", "seq"}`.

    Whoever names the last message they know gets the events after it instead of a snapshot. A client that is too slow
    gets a snapshot instead of the events it has missed. The same messages come over the WebSocket `/progress`.
    """
    known = after if last_event_id is None else last_event_id
    if job.status.terminal and known == job.seq:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    progress.require_room(caller)  # here, where it can still be told with a status
    return StreamingResponse(
        _stream(request, caller, progress, job.id, known),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _stream(
    request: Request, caller: Caller, progress: Progress, job_id: str, after: int | None
) -> AsyncIterator[str]:
    refused = asyncio.create_task(until_refused(request, caller))
    try:
        with progress.connected(caller, "sse"):
            yield f"retry: {_RETRY_MILLISECONDS}\n\n"
            async with aclosing(progress.messages(job_id, after)) as messages:
                async for message in messages:
                    if refused.done():
                        return
                    yield ": \n\n" if message is None else f"id: {message[0]}\ndata: {message[1]}\n\n"
    finally:
        refused.cancel()


@router.websocket("/{job_id}/progress")
async def progress(
    websocket: WebSocket, job_id: str, caller: SocketCallerDep, progress: ProgressDep, after: After = None
) -> None:
    """The messages of `/events`; the connection is closed with 1000 after the job's last event."""
    await websocket.accept()
    code, reason = await _first(
        _tell(websocket, caller, progress, job_id, after), _listen(websocket), _check(websocket, caller)
    )
    with suppress(RuntimeError, WebSocketDisconnect):  # whoever has gone cannot be told
        await websocket.close(code, reason)


_Verdict = tuple[int, str]


async def _first(*works: Coroutine[Any, Any, _Verdict]) -> _Verdict:
    """What the first of several coroutines says; the others are stopped."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return done.pop().result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _tell(websocket: WebSocket, caller: Caller, progress: Progress, job_id: str, after: int | None) -> _Verdict:
    try:
        progress.require_room(caller)
        with progress.connected(caller, "websocket"):
            async with aclosing(progress.messages(job_id, after)) as messages:
                async for message in messages:
                    if message is not None:  # the server itself pings those that are silent
                        await websocket.send_text(message[1])
    except RateLimitedError as error:
        return status.WS_1013_TRY_AGAIN_LATER, error.message
    except DubflowError as error:
        return status.WS_1011_INTERNAL_ERROR, error.code.value
    except WebSocketDisconnect:
        return status.WS_1000_NORMAL_CLOSURE, ""
    return status.WS_1000_NORMAL_CLOSURE, "the job is over"


async def _listen(websocket: WebSocket) -> _Verdict:
    """Wait until the client goes; what it says is of no importance."""
    while (frame := await websocket.receive())["type"] != "websocket.disconnect":
        if max(len(frame.get("text") or ""), len(frame.get("bytes") or b"")) > MAX_FRAME_BYTES:
            return status.WS_1009_MESSAGE_TOO_BIG, "there is nothing to say here"
    return status.WS_1000_NORMAL_CLOSURE, ""


async def _check(websocket: WebSocket, caller: Caller) -> _Verdict:
    await until_refused(websocket, caller)
    return status.WS_1008_POLICY_VIOLATION, "this key is not good any more"
