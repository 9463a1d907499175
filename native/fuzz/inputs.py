"""The format of the inputs of the loader's fuzzer; folder.h describes it and reads the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_FRONT = 5
_RAW_WEIGHTS = 1


@dataclass(frozen=True, slots=True)
class FuzzInput:
    """An artifact, sound or not, and how it is opened."""

    flags: int
    manifest: bytes
    header: bytes
    data: bytes

    @classmethod
    def from_bytes(cls, text: bytes) -> FuzzInput:
        """Read an input; lengths that go beyond it are cut."""
        if len(text) < _FRONT:
            return cls(0, b"", b"", b"")
        first = _FRONT + int.from_bytes(text[1:3], "little")
        second = first + int.from_bytes(text[3:5], "little")
        return cls(text[0], text[_FRONT:first], text[first:second], text[second:])

    def to_bytes(self) -> bytes:
        """Return the input as a file of the corpus."""
        lengths = b"".join(len(part).to_bytes(2, "little") for part in (self.manifest, self.header))
        return bytes([self.flags]) + lengths + self.manifest + self.header + self.data

    def write(self, folder: Path) -> None:
        """Write the artifact's two files into ``folder``."""
        length = b"" if self.flags & _RAW_WEIGHTS else len(self.header).to_bytes(8, "little")
        (folder / "manifest.json").write_bytes(self.manifest)
        (folder / "model.safetensors").write_bytes(length + self.header + self.data)
