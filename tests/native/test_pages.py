"""Memory pages of 16 KiB (Raspberry Pi 5, Asahi) and 64 KiB (some servers) on ARM."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

pytestmark = pytest.mark.build
_LOAD = 1  # ELF segments that are mapped


@pytest.mark.parametrize("name", ["linux-aarch64", "musllinux-aarch64"])
def test_the_library_can_be_mapped_by_pages_of_64_kib(
    wheels: Mapping[str, Path], name: str
) -> None:
    with zipfile.ZipFile(wheels[name]) as archive:
        found = alignments(archive.read("edge_rerank/_native/libedge_rerank.so"))
    assert found
    assert all(align >= 65536 for align in found)


def alignments(data: bytes) -> list[int]:
    """Return the alignment of each segment of a 64-bit ELF file that is mapped."""
    (start,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    segments = [struct.unpack_from("<IIQQQQQQ", data, start + size * n) for n in range(count)]
    return [segment[7] for segment in segments if segment[0] == _LOAD]
