import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.accounts.sources import may_read, normal_prefix
from cluster.errors import DubflowError

PREFIXES = ("s3://videos/acme", "s3://shared/")


@pytest.mark.parametrize(
    "uri",
    [
        "s3://videos/acme/talk.mp4",
        "s3://videos/acme/2026/talk.mp4",
        "s3://videos/acme/%2e%2e/talk.mp4",  # a key is no URL: this is the name of a folder
        "s3://videos/acme//talk.mp4",
        "s3://videos/acme/..talk.mp4",
        "s3://videos/acme/día ?#.mp4",
        "s3://shared/any.mp4",
    ],
)
def test_what_lies_under_a_prefix_may_be_read(uri: str) -> None:
    assert may_read(PREFIXES, uri)


@pytest.mark.parametrize(
    "uri",
    [
        "s3://videos/acme",
        "s3://videos/acme-other/talk.mp4",
        "s3://videos/acmetalk.mp4",
        "s3://videos/ACME/talk.mp4",
        "s3://Videos/acme/talk.mp4",
        "S3://videos/acme/talk.mp4",
        "s3://videos/other/talk.mp4",
        "s3://videos//acme/talk.mp4",
        "s3://videos/acme/../other/talk.mp4",
        "s3://videos/acme/..",
        "s3://videos/acme/./talk.mp4",
        "s3://videos/acme/..\\other\\talk.mp4",
        "s3://videos/acme/talk\n.mp4",
        "s3://videos/acme/talk\0.mp4",
        "s3://videos/acme/\u202etalk.mp4",
        "s3://videos%2facme/talk.mp4",
        "s3://user@videos/acme/talk.mp4",
        "s3://videos:443/acme/talk.mp4",
        "s3://shared-other/any.mp4",
        "s3://shared",
        "s3:///acme/talk.mp4",
        "s3://",
        "s3:/videos/acme/talk.mp4",
        " s3://videos/acme/talk.mp4",
        "file:///videos/acme/talk.mp4",
        "https://videos/acme/talk.mp4",
        "/videos/acme/talk.mp4",
        "",
    ],
)
def test_everything_else_may_not(uri: str) -> None:
    assert not may_read(PREFIXES, uri)


def test_without_prefixes_nothing_may_be_read() -> None:
    assert not may_read((), "s3://videos/acme/talk.mp4")


@pytest.mark.parametrize("prefix", ["", "videos", "s3://", "s3:///x", "file:///x", "s3://videos/../other", "s3://../x"])
def test_what_is_no_prefix_is_refused(prefix: str) -> None:
    with pytest.raises(DubflowError, match="no prefix"):
        normal_prefix(prefix)


segments = st.text(st.sampled_from("ab./%\\A"), max_size=4)


@given(st.lists(segments, max_size=4), st.lists(segments, max_size=4))
def test_whatever_may_be_read_has_the_whole_folders_of_the_prefix(inside: list[str], key: list[str]) -> None:
    prefix = "/".join(["s3://bucket", *inside])
    uri = "/".join(["s3://bucket", *key])
    try:
        allowed = may_read([prefix], uri)
    except DubflowError:
        return

    if allowed:
        folders = prefix.rstrip("/").split("/")
        assert uri.split("/")[: len(folders)] == folders
        assert len(uri.split("/")) > len(folders)
        assert ".." not in uri.split("/")
