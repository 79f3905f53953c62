"""Where the index of an MP4 file goes: to the front, so that players start before they have the whole file."""

from collections.abc import Sequence

from av.stream import Stream

from dataflow.media.child.source import Source

LARGE = 1 << 28
"""Sources from this size on are not written twice."""

SAMPLE_BYTES = 56
"""At most so many bytes of index for a sample: entries in stsz, stts, ctts, stss, stsc, co64, sdtp and sbgp, each as
long as if no two samples were alike."""

SLACK_BYTES = 1 << 20
"""For all that does not grow with the length: sample descriptions, metadata, edit lists."""


def index_options(source: Source, copied: Sequence[Stream], encoded_packets: int | None) -> dict[str, str]:
    """Options of FFmpeg's mp4 muxer that bring the index to the front.

    `faststart` moves all media data after it is written, which for a large file doubles what the disk has to do. Where
    the source's own index bounds the new one, room is left for it instead, and what remains of it is a `free` box.

    Args:
        source: The source.
        copied: Streams of which all packets are copied.
        encoded_packets: Packets that will be encoded, at most; None where nobody knows.
    """
    bounded = source.container.format.name.startswith("mov") and not source.structure.fragmented
    if source.size >= LARGE and bounded and encoded_packets is not None:
        samples = sum(len(s.index_entries) for s in copied) + encoded_packets
        chapters = 1024 * len(source.container.chapters())
        room = SLACK_BYTES + chapters + SAMPLE_BYTES * samples
        if room < source.size // 64:
            return {"moov_size": str(room)}
    return {"movflags": "+faststart"}
