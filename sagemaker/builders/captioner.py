"""Builds the optional captioner of a bundle: CoCa from OpenCLIP, as two ONNX graphs, each checked against PyTorch.

    python -m sagemaker.builders.captioner coca-vit-l-14 --out BUNDLE/captioner [--checkpoint FILE]

CoCa ViT-L/14, fine-tuned on COCO's captions, has 638 million parameters, a sixth of BLIP-2's smallest; it needs no
package that the CLIP builder has not. The weights come from the hub by OpenCLIP's name for them, or from a checkpoint
file. The GPU gets FP16, the CPU INT8. Beside the numbers of both graphs the sentences are compared: a captioner that
writes other sentences than PyTorch about real photos is not finished.

Needs requirements/clip-builder.txt, in an environment of its own.
"""

# pyright: reportMissingImports=false
# PyTorch is not in the environment that the checks run in.

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagemarket.vision.bundle import Measurement, NotABundle, verify
from imagemarket.vision.captioner import MANIFEST, Captioner, CaptionerManifest, Graphs, read_captioner
from sagemaker.builders.clip import Clip, image_of, load, photos, write_tokenizer
from sagemaker.builders.folder import Progress, build_once, code_digest, describe_parts, digest, sha256
from sagemaker.builders.quantise import halve, quantise

CAPTIONERS = {"coca-vit-l-14": Clip("coca_ViT-L-14", "mscoco_finetuned_laion2B-s13B-b90k", "MIT")}

LENGTH = 24
"""Ids of a sentence: COCO's captions have 12 on average, and 1 in 200 more than 22."""
LOGITS_LIKENESS = 0.999
SAME_SENTENCES = 0.5
"""Share of the photos about which INT8 writes the very sentence of PyTorch: one word that is as likely as another
changes the rest."""

_OPSET = 18
_BEGIN, _END = 49406, 49407
"""Of CLIP's tokenizer."""


def build(
    name: str, out: Path, *, model: Any, source: str, licence: str, origin: Any, say: Progress = print
) -> CaptionerManifest:
    """Makes the folder `out` hold the captioner of an OpenCLIP `model` (CoCa); `origin` tells its weights from
    others. Raises SystemExit where the graphs do not say what PyTorch says."""
    recipe = digest({"origin": origin, "code": code_digest("captioner.py", "clip.py", "quantise.py"), "length": LENGTH})

    try:
        found = read_captioner(out)
        if found.recipe == recipe:
            verify(out, found)
            say(f"{found.name} is there")
            return found
    except NotABundle:
        pass

    def write(folder: Path) -> Any:
        return _write(folder, name, recipe, model, source, licence, say)

    build_once(out, recipe, write, say)
    return read_captioner(out)


def _write(
    folder: Path, name: str, recipe: str, model: Any, source: str, licence: str, say: Progress
) -> CaptionerManifest:
    write_tokenizer(folder / "tokenizer.json")
    size = image_of(model)
    quality = export(model, folder, size=size, say=say)
    graphs = {
        "cpu": Graphs(image="image.int8.onnx", words="words.int8.onnx"),
        "cuda": Graphs(image="image.fp16.onnx", words="words.fp16.onnx"),
    }
    files = [file for each in graphs.values() for file in (each.image, each.words)]
    parts = describe_parts(
        folder,
        dict.fromkeys(files, (source, licence)) | {"tokenizer.json": ("CLIP's byte pairs, from open_clip", "MIT")},
    )

    def manifest(quality: list[Measurement]) -> CaptionerManifest:
        return CaptionerManifest(
            name=name,
            recipe=recipe,
            size=size,
            length=LENGTH,
            begin=_BEGIN,
            end=_END,
            networks=graphs,  # pyright: ignore[reportArgumentType]
            quality=quality,
            parts=parts,
        )

    (folder / MANIFEST).write_text(manifest(quality).model_dump_json(indent=1), encoding="utf-8")
    pictures = photos(size)
    ours, theirs = Captioner(folder).write(list(pictures)), sentences(model, pictures)
    same = float(np.mean([one == other for one, other in zip(ours, theirs, strict=True)]))
    say(f"INT8 writes PyTorch's sentence about {same:.0%} of {len(pictures)} photos")
    if same < SAME_SENTENCES:
        raise SystemExit(f"the captioner is not the model any more: {same:.0%} of its sentences are the same")
    what = Measurement(what="INT8, share of sentences that are PyTorch's", value=same, on=_on(pictures))
    finished = manifest([*quality, what])
    (folder / MANIFEST).write_text(finished.model_dump_json(indent=1), encoding="utf-8")
    return finished


