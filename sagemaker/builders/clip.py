"""Builds bundles of CLIP models: both towers from OpenCLIP, as ONNX, each checked against PyTorch.

    python -m sagemaker.builders.clip clip-vit-l-14 --out DIR [--checkpoint FILE]

The weights come from the hub by OpenCLIP's name for them, or from a checkpoint file. The image tower is written twice,
FP16 for GPUs and INT8 for CPUs, the text tower once, INT8, since it runs on CPUs alone. INT8 means 8-bit weights, one
scale a channel, and activations whose range is measured as they come (dynamic quantisation): in transformers a few
activations are far larger than the rest and lie elsewhere for each picture, so that ranges fixed beforehand cost more
than they gain. What is left of the likeness to PyTorch, on real pixels and texts, is written into
the manifest, and a bundle below the limits is not finished.

Needs requirements/clip-builder.txt, in an environment of its own.
"""

# pyright: reportMissingImports=false
# PyTorch is not in the environment that the checks run in.

from __future__ import annotations

import argparse
import gzip
import json
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagemarket.catalog.taxonomy import CATEGORIES
from imagemarket.vision.bundle import (
    FORMAT,
    MANIFEST,
    ContrastiveImageTower,
    ContrastiveTextTower,
    Manifest,
    Measurement,
    Understanding,
)
from imagemarket.vision.runtime import Network
from imagemarket.vision.tagging import Vocabulary
from imagemarket.vision.text import ContrastiveTextModel
from imagemarket.vision.towers import cut_middle
from sagemaker.builders.closeness import least_close, made_up_words
from sagemaker.builders.folder import (
    PackageFile,
    Progress,
    build_once,
    code_digest,
    copy_heads,
    describe_parts,
    digest,
    sha256,
)
from sagemaker.builders.quantise import halve, quantise
from sagemaker.builders.vocabulary import open_words, shares

Matrix = NDArray[np.float32]

FP32_LIKENESS, INT8_LIKENESS, FP16_LIKENESS = 0.999, 0.99, 0.999
"""Cosines with PyTorch that a finished bundle reaches on every picture and text."""

_OPSET = 18
_PROMPT = "a photo of {}"
_NEUTRAL = ("a photo", "a picture", "an image", "a photo of something", "a photo of a place", "a photo of a thing")
_SLOPE, _LEAD = 100.0, 0.02
"""CLIP's own temperature, and the lead in cosine over the neutral prompts from which a word is as likely as not.
No labelled pictures went into them, so confidences order words and are no frequencies."""
_CLAIMS = Understanding(category_from=0.5, people_from=0.75, no_people_below=0.03)

_PHOTOS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png", "hubble_deep_field.jpg")
_TEXTS = (
    "a cat",
    "a cup of coffee on a table",
    "two people riding horses along the beach at sunset",
    "Motorcycle in a garage!",
    "rouge à lèvres",
    "",
    "an abstract pattern of shapes and colours, " * 12,
)


@dataclass(frozen=True)
class Clip:
    """A model of OpenCLIP."""

    architecture: str
    weights: str
    licence: str


CLIPS = {
    "clip-vit-l-14": Clip("ViT-L-14-quickgelu", "openai", "MIT"),
    # The same architecture trained on DataComp-1B: 79.2 % of ImageNet without training on it, OpenAI's 75.5 %
    # (Gadre et al., 2023).
    "clip-vit-l-14-datacomp": Clip("ViT-L-14", "datacomp_xl_s13b_b90k", "MIT"),
}


def load(clip: Clip, checkpoint: Path | None) -> Any:
    """The PyTorch model with its weights, FP32, ready to be asked."""
    import open_clip

    model = open_clip.create_model(clip.architecture, pretrained=str(checkpoint) if checkpoint else clip.weights)
    return model.eval()


