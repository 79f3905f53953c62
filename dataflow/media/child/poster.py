import os
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, cast

import av
from av.codec.context import CodecContext
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from cluster.errors import DubflowError, ErrorCode
from dataflow.media.allowlists import VIDEO_DECODERS
from dataflow.media.child.channel import Channel, Request
from dataflow.media.child.clock import exact_start
from dataflow.media.child.mux import storage_errors
from dataflow.media.child.source import Source, codec_name, has_decoder, opened

PACKETS_LOOKED_AT = 2_000
QUALITY = 5
"""Quantiser of JPEG: 2 is best, 31 worst."""

TURNS = {90: "clock", 180: "", 270: "cclock"}


def run(request: Request, channel: Channel) -> dict[str, Any]:  # noqa: ARG001 - all tasks are called alike
    """Write one picture of a film as JPEG, upright and with square pixels: says its `width` and `height`.

    Raises:
        DubflowError: NOT_FOUND where there is no picture; UNSUPPORTED_MEDIA, TRUNCATED_MEDIA, MEDIA_LIMIT, DISK_FULL or
            STORAGE_FAILED.
    """
    with opened(request) as source, storage_errors():
        if not source.pictures:
            raise DubflowError(ErrorCode.NOT_FOUND, "the file has no picture")
        stream = source.pictures[0]
        picture = _upright(_frame(source, stream, request["share"]), stream, request["longest_side"])
        with os.fdopen(request["output"], "wb", closefd=False) as output:
            output.write(_jpeg(picture))
        return {"width": picture.width, "height": picture.height}


def _frame(source: Source, picture: VideoStream, share: float) -> VideoFrame:
    if not has_decoder(picture) or picture.codec_context.name not in VIDEO_DECODERS:
        raise DubflowError(ErrorCode.UNSUPPORTED_MEDIA, f"pictures in {codec_name(picture)} cannot be shown")
    picture.codec_context.skip_frame = "NONKEY"
    for wanted in (_moment(source, picture, share), None):  # headers may promise more than there is
        if wanted is not None:
            try:
                source.container.seek(wanted, stream=picture)
            except av.FFmpegError:
                continue
        else:
            source.container.seek(0)
        for frame in _key_frames(source, picture):
            return frame
    raise DubflowError(ErrorCode.UNSUPPORTED_MEDIA, "no picture of the file can be decoded")


def _moment(source: Source, picture: VideoStream, share: float) -> int:
    seconds = Fraction(source.container.duration or 0, 1_000_000) * Fraction(share)
    return round((seconds + exact_start(source.container)) / (picture.time_base or Fraction(1, 1_000_000)))


def _key_frames(source: Source, picture: VideoStream) -> Iterator[VideoFrame]:
    try:
        for count, packet in enumerate(source.container.demux(picture)):
            try:
                yield from picture.codec_context.decode(packet)
            except (av.InvalidDataError, av.EOFError):
                continue
            if count > PACKETS_LOOKED_AT:
                return
    except av.MemoryError:
        raise
    except av.FFmpegError:
        return


def _upright(frame: VideoFrame, stream: VideoStream, longest_side: int) -> VideoFrame:
    turn = -round(frame.rotation / 90) * 90 % 360
    width, height = frame.width * float(stream.codec_context.sample_aspect_ratio or 1), float(frame.height)
    if turn in {90, 270}:
        width, height = height, width
    scale = min(1.0, longest_side / max(width, height))
    graph = Graph()
    graph.threads = 1
    chain = [graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1))]
    if turn == 180:  # noqa: PLR2004 - half a turn
        chain += [graph.add("hflip"), graph.add("vflip")]
    elif turn:
        chain.append(graph.add("transpose", TURNS[turn]))
    size = f"{max(2, round(width * scale / 2) * 2)}:{max(2, round(height * scale / 2) * 2)}"
    chain += [
        graph.add("scale", f"{size}:flags=bicubic:out_range=pc"),
        graph.add("format", "yuvj420p"),
        graph.add("setsar", "1"),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*chain).configure()
    frame.pts, frame.time_base = 0, Fraction(1, 1)
    graph.push(frame)
    return cast("VideoFrame", graph.pull())


def _jpeg(picture: VideoFrame) -> bytes:
    encoder = CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = picture.width, picture.height, "yuvj420p"
    encoder.time_base = Fraction(1, 1)
    encoder.thread_count = 1
    encoder.qmin = encoder.qmax = QUALITY
    return b"".join(bytes(packet) for frame in (picture, None) for packet in encoder.encode(frame))
