"""The text tower: from a query to a vector in the space of the pictures' vectors."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from imagemarket.vision.bundle import read_manifest
from imagemarket.vision.models import EMBEDDING_DIMENSIONS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_REMEMBERED = 512


class SentenceModel:
    """A sentence encoder in `folder` (`model.onnx`, `tokenizer.json`); threads may share one."""

    def __init__(self, folder: Path, *, max_tokens: int, threads: int = 1) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )

    def encode(self, text: str) -> NDArray[np.float32]:
        """The unit vector of `text`, as the model has it."""
        import numpy as np

        # One text at a time and unpadded: the quantised model answers a padded batch a little differently.
        ids = np.asarray([self._tokenizer.encode(text).ids], dtype=np.int64)
        (states,) = self._session.run(
            ["last_hidden_state"],
            {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)},
        )
        mean = np.asarray(states, dtype=np.float32)[0].mean(axis=0)
        return mean / np.linalg.norm(mean)


class TextEncoder:
    """Encodes short English texts for comparison with pictures; threads may share one.

    Raises `NotABundle` when `bundle` is no folder of a bundle.
    """

    def __init__(self, bundle: Path, *, threads: int = 1) -> None:
        import numpy as np

        manifest = read_manifest(bundle)
        self._model_version = manifest.model_version
        self._centre = np.asarray(manifest.text.centre, dtype=np.float32)
        self._model = SentenceModel(bundle / "text", max_tokens=manifest.text.max_tokens, threads=threads)
        self._remembered = lru_cache(_REMEMBERED)(self._encode)

    @property
    def model_version(self) -> str:
        """The model whose image vectors these vectors compare with."""
        return self._model_version

    def encode(self, text: str) -> list[float]:
        """Unit vector of `EMBEDDING_DIMENSIONS`. Words beyond the model's length are not read."""
        return list(self._remembered(text))

    def _encode(self, text: str) -> tuple[float, ...]:
        return tuple(padded_unit(self._model.encode(text) - self._centre))


def padded_unit(vector: NDArray[np.float32]) -> list[float]:
    """`vector` at length 1, filled up to `EMBEDDING_DIMENSIONS` with zeros."""
    import numpy as np

    unit = vector.astype(np.float64) / max(float(np.linalg.norm(vector)), 1e-12)
    return [*unit.tolist(), *[0.0] * (EMBEDDING_DIMENSIONS - len(unit))]
