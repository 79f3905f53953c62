"""Against a driver that does what CUDA's documents say of its calls: there is no GPU to ask."""

import ctypes
import struct
from typing import Any

import pytest

from actors.contracts.engine import EngineError
from actors.cuda_pool import CudaDriver, _Properties


class Driver:
    """Remembers the pools that were made, by what their properties say in memory."""

    def __init__(
        self, *, memory: int = 141_000_000_000, version: int = 13000, has_pools: bool = True, failing: str = ""
    ) -> None:
        self.memory = memory
        self.version = version
        self.has_pools = has_pools
        self.pools: dict[int, bytes] = {}
        self.kept: dict[int, int] = {}
        self.current: dict[int, int] = {}
        self._failing = failing

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("cu") and name != "current" and name == self._failing:
            return lambda *_arguments: 2
        return object.__getattribute__(self, name)

    def cuInit(self, flags: ctypes.c_uint) -> int:  # noqa: N802 - the driver's names
        return flags.value

    def cuDeviceGet(self, device: Any, ordinal: ctypes.c_int) -> int:  # noqa: N802
        device._obj.value = ordinal.value
        return 0

    def cuDeviceTotalMem_v2(self, found: Any, _device: ctypes.c_int) -> int:  # noqa: N802
        found._obj.value = self.memory
        return 0

    def cuDriverGetVersion(self, found: Any) -> int:  # noqa: N802
        found._obj.value = self.version
        return 0

    def cuDeviceGetAttribute(self, found: Any, attribute: ctypes.c_int, _device: ctypes.c_int) -> int:  # noqa: N802
        assert attribute.value == 115, "CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED"
        found._obj.value = int(self.has_pools)
        return 0

    def cuMemPoolCreate(self, pool: Any, wanted: Any) -> int:  # noqa: N802
        pool._obj.value = 7 + len(self.pools)
        self.pools[pool._obj.value] = bytes(wanted._obj)
        return 0

    def cuMemPoolSetAttribute(self, pool: ctypes.c_void_p, attribute: ctypes.c_int, value: Any) -> int:  # noqa: N802
        assert attribute.value == 4, "CU_MEMPOOL_ATTR_RELEASE_THRESHOLD"
        self.kept[pool.value or 0] = value._obj.value
        return 0

    def cuDeviceSetMemPool(self, device: ctypes.c_int, pool: ctypes.c_void_p) -> int:  # noqa: N802
        self.current[device.value] = pool.value or 0
        return 0


def test_the_properties_lie_in_memory_as_the_driver_reads_them() -> None:
    assert ctypes.sizeof(_Properties) == 88
    assert (_Properties.location_type.offset, _Properties.most_bytes.offset) == (8, 24)


def test_a_pool_of_limited_size_becomes_the_devices_own() -> None:
    driver = Driver()
    CudaDriver(driver).limit_pool(12_345_678_901)
    ((pool, properties),) = driver.pools.items()
    assert driver.current == {0: pool}
    assert driver.kept == {pool: 12_345_678_901}
    pinned, handles, on_device, device, security, most = struct.unpack("<iiiiQQ", properties[:32])
    assert (pinned, handles, on_device, device, security) == (1, 0, 1, 0, 0)
    assert most == 12_345_678_901
    assert not any(properties[32:])


def test_it_knows_the_memory_and_whether_limits_are_known() -> None:
    assert CudaDriver(Driver(memory=80_000_000_000)).memory == 80_000_000_000
    assert CudaDriver(Driver(version=12080)).limits_pools
    assert not CudaDriver(Driver(version=12020)).limits_pools
    assert not CudaDriver(Driver(has_pools=False)).limits_pools


@pytest.mark.parametrize("call", ["cuInit", "cuMemPoolCreate", "cuDeviceSetMemPool"])
def test_what_the_driver_refuses_is_told(call: str) -> None:
    with pytest.raises(EngineError, match=call) as refused:
        CudaDriver(Driver(failing=call)).limit_pool(1)
    assert refused.value.code == "model_load_failed"


def test_a_machine_without_a_driver_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_name: str) -> None:
        raise OSError("libcuda.so.1: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    with pytest.raises(EngineError, match="driver") as refused:
        CudaDriver.open()
    assert refused.value.code == "model_load_failed"
