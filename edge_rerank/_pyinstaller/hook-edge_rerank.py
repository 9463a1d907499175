"""What PyInstaller does not see by itself: the model, the native library, imports by name."""

from __future__ import annotations

from pathlib import Path

from PyInstaller.utils.hooks import collect_data_files, collect_submodules, get_package_paths

_NATIVE = Path(get_package_paths("edge_rerank")[1], "_native")

datas = collect_data_files("edge_rerank")  # the built-in model among them
# Named by hand: the library is no extension module, and is found beside its package alone.
binaries = [(str(file), "edge_rerank/_native") for file in _NATIVE.glob("*edge_rerank.*")]
hiddenimports = [
    *collect_submodules("edge_rerank", filter=lambda name: not name.endswith("._pyinstaller")),
    *("edge_rerank.models", "onnxruntime", "tokenizers"),
]
