"""Whether the weights file is whole, and of the shape that the manifest says."""

from __future__ import annotations

from collections.abc import Iterator

from edge_rerank.artifact.architecture import Architecture, DenseStep
from edge_rerank.artifact.fields import parse_json
from edge_rerank.artifact.folder import Artifact
from edge_rerank.artifact.manifest import Manifest
from edge_rerank.artifact.paths import opened
from edge_rerank.errors import ManifestError, shown

WEIGHTS = "model.safetensors"
_HEADER_LIMIT = 100_000_000  # the format's own
_Shapes = dict[str, tuple[object, ...]]
"""Type and extents of each tensor."""


def weights_conflicts(artifact: Artifact) -> list[str]:
    """Say where the weights file's header, its size and the manifest differ; empty when nowhere.

    The header of a safetensors file is a length (8 bytes, little-endian) and as many bytes of
    JSON: for each tensor, its shape, and from which byte after the header to which it lies.
    """
    if WEIGHTS not in artifact.manifest.files:
        return []
    path = artifact.file(WEIGHTS)
    size = path.stat().st_size
    try:
        with opened(path) as stream:
            length = int.from_bytes(stream.read(8), "little")
            header = parse_json(stream.read(min(length, _HEADER_LIMIT)), "it")
        tensors = {name: tensor for name, tensor in header.items() if name[:2] != "__"}
        ends = {name: int(tensor["data_offsets"][1]) for name, tensor in tensors.items()}
        shapes = {name: (tensor["dtype"], *tensor["shape"]) for name, tensor in tensors.items()}
        last = max(ends, key=ends.__getitem__)
    except (ManifestError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        return [f"the header of {WEIGHTS} cannot be read: {shown(str(error))}"]
    needed = 8 + length + ends[last]
    if needed != size:
        return [f"{WEIGHTS} has {size:,} bytes, and {last} ends at byte {needed:,}"]
    return list(_shape_conflicts(shapes, artifact.manifest))


def _shape_conflicts(found: _Shapes, manifest: Manifest) -> Iterator[str]:
    for name, shape in _expected(manifest).items():
        if name not in found:
            yield f"{WEIGHTS} has no {name}, which the manifest's architecture needs"
        elif found[name] != shape:
            yield f"{name} is {_shown(found[name])}, by the manifest {_shown(shape)}"
    layers = manifest.architecture.layers
    if f"layers.{layers}.attention.query.weight" in found:
        yield f"{WEIGHTS} has more layers than the manifest, which says {layers}"


def _expected(manifest: Manifest) -> _Shapes:
    """Return type and shape of a tensor for each number of the architecture."""
    model = manifest.architecture
    hidden, embedding = model.hidden_size, model.embedding_size
    kind = "I8" if manifest.precision == "int8" else "F32"
    shapes = _words(manifest, kind)
    for layer in range(model.layers):
        shapes[f"layers.{layer}.attention.query.weight"] = (kind, hidden, hidden)
        shapes[f"layers.{layer}.ffn.up.weight"] = (kind, hidden, model.inner_size)
    if model.relative_terms:
        shapes["relative.bucket"] = ("I32", 2 * manifest.max_length)
    if absolute := model.positions.absolute:
        shapes["embeddings.position.weight"] = ("F32", absolute, embedding)
    if model.token_types:
        shapes["embeddings.type.weight"] = ("F32", model.token_types, embedding)
    if rotary := model.positions.rotary:
        shapes["rotary.frequencies"] = ("F32", model.head_size // 2)
        if rotary.local_base is not None:
            shapes["rotary.local.frequencies"] = ("F32", model.head_size // 2)
    if model.head.kind == "steps":
        shapes |= _of_steps(model, kind)
    if model.segments:
        shapes["cosine.scale"] = ("F32", 1)
    return shapes


def _of_steps(model: Architecture, kind: str) -> _Shapes:
    shapes: _Shapes = {}
    width = model.hidden_size
    for number, step in enumerate(model.head.steps):
        if isinstance(step, DenseStep):
            shapes[f"head.{number}.weight"] = (kind, step.outputs, width)
            width = step.outputs
        else:
            shapes[f"head.{number}.weight"] = ("F32", width)
    return shapes | {"classifier.weight": ("F32", 1, width)}


def _words(manifest: Manifest, kind: str) -> _Shapes:
    rows, width = manifest.architecture.vocab_size, manifest.architecture.embedding_size
    name = "embeddings.word"
    if manifest.embedding_bits != 4:
        return {f"{name}.weight": (kind, rows, width)}
    frequent = max(1, rows // 16)
    return {
        f"{name}.frequent": ("I8", frequent, width),
        f"{name}.weight": ("U8", rows - frequent, width // 2),
        f"{name}.group": ("I8", rows - frequent, width // 32),
        f"{name}.scale": ("F32", rows, 1),
        f"{name}.levels": ("I8", 16),
    }


def _shown(shape: tuple[object, ...]) -> str:
    kind, *sizes = shape
    return f"{kind} of {' x '.join(map(str, sizes))}"
