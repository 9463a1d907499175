"""What the evaluation ranks with: a checkpoint in torch, or an exported artifact in the runtime."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import DebertaV2ForSequenceClassification

from edge_rerank import Reranker

from .attention import pair_logits, use_training_attention
from .batches import LONGEST_QUERY, PairEncoder, by_length
from .errors import TrainingError
from .segments import MODEL_TYPE, SegmentReranker
from .token_states import TextStates, batch_of, text_states

LONGEST = 512
TOKENS_PER_BATCH = 4096
PAIRS_PER_CALL = 2048
REPORT_SECONDS = 20


class Scorer(Protocol):
    """One logit for each row (query, passage) of pairs [n, 2], as float32 [n]."""

    def logits(
        self,
        queries: Sequence[str],
        passages: Sequence[str],
        pairs: np.ndarray,
        say: Callable[[str], None],
    ) -> np.ndarray:
        """Score; say how far it is, now and then."""
        ...


class CheckpointScorer:
    """A checkpoint folder, run by torch in fp32."""

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        if not (folder / "model.safetensors").is_file():
            raise TrainingError(f"{folder} holds no model.safetensors: a checkpoint is needed")
        self.model = DebertaV2ForSequenceClassification.from_pretrained(folder).eval().to(device)
        use_training_attention(self.model)
        self.encoder = PairEncoder(Tokenizer.from_file(str(folder / "tokenizer.json")), LONGEST)

    @torch.inference_mode()
    def logits(
        self,
        queries: Sequence[str],
        passages: Sequence[str],
        pairs: np.ndarray,
        say: Callable[[str], None],
    ) -> np.ndarray:
        """As Scorer says."""
        query_ids, passage_ids = self.encoder.texts(queries), self.encoder.texts(passages)
        encoded = [self.encoder.pair(query_ids[q], passage_ids[p]) for q, p in pairs]
        scores = np.empty(len(encoded), dtype=np.float32)
        reported = time.monotonic()
        done = 0
        for group in by_length(encoded, TOKENS_PER_BATCH):
            padded = self.encoder.padded([encoded[i] for i in group])
            ids, mask = (tensor.to(self.model.device) for tensor in padded)
            scores[group] = pair_logits(self.model, ids, mask).cpu().numpy()
            done += len(group)
            if time.monotonic() - reported > REPORT_SECONDS:
                say(f"scored {done} of {len(encoded)} pairs")
                reported = time.monotonic()
        return scores


class SegmentScorer:
    """A folder that segments.py wrote, run by torch in fp32."""

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        self.model = SegmentReranker.load(folder).to(device)
        self.encoder = PairEncoder(Tokenizer.from_file(str(folder / "tokenizer.json")), LONGEST)

    @torch.inference_mode()
    def logits(
        self,
        queries: Sequence[str],
        passages: Sequence[str],
        pairs: np.ndarray,
        say: Callable[[str], None],
    ) -> np.ndarray:
        """As Scorer says. Each text goes through the encoder once, however many pairs it is in."""
        used = np.unique(pairs[:, 1])
        place = {int(passage): at for at, passage in enumerate(used)}
        of_passages = self._states([passages[i] for i in used], LONGEST - LONGEST_QUERY, say)
        of_queries = self._states(queries, LONGEST_QUERY, say)
        device = str(self.model.scale.device)
        lengths = [of_passages.ids[place[int(passage)]] for passage in pairs[:, 1]]
        scores = np.empty(len(pairs), dtype=np.float32)
        for group in by_length(lengths, TOKENS_PER_BATCH):
            chosen = pairs[group].tolist()
            query = batch_of([(of_queries, q) for q, _ in chosen], device)
            passage = batch_of([(of_passages, place[p]) for _, p in chosen], device)
            scores[group] = self.model(query, passage).cpu().numpy()
        return scores

    def _states(self, texts: Sequence[str], longest: int, say: Callable[[str], None]) -> TextStates:
        return text_states(self.model, self.encoder, texts, longest, "float32", say)


def checkpoint_scorer(folder: Path, device: str) -> Scorer:
    """The scorer that suits what the folder's config.json says it is."""
    file = folder / "config.json"
    kind = json.loads(file.read_text("utf-8")).get("model_type") if file.is_file() else None
    if kind == MODEL_TYPE:
        return SegmentScorer(folder, device)
    return CheckpointScorer(folder, device)


class ArtifactScorer:
    """An exported artifact, run as its users run it."""

    def __init__(self, folder: Path, threads: int) -> None:
        self.reranker = Reranker.load(folder, threads=threads)

    def logits(
        self,
        queries: Sequence[str],
        passages: Sequence[str],
        pairs: np.ndarray,
        say: Callable[[str], None],
    ) -> np.ndarray:
        """As Scorer says."""
        # Neighbours of one length share a batch of the runtime with little padding.
        order = sorted(range(len(pairs)), key=lambda i: len(passages[pairs[i, 1]]))
        scores = np.empty(len(pairs), dtype=np.float32)
        for start in range(0, len(order), PAIRS_PER_CALL):
            chosen = order[start : start + PAIRS_PER_CALL]
            texts = [(queries[q], passages[p]) for q, p in pairs[chosen]]
            scores[chosen] = self.reranker.predict(texts, scores="logits")
            say(f"scored {start + len(chosen)} of {len(order)} pairs")
        return scores
