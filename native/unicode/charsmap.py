"""Writes a charsmap: the rules of replacement in sentencepiece's compiled form.

That is the size of a double-array trie in bytes, the trie, and the replacements, each with a zero
byte behind it. The trie here is the simplest there can be, with a block of 256 units a node.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

_BLOCK = 256
_LEAF = 1 << 31
_HAS_LEAF = 1 << 8
_OFFSET_SHIFT = 10

_Node = dict[int, "_Node"]


def charsmap(rules: Mapping[bytes, str]) -> bytes:
    """Compile rules from the bytes of a text, or its first bytes, to what replaces it."""
    units: dict[int, int] = {}
    ends: dict[int, int] = {}
    replacements = b""
    root: _Node = {}
    for key, value in sorted(rules.items()):
        node = root
        for byte in key:
            node = node.setdefault(byte, {})
        ends[id(node)] = len(replacements)
        replacements += value.encode() + b"\0"
    blocks = _place(root, 0, 0, 1, units, ends)
    trie = struct.pack(f"<{blocks * _BLOCK}I", *(units.get(i, 0) for i in range(blocks * _BLOCK)))
    return struct.pack("<I", len(trie)) + trie + replacements


def _place(
    node: _Node, at: int, label: int, blocks: int, units: dict[int, int], ends: Mapping[int, int]
) -> int:
    """Put the node's unit at ``at`` and its children into a new block; give the blocks so far."""
    base, end = blocks * _BLOCK, ends.get(id(node))
    units[at] = label | (at ^ base) << _OFFSET_SHIFT | _HAS_LEAF * (end is not None)
    if end is not None:
        units[base] = _LEAF | end
    blocks += 1
    for byte, child in node.items():
        blocks = _place(child, base ^ byte, byte, blocks, units, ends)
    return blocks
