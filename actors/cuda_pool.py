"""A hard limit on what this process takes of a GPU, for libraries that have none of their own.

CUDA's stream-ordered allocator (`cudaMallocAsync`) takes memory out of the device's current pool, and a pool can be
made with a greatest size: whatever would exceed it is "out of memory", as it is on a full device. Memory that is not
allocated in that way, such as CUDA's own context and what PyTorch takes, does not count.
"""

import ctypes
from typing import Any

from actors.contracts.engine import EngineError

CONTEXT_BYTES = 600_000_000
"""About what CUDA and its libraries take for themselves in every process, outside of any pool."""
_LIMITS_SINCE = 12030
"""CUDA 12.3: older drivers know pools without limits."""
_PINNED, _ON_DEVICE = 1, 1
_RELEASE_THRESHOLD = 4
_POOLS_SUPPORTED = 115
"""`CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED`: some virtual GPUs have none."""


class _Properties(ctypes.Structure):
    """`CUmemPoolProps`."""

    _fields_ = (
        ("allocation_type", ctypes.c_int),
        ("handle_types", ctypes.c_int),
        ("location_type", ctypes.c_int),
        ("location_id", ctypes.c_int),
        ("security_attributes", ctypes.c_void_p),
        ("most_bytes", ctypes.c_size_t),
        ("reserved", ctypes.c_ubyte * 56),
    )


class CudaDriver:
    """What of CUDA's driver is needed here, for the first GPU that this process sees.

    Args:
        library: `libcuda.so.1`, opened.
    """

    def __init__(self, library: Any) -> None:
        self._library = library
        self._device = ctypes.c_int()
        self._call("cuInit", ctypes.c_uint(0))
        self._call("cuDeviceGet", ctypes.byref(self._device), ctypes.c_int(0))

    @classmethod
    def open(cls) -> "CudaDriver":
        """The driver of this machine.

        Raises:
            EngineError: `model_load_failed` where there is none, or no GPU.
        """
        try:
            library = ctypes.CDLL("libcuda.so.1")
        except OSError as error:
            raise EngineError(
                f"this machine has no CUDA driver ({error}); run the pool on one that has",
                code="model_load_failed",
            ) from error
        return cls(library)

    @property
    def memory(self) -> int:
        """Bytes of the GPU."""
        found = ctypes.c_size_t()
        self._call("cuDeviceTotalMem_v2", ctypes.byref(found), self._device)
        return found.value

    @property
    def limits_pools(self) -> bool:
        """Whether it is recent enough, and the GPU has pools at all."""
        version, pools = ctypes.c_int(), ctypes.c_int()
        self._call("cuDriverGetVersion", ctypes.byref(version))
        self._call("cuDeviceGetAttribute", ctypes.byref(pools), ctypes.c_int(_POOLS_SUPPORTED), self._device)
        return version.value >= _LIMITS_SINCE and pools.value == 1

    def limit_pool(self, most: int) -> None:
        """Have this process take no more than so many bytes, and keep what it has taken for its next requests."""
        pool = ctypes.c_void_p()
        wanted = _Properties(_PINNED, 0, _ON_DEVICE, self._device.value, None, most)
        self._call("cuMemPoolCreate", ctypes.byref(pool), ctypes.byref(wanted))
        kept = ctypes.c_uint64(most)
        self._call("cuMemPoolSetAttribute", pool, ctypes.c_int(_RELEASE_THRESHOLD), ctypes.byref(kept))
        self._call("cuDeviceSetMemPool", self._device, pool)

    def _call(self, name: str, *arguments: object) -> None:
        status = getattr(self._library, name)(*arguments)
        if status:
            raise EngineError(
                f"the GPU cannot be used: {name} failed with error {status} of CUDA's driver; see nvidia-smi",
                code="model_load_failed",
            )