def build(
    name: str, out: Path, *, model: Any, source: str, licence: str, origin: Any, say: Progress = print
) -> Manifest:
    """Makes the folder `out` hold the bundle of an OpenCLIP `model`; `origin` tells its weights from others."""
    recipe = {
        "origin": origin,
        "code": code_digest("clip.py", "closeness.py", "quantise.py", "vocabulary.py", "words.tsv", "wordnet.tsv"),
        "prompts": [list(category.prompts) for category in CATEGORIES],
        "format": FORMAT,
    }
    version = f"{name}-{digest([origin, _OPSET])[:12]}"

    def write(folder: Path) -> Manifest:
        return _write(folder, name, version, digest(recipe), model, source, licence, say)

    return build_once(out, digest(recipe), write, say)


def _write(
    folder: Path, name: str, version: str, recipe: str, model: Any, source: str, licence: str, say: Progress
) -> Manifest:
    (folder / "text").mkdir()
    origins = copy_heads(folder)
    size = image_of(model)
    context = int(model.context_length)
    write_tokenizer(folder / "text/tokenizer.json")
    quality = export_towers(model, folder, size=size, context=context, say=say)

    encoder = ContrastiveTextModel(folder / "text", context=context)
    words = sorted({*(word.word for word in open_words()), *shares(1000)})
    say(f"text: {len(words)} words")
    np.savez(
        folder / "image/tables.npz",
        word_vectors=_mean_rows(encoder, [[_PROMPT.format(word)] for word in words]),
        category_vectors=_mean_rows(encoder, [list(category.prompts) for category in CATEGORIES]),
        neutral_vectors=_mean_rows(encoder, [[text] for text in _NEUTRAL]),
    )
    close = _close_from(encoder, folder / "image/tower.int8.onnx", size, say)
    vocabulary = Vocabulary(
        words=words,
        categories=[category.slug for category in CATEGORIES],
        wider={word.word: list(word.wider) for word in open_words() if word.wider},
        breadth={word.word: float(len(word.classes)) for word in open_words() if len(word.classes) > 1},
    )
    (folder / "image/vocabulary.json").write_text(vocabulary.model_dump_json(), encoding="utf-8")
    towers = ("image/tower.int8.onnx", "image/tower.fp16.onnx", "text/model.onnx")
    own = ("imagemarket's own, with words of WordNet, encoded by the text tower", f"{licence}; words: WordNet")
    origins |= dict.fromkeys(towers, (source, licence)) | {
        "text/tokenizer.json": ("CLIP's byte pairs, from open_clip", "MIT"),
        "image/tables.npz": own,
        "image/vocabulary.json": own,
    }
    manifest = Manifest(
        format=FORMAT,
        name=name,
        model_version=version,
        recipe=recipe,
        dimensions=int(model.text_projection.shape[-1]),
        text=ContrastiveTextTower(context=context),
        image=ContrastiveImageTower(size=size, slope=_SLOPE, lead=_LEAD),
        networks={"cpu": "image/tower.int8.onnx", "cuda": "image/tower.fp16.onnx"},
        understanding=_CLAIMS,
        close_from=close,
        quality=quality,
        parts=describe_parts(folder, origins),
    )
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
    return manifest


def _close_from(encoder: ContrastiveTextModel, tower: Path, size: int, say: Progress) -> float | None:
    """From which cosine on a picture is close to a text; None where nothing tells (random weights)."""
    (pictures,) = Network(tower, threads=2).run(["embeddings"], {"pictures": photos(size)})
    words = np.stack([encoder.encode(word) for word in made_up_words()])
    found = least_close(words @ np.asarray(pictures, dtype=np.float32).T)
    if found is None:
        say("no least cosine of what is close: made-up words are as close to the photos as can be")
        return None
    say(f"least cosine of what is close: {found[0]:.2f}")
    return found[0]


def image_of(model: Any) -> int:
    """Pixels a side of what the model looks at."""
    size = model.visual.image_size
    return int(size[0] if isinstance(size, tuple | list) else size)


