import os
from collections.abc import Iterable, Iterator
from typing import Any

import langcodes
import numpy as np
from numpy.typing import NDArray

from cluster.errors import DubflowError, ErrorCode
from dataflow.media.opening import created_output, opened_source
from dataflow.media.process import MediaChild, Reply, parsed
from dataflow.media.records import MediaLimits, MuxPlan, MuxResult
from dataflow.media.wire import Kind


def mux(plan: MuxPlan, blocks: Iterable[NDArray[np.float32]], limits: MediaLimits) -> MuxResult:
    """Write a dubbed file in a child process: picture copied, dub first, original audio beside it.

    Neither picture nor sound is ever held; the index of the file is, about 70 bytes a packet. The file is complete and
    flushed to disk when this returns, and gone when it raises.

    Args:
        plan: What to write.
        blocks: The dub from t = 0: float32 in [-1, 1], shape (n,) for one channel, (n, 2) for two.
        limits: What the source may cost.

    Raises:
        DubflowError: NOT_FOUND, UNSUPPORTED_MEDIA, TRUNCATED_MEDIA, TOO_LARGE, MEDIA_LIMIT, DECODER_CRASHED, DISK_FULL,
            STORAGE_FAILED, or INTERNAL where `blocks` are not what the plan says.
    """
    with opened_source(plan.source, limits) as source, created_output(plan.output) as output:
        with MediaChild(_request(plan, source, output), limits, [source, output]) as child:
            for block in blocks:
                for piece in _pieces(block, plan):
                    child.send(Kind.PCM, piece.data)
            child.send(Kind.END, memoryview(b""))
            reply = child.reply()
        os.fsync(output)
        return parsed(reply, lambda fields: _result(fields, os.fstat(output).st_size))


def _request(plan: MuxPlan, source: int, output: int) -> dict[str, Any]:
    tags = {"title": plan.original_title, "handler_name": plan.original_title} if plan.original_title else {}
    if plan.original_language:
        tags["language"] = _mp4_language(plan.original_language)
    return {
        "task": "mux",
        "source": source,
        "output": output,
        "rate": plan.rate,
        "channels": plan.channels,
        "samples": plan.samples,
        "bit_rate": plan.bit_rate,
        "language": _mp4_language(plan.language),
        "title": plan.title,
        "original": plan.original,
        "original_tags": tags,
    }


def _mp4_language(tag: str) -> str:
    """ISO 639-2/T code, the only kind that the `mdhd` box of MP4 (ISO/IEC 14496-12) has room for."""
    try:
        return langcodes.Language.get(tag).to_alpha3(variant="T")
    except (LookupError, ValueError):
        return "und"


def _pieces(block: NDArray[np.float32], plan: MuxPlan) -> Iterator[NDArray[np.float32]]:
    """A block in pieces of at most a second, one channel after the other in each."""
    frames = np.asarray(block, np.float32)
    frames = frames[:, np.newaxis] if frames.ndim == 1 else frames
    if frames.shape[1] != plan.channels:
        message = f"the dub has blocks of {frames.shape[1]} channels, expected {plan.channels}"
        raise DubflowError(ErrorCode.INTERNAL, message)
    if not np.isfinite(frames).all():
        raise DubflowError(ErrorCode.INTERNAL, "the dub has samples that are not finite numbers")
    for start in range(0, len(frames), plan.rate):
        yield np.ascontiguousarray(frames[start : start + plan.rate].T)


def _result(reply: Reply, size: int) -> MuxResult:
    original = reply["original"]
    if original not in {"copied", "encoded", "none"}:
        raise ValueError(original)
    return MuxResult(
        size=size,
        video_packets=int(reply["video_packets"]),
        video_seconds=float(reply["video_seconds"]),
        damaged_packets=int(reply["damaged_packets"]),
        original=original,
    )
