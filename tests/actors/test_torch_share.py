import pytest

from actors.cuda_pool import CONTEXT_BYTES
from actors.torch_share import fraction


def test_cudas_own_memory_is_part_of_the_share() -> None:
    memory = 24_000_000_000
    shares = (0.2, 0.3, 0.42)
    pytorchs = sum(fraction(share, memory) * memory for share in shares)
    assert pytorchs + len(shares) * CONTEXT_BYTES == pytest.approx(sum(shares) * memory)


def test_a_share_that_is_smaller_than_that_leaves_nothing() -> None:
    assert fraction(0.01, 16_000_000_000) == 0.0