def _mean_rows(encoder: ContrastiveTextModel, prompts: Iterable[Sequence[str]]) -> Matrix:
    means = [np.mean([encoder.encode(text) for text in texts], axis=0) for texts in prompts]
    return np.stack([mean / np.linalg.norm(mean) for mean in means]).astype(np.float32)


# --- the tokenizer -------------------------------------------------------------------------------


def write_tokenizer(path: Path) -> None:
    """CLIP's tokenizer (byte pairs over lower-cased words), in the form that `tokenizers` reads."""
    from open_clip.tokenizer import bytes_to_unicode, default_bpe
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    lines = gzip.decompress(Path(default_bpe()).read_bytes()).decode("utf-8").split("\n")
    merges = [(first, second) for first, second in (line.split() for line in lines[1 : 49152 - 256 - 2 + 1])]
    letters = list(bytes_to_unicode().values())
    begin, end = "<start_of_text>", "<end_of_text>"
    pieces = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(pair) for pair in merges), begin, end]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(
        models.BPE(vocab=vocabulary, merges=merges, end_of_word_suffix="</w>", fuse_unk=False, unk_token=end)
    )
    tokenizer.normalizer = normalizers.Sequence(  # pyright: ignore[reportAttributeAccessIssue]
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    word = Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(  # pyright: ignore[reportAttributeAccessIssue]
        [
            pre_tokenizers.Split(word, "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.post_processor = processors.TemplateProcessing(  # pyright: ignore[reportAttributeAccessIssue]
        single=f"{begin} $A {end}", special_tokens=[(begin, vocabulary[begin]), (end, vocabulary[end])]
    )
    tokenizer.save(str(path))


# --- the towers ----------------------------------------------------------------------------------


def export_towers(model: Any, folder: Path, *, size: int, context: int, say: Progress) -> list[Measurement]:
    """Writes `image/tower.fp16.onnx`, `image/tower.int8.onnx` and `text/model.onnx`; what their vectors keep of
    PyTorch's. Raises SystemExit where that is less than the limits."""
    import torch

    pictures = photos(size)
    ids = _ids(folder / "text/tokenizer.json", context)
    image, text = _image_graph(model), _text_graph(model)
    with torch.no_grad():
        true_images = image(torch.from_numpy(pictures)).numpy()
        true_texts = text(torch.from_numpy(ids)).numpy()
    found: list[Measurement] = []

    def compare(what: str, file: Path, feed: str, rows: NDArray[Any], truth: Matrix, least: float, on: str) -> None:
        (made,) = Network(file, threads=2).run(["embeddings"], {feed: rows})
        cosine = float((np.asarray(made, dtype=np.float32) * truth).sum(axis=1).min())
        say(f"{what}: least cosine with PyTorch {cosine:.5f}")
        found.append(Measurement(what=f"{what}, least cosine with PyTorch", value=round(cosine, 6), on=on))
        if not cosine >= least:
            raise SystemExit(f"{what} is not the model any more: cosine {cosine:.5f}, less than {least}")

    on_pictures, on_texts = f"{len(pictures)} photos of scikit-image", f"{len(ids)} texts"
    plain = folder / "image/tower.fp32.onnx"
    say("image tower: FP32")
    _export(image, pictures, "pictures", plain)
    compare("image tower FP32", plain, "pictures", pictures, true_images, FP32_LIKENESS, on_pictures)
    small = folder / "image/tower.int8.onnx"
    quantise(plain, small)
    compare("image tower INT8", small, "pictures", pictures, true_images, INT8_LIKENESS, on_pictures)
    say("image tower: FP16")
    halve(plain, folder / "image/tower.fp16.onnx")
    half = folder / "image/tower.fp16.onnx"
    compare("image tower FP16", half, "pictures", pictures, true_images, FP16_LIKENESS, on_pictures)
    plain.unlink()
    plain = folder / "text/fp32.onnx"
    say("text tower: FP32")
    _export(text, ids, "ids", plain)
    compare("text tower FP32", plain, "ids", ids, true_texts, FP32_LIKENESS, on_texts)
    quantise(plain, folder / "text/model.onnx")
    compare("text tower INT8", folder / "text/model.onnx", "ids", ids, true_texts, INT8_LIKENESS, on_texts)
    plain.unlink()
    return found


def _image_graph(model: Any) -> Any:
    """From `pictures`, uint8 (n, size, size, 3), to unit vectors."""
    import torch

    visual = model.visual
    mean = torch.tensor(visual.image_mean, dtype=torch.float32).view(1, 3, 1, 1) * 255
    spread = torch.tensor(visual.image_std, dtype=torch.float32).view(1, 3, 1, 1) * 255

    class ImageGraph(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.visual = visual
            self.register_buffer("mean", mean)
            self.register_buffer("spread", spread)

        def forward(self, pictures: Any) -> Any:
            planes = pictures.permute(0, 3, 1, 2).to(torch.float32)
            rows = self.visual((planes - self.mean) / self.spread)
            return torch.nn.functional.normalize(rows, dim=-1)

    return ImageGraph().eval()


def _text_graph(model: Any) -> Any:
    import torch

    class TextGraph(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, ids: Any) -> Any:
            return self.model.encode_text(ids, normalize=True)

    return TextGraph().eval()


def _export(graph: Any, example: NDArray[Any], name: str, path: Path) -> None:
    import torch

    with torch.no_grad():
        torch.onnx.export(
            graph,
            (torch.from_numpy(example[:2]),),
            str(path),
            input_names=[name],
            output_names=["embeddings"],
            dynamic_shapes=({0: torch.export.Dim("n", min=1, max=1024)},),
            opset_version=_OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )


def photos(size: int) -> NDArray[np.uint8]:
    """Real photos, cut as the bundle cuts them."""
    photos: list[NDArray[np.uint8]] = []
    for name in _PHOTOS:
        with Image.open(PackageFile("skimage", f"data/{name}", "").file) as photo:
            photos.append(cut_middle(photo.convert("RGB"), size))
    return np.stack(photos)


def _ids(tokenizer: Path, context: int) -> NDArray[np.int64]:
    from tokenizers import Tokenizer

    made = Tokenizer.from_file(str(tokenizer))
    made.enable_truncation(context)
    made.enable_padding(length=context, pad_id=0)
    return np.asarray([made.encode(text).ids for text in _TEXTS], dtype=np.int64)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 when the bundle stands."""
    parser = argparse.ArgumentParser(allow_abbrev=False, description=(__doc__ or "").split("\n")[0])
    parser.add_argument("name", choices=sorted(CLIPS), help="which model")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the bundle's folder")
    parser.add_argument(
        "--checkpoint", type=Path, metavar="FILE", help="its weights; without it they are fetched from the hub"
    )
    parser.add_argument(
        "--random", action="store_true", help="weights of no use, of the true shape: to try the export and its speed"
    )
    options = parser.parse_args(arguments)
    clip = CLIPS[options.name]
    began = time.monotonic()
    say: Progress = lambda line: print(f"  {line}", flush=True)  # noqa: E731
    if options.random:
        import open_clip
        import torch

        torch.manual_seed(0)
        model = open_clip.create_model(clip.architecture, pretrained=None).eval()
        name, source, origin = f"{options.name}-random", "random numbers", {"random": 0, "of": clip.architecture}
    else:
        model = load(clip, options.checkpoint)
        name = options.name
        source = f"OpenCLIP {clip.architecture}, {clip.weights}"
        weights = sha256(options.checkpoint) if options.checkpoint else clip.weights
        origin = {"architecture": clip.architecture, "weights": weights}
    manifest = build(name, options.out, model=model, source=source, licence=clip.licence, origin=origin, say=say)
    size = sum(part.size_bytes for part in manifest.parts.values()) / 1e6
    print(f"{options.out}: {manifest.model_version}, {size:.0f} MB, {time.monotonic() - began:.0f} s")
    print(json.dumps([measured.model_dump() for measured in manifest.quality], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
