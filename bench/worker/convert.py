"""Makes of a checkpoint what a peer runs from; started in the peer's environment.

    python -m worker.convert KIND SOURCE OUTPUT SETTINGS

OUTPUT is a folder that does not exist yet; SETTINGS is a JSON object.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

Settings = dict[str, Any]
_TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "config.json")


def artifact(source: Path, output: Path, settings: Settings) -> None:
    """Our own export, int8 or fp32."""
    from edge_rerank_export import ExportOptions, export_model

    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "calibration.jsonl")
        pairs = [{"query": query, "document": text} for query, text in settings.get("pairs", ())]
        file.write_text("".join(json.dumps(pair) + "\n" for pair in pairs), "utf-8")
        options = ExportOptions(
            precision=settings["precision"],
            calibration=file if pairs else None,
            allow_poor_parity=True,
        )
        export_model(str(source), output, options)


def optimum_fp32(source: Path, output: Path, settings: Settings) -> None:
    """Optimum's export. ORTOptimizer is left out: ten minutes on this graph, and no faster."""
    from optimum.exporters.onnx import main_export

    main_export(str(source), output, task="text-classification", do_validation=False)
    _tokenizer(source, output)


def optimum_int8(source: Path, output: Path, settings: Settings) -> None:
    """Optimum's dynamic quantisation of its fp32 export, by one of its presets."""
    from optimum.onnxruntime import ORTQuantizer
    from optimum.onnxruntime.configuration import AutoQuantizationConfig

    preset = getattr(AutoQuantizationConfig, settings["preset"])
    quantizer = ORTQuantizer.from_pretrained(source, file_name="model.onnx")
    chosen = preset(is_static=False, per_channel=settings["per_channel"])
    quantizer.quantize(save_dir=output, quantization_config=chosen)
    _tokenizer(source, output)


def sentence_transformers_int8(source: Path, output: Path, settings: Settings) -> None:
    """sentence-transformers' own quantisation for its ONNX backend."""
    from sentence_transformers import CrossEncoder, export_dynamic_quantized_onnx_model

    model = CrossEncoder(str(source), device="cpu", backend="onnx", model_kwargs={"export": True})
    model.save_pretrained(str(output))
    export_dynamic_quantized_onnx_model(model, settings["preset"], str(output))
    _tokenizer(source, output)


def openvino_fp32(source: Path, output: Path, settings: Settings) -> None:
    """OpenVINO's conversion of the torch module: it cannot run the If nodes of the ONNX file."""
    import openvino
    import torch
    from transformers import AutoModelForSequenceClassification

    from .batches import has_types

    model = AutoModelForSequenceClassification.from_pretrained(source, dtype=torch.float32).eval()
    model.config.return_dict = False
    example = {
        "input_ids": torch.randint(5, 100, (2, 32)),
        "attention_mask": torch.ones(2, 32, dtype=torch.int64),
    }
    if has_types(model.config):
        example["token_type_ids"] = torch.zeros(2, 32, dtype=torch.int64)
    shapes = [openvino.PartialShape([-1, -1])] * len(example)
    converted = openvino.convert_model(model, example_input=example, input=shapes)
    openvino.save_model(converted, output / "model.xml", compress_to_fp16=False)
    _tokenizer(source, output)


def openvino_int8(source: Path, output: Path, settings: Settings) -> None:
    """NNCF's static quantisation of the converted model, calibrated on pairs of text."""
    import nncf
    import openvino
    from tokenizers import Tokenizer

    from .batches import MAX_LENGTH, pad_id, padded

    model = openvino.Core().read_model(source / "model.xml")
    # NNCF looks nodes up by names, which are not unique in a converted model.
    for number, node in enumerate(model.get_ops()):
        node.set_friendly_name(f"{node.get_type_name()}_{number}")
    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_LENGTH)
    pairs = [(query, text) for query, text in settings["pairs"]]
    encoded, count = tokenizer.encode_batch(pairs), len(model.inputs)
    samples = [
        list(padded(encoded[at : at + 4], pad_id(source))[:count])
        for at in range(0, len(encoded), 4)
    ]
    quantised = nncf.quantize(
        model,
        nncf.Dataset(samples),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(samples),
    )
    openvino.save_model(quantised, output / "model.xml", compress_to_fp16=False)
    _tokenizer(source, output)


KINDS: dict[str, Callable[[Path, Path, Settings], None]] = {
    convert.__name__: convert
    for convert in (
        artifact,
        optimum_fp32,
        optimum_int8,
        sentence_transformers_int8,
        openvino_fp32,
        openvino_int8,
    )
}


def _tokenizer(source: Path, output: Path) -> None:
    """Copy the checkpoint's tokenizer as it is: libraries write it anew, and changed."""
    for name in _TOKENIZER:
        if (source / name).is_file():
            shutil.copyfile(source / name, output / name)


def main() -> None:
    """Run the conversion that the arguments name."""
    kind, source, output, settings = sys.argv[1:]
    if kind != "artifact":
        Path(output).mkdir(parents=True)
    KINDS[kind](Path(source), Path(output), json.loads(settings))


if __name__ == "__main__":
    main()
