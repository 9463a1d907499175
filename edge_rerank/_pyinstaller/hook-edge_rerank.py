"""What PyInstaller does not see by itself: the model, the native library, imports by name."""

from __future__ import annotations

from PyInstaller.utils.hooks import collect_data_files, collect_submodules

datas = collect_data_files("edge_rerank.models")
# As data, so that the library keeps its place; not-built.txt, where there is none, says why.
datas += collect_data_files("edge_rerank", includes=["_native/*"])
hiddenimports = [
    *collect_submodules("edge_rerank", filter=lambda name: not name.endswith("._pyinstaller")),
    *("edge_rerank.models", "onnxruntime", "tokenizers"),
]
