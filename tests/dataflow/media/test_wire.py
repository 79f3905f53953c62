import pytest

from dataflow.media.wire import LARGEST, BrokenFrameError, Kind, header, parse_header


@pytest.mark.parametrize("kind", Kind)
def test_headers_come_back_as_they_went(kind: Kind) -> None:
    assert parse_header(header(kind, LARGEST[kind])) == (kind, LARGEST[kind])


@pytest.mark.parametrize("data", [b"X\0\0\0\0", b"P\xff\xff\xff\xff", b"Z\0\0\0\1"])
def test_frames_that_no_honest_peer_sends_are_refused(data: bytes) -> None:
    with pytest.raises(BrokenFrameError):
        parse_header(data)
