"""What a shared library or object file says about itself: ELF, Mach-O and PE, 64-bit little-endian.

Only what the tests ask: the machine, what is defined and exported, which versions are needed.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_ELF_MACHINES = {62: "x86_64", 183: "aarch64"}
_MACH_MACHINES = {0x0100000C: "aarch64", 0x01000007: "x86_64"}
_PE_MACHINES = {0x8664: "x86_64", 0xAA64: "aarch64"}
_SYMTAB, _DYNSYM = 2, 11  # ELF section types
_WEAK, _LOCAL = 2, 0  # ELF symbol bindings
_BUILD_VERSION, _MACH_SYMTAB = 0x32, 0x2  # Mach-O load commands


@dataclass(frozen=True)
class Binary:
    """A library, read."""

    format: str
    machine: str
    exports: frozenset[str]
    """Names that other programs can link with, without Mach-O's leading underscore."""
    needs: str
    """Newest glibc that an ELF library needs, oldest macOS of a Mach-O one; empty where none is
    named, as in PE and for musl."""


def read(path: Path) -> Binary:
    data = path.read_bytes()
    if data.startswith(b"\x7fELF"):
        exports = frozenset(name for name, binding in elf_symbols(data) if binding != _LOCAL)
        return Binary("ELF", _ELF_MACHINES[_at(data, 18, "H")], exports, _newest_glibc(data))
    if data.startswith(b"\xcf\xfa\xed\xfe"):
        return _mach(data)
    assert data.startswith(b"MZ"), f"{path}: of an unknown format"
    return _pe(data)


def weak_symbols(path: Path) -> frozenset[str]:
    """Return what an ELF object defines and the linker may replace by another object's."""
    found = elf_symbols(path.read_bytes(), table=_SYMTAB)
    return frozenset(name for name, binding in found if binding == _WEAK)


def elf_symbols(data: bytes, table: int = _DYNSYM) -> Iterator[tuple[str, int]]:
    """Yield name and binding of each symbol that is defined here."""
    sections = list(_elf_sections(data))
    for kind, offset, size, link in sections:
        if kind != table:
            continue
        names = sections[link][1]
        for at in range(offset, offset + size, 24):
            name, info, _, section = struct.unpack_from("<IBBH", data, at)
            if section != 0 and name:
                yield _text(data, names + name), info >> 4


def _elf_sections(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    start, count = _at(data, 40, "Q"), _at(data, 60, "H")
    for at in range(start, start + count * 64, 64):
        _, kind, _, _, offset, size, link = struct.unpack_from("<IIQQQQI", data, at)
        yield kind, offset, size, link


def _newest_glibc(data: bytes) -> str:
    found = {
        tuple(map(int, version.split(b"."))) for version in re.findall(rb"GLIBC_([\d.]+)\0", data)
    }
    return ".".join(map(str, max(found, default=())))


def _mach(data: bytes) -> Binary:
    exports, oldest, at = frozenset[str](), "", 32
    for _ in range(_at(data, 16, "I")):
        command, size = struct.unpack_from("<II", data, at)
        if command == _MACH_SYMTAB:
            exports = frozenset(_mach_exports(data, *struct.unpack_from("<IIII", data, at + 8)))
        if command == _BUILD_VERSION:
            version = _at(data, at + 12, "I")
            oldest = f"{version >> 16}.{version >> 8 & 255}"
        at += size
    return Binary("Mach-O", _MACH_MACHINES[_at(data, 4, "I")], exports, oldest)


def _mach_exports(data: bytes, offset: int, count: int, names: int, _: int) -> Iterator[str]:
    for at in range(offset, offset + count * 16, 16):
        name, kind = struct.unpack_from("<IB", data, at)
        defined, external, private = kind & 0x0E != 0, kind & 0x01, kind & 0x10
        if defined and external and not private:
            yield _text(data, names + name).removeprefix("_")


def _pe(data: bytes) -> Binary:
    header = _at(data, 0x3C, "I")
    machine, sections = struct.unpack_from("<HH", data, header + 4)
    table = _at(data, header + 24 + 112, "I")  # the first data directory: exports
    first_section = header + 24 + _at(data, header + 20, "H")

    def where(address: int) -> int:
        for at in range(first_section, first_section + sections * 40, 40):
            size, virtual, raw_size, raw = struct.unpack_from("<IIII", data, at + 8)
            if virtual <= address < virtual + max(size, raw_size):
                return int(raw + address - virtual)
        raise AssertionError(f"no section holds {address:#x}")

    count, _, pointers = struct.unpack_from("<III", data, where(table) + 24)
    first = where(pointers)
    names = (where(_at(data, first + 4 * number, "I")) for number in range(count))
    return Binary("PE", _PE_MACHINES[machine], frozenset(_text(data, name) for name in names), "")


def _at(data: bytes, offset: int, kind: str) -> int:
    return int(struct.unpack_from(f"<{kind}", data, offset)[0])


def _text(data: bytes, offset: int) -> str:
    return data[offset : data.index(b"\0", offset)].decode()
