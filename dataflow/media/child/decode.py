from fractions import Fraction
from typing import Any

from av.audio.stream import AudioStream
from av.stream import Stream

from dataflow.media.child.channel import Channel, Request
from dataflow.media.child.clock import DISCONTINUOUS, exact_start
from dataflow.media.child.reader import PacketReader
from dataflow.media.child.source import Source, opened
from dataflow.media.child.timeline import Timeline

UNDECLARED = frozenset({"aac", "ac3", "eac3", "mp3", "amr", "mpegts", "mpeg"})
"""Containers of which FFmpeg estimates the length, from a bit rate or from what is there: no claim to hold them to."""

SHARE_MISSING = 0.02
SECONDS_MISSING = 0.5
"""A track that lacks less than the larger of both is whole: headers round, and encoders pad."""


def run(request: Request, channel: Channel) -> dict[str, Any]:
    """Deliver a track as PCM, then say how it went: the fields of `DecodeSummary`.

    Raises:
        DubflowError: UNSUPPORTED_MEDIA, TRUNCATED_MEDIA, TOO_LARGE or MEDIA_LIMIT.
    """
    with opened(request) as source:
        track = source.track(request["track"])
        layout = "mono" if request["channels"] == 1 else "stereo"
        timeline = Timeline(track, request["rate"], layout, request["max_seconds"])
        reader = PacketReader(source, streams_to_read(source, track))
        for packet in reader:
            if packet.stream_index == track.index:
                for block in timeline.push(packet):
                    channel.send_pcm(block)
        for block in timeline.finish():
            channel.send_pcm(block)
        declared = declared_end(source, track)
        seconds = timeline.samples / request["rate"]
        return {
            "seconds": seconds,
            "declared_seconds": declared,
            "corrupt_packets": timeline.corrupt_packets + reader.broke_off,
            "silent_seconds": timeline.silent_samples / request["rate"],
            "truncated": is_truncated(source, reader, ends_early(max(seconds, reader.end), declared)),
        }


def streams_to_read(source: Source, track: AudioStream) -> list[Stream]:
    """The track, and where they are needed the picture's packets.

    They are where the picture moves the clock, as it will when the file is muxed, and where only the end of all tracks
    tells whether the file is whole.
    """
    with_picture = source.container.format.name in DISCONTINUOUS or source.structure.missing_bytes is None
    return [track, *source.pictures[:1]] if with_picture else [track]


def declared_end(source: Source, track: AudioStream) -> float | None:
    """Where the header says that the track ends, in seconds on the source's clock."""
    if source.container.format.name in UNDECLARED:
        return None
    if track.duration and track.time_base:
        start = (track.start_time or 0) * track.time_base - exact_start(source.container)
        return float(start + track.duration * track.time_base)
    if source.container.duration is not None:
        return float(Fraction(source.container.duration, 1_000_000))
    return None


def ends_early(seconds: float, declared: float | None) -> bool:
    """True where clearly less was read than is declared."""
    return declared is not None and declared - seconds > max(SHARE_MISSING * declared, SECONDS_MISSING)


def is_truncated(source: Source, reader: PacketReader, early: bool) -> bool:
    """Tell a file that was cut from one whose header is wrong: both may deliver less than they declare.

    A file that was cut lacks bytes that its own structure speaks of. Where all of them are there and could be read, the
    header's duration is wrong, and what was decoded is all that there is. Containers that do not say how many bytes
    they have (FLAC, FLV, ...) get no such benefit of the doubt.
    """
    missing = source.structure.missing_bytes
    if missing is None or reader.broke_off:
        return early
    return missing > 0 and (early or missing > SHARE_MISSING * (source.size + missing))