def export(model: Any, folder: Path, *, size: int, say: Progress) -> list[Measurement]:
    """Writes both graphs in FP16 and INT8; how near their FP32 logits are to PyTorch's."""
    import torch
    from onnxruntime import InferenceSession

    pictures = photos(size)
    image, words = _image_graph(model), _words_graph(model)
    ids, last = _examples(len(pictures))
    with torch.no_grad():
        tokens = image(torch.from_numpy(pictures))
        truth = words(tokens, torch.from_numpy(ids), torch.from_numpy(last)).numpy()
    for name, graph, feeds in (
        ("image", image, {"pictures": torch.from_numpy(pictures)}),
        ("words", words, {"tokens": tokens, "ids": torch.from_numpy(ids), "last": torch.from_numpy(last)}),
    ):
        say(f"{name}: FP32")
        plain = folder / f"{name}.fp32.onnx"
        _export(graph, feeds, "tokens" if name == "image" else "logits", plain)
    seen = InferenceSession(str(folder / "image.fp32.onnx")).run(["tokens"], {"pictures": pictures})[0]
    made = InferenceSession(str(folder / "words.fp32.onnx")).run(
        ["logits"], {"tokens": seen, "ids": ids, "last": last}
    )[0]
    centred = [rows - rows.mean(axis=1, keepdims=True) for rows in (np.asarray(made), truth)]
    lengths = np.linalg.norm(centred[0], axis=1) * np.linalg.norm(centred[1], axis=1)
    cosine = float(((centred[0] * centred[1]).sum(axis=1) / lengths).min())
    say(f"FP32: least cosine of logits with PyTorch {cosine:.5f}")
    if not cosine >= LOGITS_LIKENESS:
        raise SystemExit(f"the captioner is not the model any more: cosine {cosine:.5f}, less than {LOGITS_LIKENESS}")
    for name in ("image", "words"):
        plain = folder / f"{name}.fp32.onnx"
        quantise(plain, folder / f"{name}.int8.onnx")
        halve(plain, folder / f"{name}.fp16.onnx")
        plain.unlink()
    return [Measurement(what="FP32, least cosine of logits with PyTorch", value=round(cosine, 6), on=_on(pictures))]


def _on(pictures: NDArray[np.uint8]) -> str:
    return f"{len(pictures)} photos of scikit-image"


def _examples(number: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Begun sentences of any words, and how far each is."""
    rng = np.random.default_rng(0)
    ids = np.zeros((number, LENGTH), dtype=np.int64)
    last = rng.integers(0, LENGTH - 1, number)
    for row, place in enumerate(last):
        ids[row, 0] = _BEGIN
        ids[row, 1 : place + 1] = rng.integers(1, _BEGIN, place)
    return ids, last


def sentences(model: Any, pictures: NDArray[np.uint8]) -> list[list[int]]:
    """What PyTorch writes, one word after the other, each sentence alone and no longer than it is: the ids of each,
    without its beginning and end."""
    import torch

    image = _image_graph(model)
    written = []
    with torch.no_grad():
        for picture in pictures:
            tokens = image(torch.from_numpy(picture[None]))
            ids = [_BEGIN]
            while len(ids) < LENGTH - 1 and ids[-1] != _END:
                _, states = model._encode_text(torch.tensor([ids]))  # noqa: SLF001
                ids.append(int(model.text_decoder(tokens, states)[0, -1].argmax()))
            written.append([each for each in ids[1:] if each != _END])
    return written


def _image_graph(model: Any) -> Any:
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
            return self.visual((planes - self.mean) / self.spread)[1]

    return ImageGraph().eval()


def _words_graph(model: Any) -> Any:
    """Of a fixed length: attention looks back alone, so what stands behind `last` does not matter."""
    import torch

    class WordsGraph(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, tokens: Any, ids: Any, last: Any) -> Any:
            _, states = self.model._encode_text(ids)  # noqa: SLF001
            logits = self.model.text_decoder(tokens, states)
            place = last.view(-1, 1, 1).expand(-1, 1, logits.shape[-1])
            return logits.gather(1, place).squeeze(1)

    return WordsGraph().eval()


def _export(graph: Any, feeds: dict[str, Any], output: str, path: Path) -> None:
    import torch

    many = torch.export.Dim("n", min=1, max=1024)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="# The axis name: n will not be used")  # it is: once for all feeds
        torch.onnx.export(
            graph,
            tuple(each[:2] for each in feeds.values()),
            str(path),
            input_names=list(feeds),
            output_names=[output],
            dynamic_shapes=tuple({0: many} for _ in feeds),
            opset_version=_OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 when the captioner stands."""
    parser = argparse.ArgumentParser(allow_abbrev=False, description=(__doc__ or "").split("\n")[0])
    parser.add_argument("name", choices=sorted(CAPTIONERS), help="which model")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the bundle's folder `captioner`")
    parser.add_argument(
        "--checkpoint", type=Path, metavar="FILE", help="its weights; without it they are fetched from the hub"
    )
    options = parser.parse_args(arguments)
    chosen = CAPTIONERS[options.name]
    began = time.monotonic()
    say: Progress = lambda line: print(f"  {line}", flush=True)  # noqa: E731
    origin = sha256(options.checkpoint) if options.checkpoint else chosen.weights
    manifest = build(
        options.name,
        options.out,
        model=load(chosen, options.checkpoint),
        source=f"OpenCLIP {chosen.architecture}, {chosen.weights}",
        licence=chosen.licence,
        origin=origin,
        say=say,
    )
    print(f"{manifest.name} in {options.out}, {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
