"""The text side of a bundle: from a query to a vector in the space of the pictures' vectors."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from imagemarket.vision.bundle import read_manifest
from imagemarket.vision.models import EMBEDDING_DIMENSIONS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_REMEMBERED = 512
_UNKNOWN = "[UNK]"


class TextModel(Protocol):
    """A text tower as its network has it; threads may share one."""

    def encode(self, text: str) -> NDArray[np.float32]:
        """The vector of `text`, of the bundle's dimensions."""
        ...

    def unknown(self, text: str) -> tuple[str, ...]:
        """The words of `text` of which the tokenizer has no piece."""
        ...


class SentenceModel:
    """A sentence encoder in `folder` (`model.onnx`, `tokenizer.json`)."""

    def __init__(self, folder: Path, *, max_tokens: int, threads: int = 1) -> None:
        from tokenizers import Tokenizer

        from imagemarket.vision.runtime import Network

        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens)
        self._network = Network(folder / "model.onnx", threads=threads)

    def encode(self, text: str) -> NDArray[np.float32]:
        """The unit vector of `text`, as the model has it."""
        import numpy as np

        # One text at a time and unpadded: the quantised model answers a padded batch a little differently.
        ids = np.asarray([self._tokenizer.encode(text).ids], dtype=np.int64)
        (states,) = self._network.run(
            ["last_hidden_state"],
            {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)},
        )
        mean = np.asarray(states, dtype=np.float32)[0].mean(axis=0)
        return mean / np.linalg.norm(mean)

    def unknown(self, text: str) -> tuple[str, ...]:
        """The words of `text` that WordPiece gives up on."""
        return tuple(word for word in text.split() if _UNKNOWN in self._tokenizer.encode(word).tokens)


class ContrastiveTextModel:
    """CLIP's text encoder in `folder`: ids (1, context), filled up with zeros, to a unit vector."""

    def __init__(self, folder: Path, *, context: int, threads: int = 1) -> None:
        from tokenizers import Tokenizer

        from imagemarket.vision.runtime import Network

        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(context)
        self._tokenizer.enable_padding(length=context, pad_id=0)
        self._network = Network(folder / "model.onnx", threads=threads)

    def encode(self, text: str) -> NDArray[np.float32]:
        """The unit vector of `text`."""
        import numpy as np

        ids = np.asarray([self._tokenizer.encode(text).ids], dtype=np.int64)
        (rows,) = self._network.run(["embeddings"], {"ids": ids})
        return np.asarray(rows, dtype=np.float32)[0]

    def unknown(self, text: str) -> tuple[str, ...]:
        """None: its tokens are made of bytes."""
        _ = text
        return ()


class TextEncoder:
    """Encodes short English texts for comparison with pictures, on the CPU; threads may share one.

    Raises `NotABundle` when `bundle` is no folder of a bundle.
    """

    def __init__(self, bundle: Path, *, threads: int = 1) -> None:
        import numpy as np

        manifest = read_manifest(bundle)
        self._model_version = manifest.model_version
        self._close_from = manifest.close_from
        self._alike_from = manifest.alike_from
        tower = manifest.text
        self._model: TextModel
        if tower.tower == "sentence":
            self._centre = np.asarray(tower.centre, dtype=np.float32)
            self._model = SentenceModel(bundle / "text", max_tokens=tower.max_tokens, threads=threads)
        else:
            self._centre = np.zeros(manifest.dimensions, dtype=np.float32)
            self._model = ContrastiveTextModel(bundle / "text", context=tower.context, threads=threads)
        self._remembered = lru_cache(_REMEMBERED)(self._encode)

    @property
    def model_version(self) -> str:
        """The model whose image vectors these vectors compare with."""
        return self._model_version

    @property
    def close_from(self) -> float | None:
        """Cosine from which a picture is close to a text; None where the bundle does not say."""
        return self._close_from

    @property
    def alike_from(self) -> float | None:
        """Cosine from which two pictures are alike; None where the bundle does not say."""
        return self._alike_from

    def unknown(self, text: str) -> tuple[str, ...]:
        """The words of `text` that the model knows nothing of."""
        return self._model.unknown(text)

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
