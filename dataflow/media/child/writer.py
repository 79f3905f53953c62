from typing import TYPE_CHECKING

import av
from av.container import OutputContainer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from av.packet import Packet
    from av.stream import Stream


class PacketWriter:
    """Passes packets to FFmpeg's muxer, which orders them by time.

    Args:
        container: The file to write.
    """

    def __init__(self, container: OutputContainer) -> None:
        self.container = container
        self.damaged = 0

    def write(self, packets: "Iterable[Packet[Stream]]") -> None:
        """Write packets; one that is too damaged to be put into MP4 is left out.

        The muxer writes when it has packets of all tracks, so that it may complain of an earlier one.
        """
        for packet in packets:
            try:
                self.container.mux_one(packet)
            except (av.InvalidDataError, av.PatchWelcomeError):
                self.damaged += 1
