from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import av
from av.audio.frame import AudioFrame
from av.filter import Graph

from cluster.errors import DubflowError, ErrorCode

LAYOUTS_BY_COUNT = {1: "mono", 2: "stereo"}


@dataclass(frozen=True, slots=True)
class Shape:
    """What a decoder delivers; it may change in the middle of a track.

    Attributes:
        format: FFmpeg's name of the sample format.
        layout: FFmpeg's name of the channel layout.
        rate: Samples per second in Hz.
        channels: How many.
    """

    format: str
    layout: str
    rate: int
    channels: int

    @classmethod
    def of(cls, frame: AudioFrame) -> "Shape":
        """The shape of a frame."""
        return cls(frame.format.name, frame.layout.name, frame.sample_rate, frame.layout.nb_channels)

    def fits(self, frame: AudioFrame) -> bool:
        """Whether a frame has this shape; asked for every frame."""
        return self.rate == frame.sample_rate and self.layout == frame.layout.name and self.format == frame.format.name

    @property
    def unordered(self) -> bool:
        """True where the file does not say which channel is which."""
        return self.layout == f"{self.channels} channels"


class Mixdown:
    """Converts frames of one shape to packed float32 of one rate and layout, without lag.

    Known layouts are mixed with the weights of ITU-R BS.775, scaled so that no sample can exceed full scale. Where the
    file does not say which channel is which, speech may be in any: all are mixed alike, at constant power.

    Args:
        shape: Of the frames.
        rate: Samples per second to deliver, in Hz.
        layout: Channel layout to deliver.

    Raises:
        DubflowError: UNSUPPORTED_MEDIA where FFmpeg cannot mix such frames.
    """

    def __init__(self, shape: Shape, rate: int, layout: str) -> None:
        self.shape = shape
        self._waiting = 0
        try:
            self._build(shape, rate, layout)
        except av.FFmpegError as error:
            message = f"audio of {shape.layout} at {shape.rate} Hz cannot be mixed to {layout}; convert the track first"
            raise DubflowError(ErrorCode.UNSUPPORTED_MEDIA, message) from error

    def _build(self, shape: Shape, rate: int, layout: str) -> None:
        self._graph = Graph()
        self._graph.threads = 1
        channels = {"channels": str(shape.channels)} if shape.unordered else {"channel_layout": shape.layout}
        source = self._graph.add(
            "abuffer",
            sample_rate=str(shape.rate),
            sample_fmt=shape.format,
            time_base=f"1/{shape.rate}",
            **channels,
        )
        chain = [source]
        if pan := _pan(shape, layout):
            chain.append(self._graph.add("pan", pan))
        chain += [
            self._graph.add("aresample", osr=str(rate), ochl=layout, osf="flt", rematrix_maxval="1.0"),
            # One Python object a second instead of one a frame.
            self._graph.add("asetnsamples", n=str(rate), p="0"),
            self._graph.add("abuffersink"),
        ]
        self._graph.link_nodes(*chain)
        self._graph.configure()
        self._source, self._sink = chain[0], chain[-1]

    def push(self, frame: AudioFrame) -> Iterator[AudioFrame]:
        """Take a frame; yields seconds that are complete."""
        self._source.push(frame)
        self._waiting += frame.samples
        # Asking in vain costs an exception: the sink is asked once it surely holds a second, despite the filters' lag.
        while self._waiting > 1.5 * self.shape.rate:
            self._waiting -= self.shape.rate
            try:
                yield self._pull()
            except BlockingIOError:
                return

    def flush(self) -> Iterator[AudioFrame]:
        """Yields what is left; nothing can be pushed after that."""
        self._source.push(None)
        while True:
            try:
                yield self._pull()
            except (EOFError, BlockingIOError):
                return

    def _pull(self) -> AudioFrame:
        return cast("AudioFrame", self._sink.pull())


def _pan(shape: Shape, layout: str) -> str:
    """Arguments of FFmpeg's `pan` for what its resampler would not mix as it should; empty where it does."""
    if shape.unordered and shape.channels not in LAYOUTS_BY_COUNT:
        weight = shape.channels**-0.5
        terms = "+".join(f"{weight:.6f}*c{channel}" for channel in range(shape.channels))
        return "|".join([layout, *(f"c{out}={terms}" for out in range(1 if layout == "mono" else 2))])
    # The resampler takes 3 dB away where it makes two channels of one, and cannot mix spheres of sound at all: their
    # first channel holds what comes from all sides.
    if (shape.channels == 1 and layout == "stereo") or shape.layout.startswith("ambisonic"):
        return f"{layout}|c0=c0" + ("" if layout == "mono" else "|c1=c0")
    return ""
