"""What questions to a captioner cost, with a network of real size and random weights.

    python -m benchmarks.captioner ask                      MobileNetV2 at 224 pixels, 8,000 images, 2,500 words
    python -m benchmarks.captioner ask --attention --gru

A network that was never fitted does not end its sentences, so every caption has the longest length: the figures for captions
and for inversion, which takes all its steps, are the worst that the settings allow. Medians, on the threads that the model
was fitted with (1); the commands are whole processes, from their start to their end, once each.
"""

import argparse
import io
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from PIL import Image

from kindex.ask.live import Live, open_live
from kindex.ask.picturing import Pictured
from kindex.core import publish
from kindex.core.catalogue import ITEMS, write_table
from kindex.core.files import pretty_json
from kindex.core.layout import Layout
from kindex.core.params import IndexParams
from kindex.core.pointer import promote
from kindex.core.space import Space, unit, write_space
from kindex.encoders.captioner import Config, Encoder
from kindex.encoders.captioner.backbones.mobilenet import MobileNetV2
from kindex.encoders.captioner.network import Network, begin
from kindex.encoders.captioner.tokens import MARKS, Vocabulary
from kindex.index.build import build

MODEL = "benchmark-captioner"
BLOCKS = [[32, 16], [96, 24], [144, 24], [144, 32], [192, 32], [192, 32], [192, 64], *[[384, 64]] * 3, [384, 96]]
BLOCKS += [[576, 96], [576, 96], [576, 160], [960, 160], [960, 160], [960, 320]]
"""(Expanded, projected) channels of MobileNetV2 (Sandler et al. 2018, table 2)."""

TEXT = "a brown dog runs through shallow water with a stick in its mouth"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    asking = commands.add_parser("ask", help="captions, searches by image and by description")
    asking.add_argument("--attention", action="store_true", help="the decoder looks at the cells of the grid")
    asking.add_argument("--gru", action="store_true", help="instead of an LSTM")
    asking.add_argument("--images", type=int, default=8_000, help="of the release")
    asking.add_argument("--words", type=int, default=2_500)
    asking.add_argument("--turns", type=int, default=9, help="questions of each kind; medians are shown")
    asking.add_argument("--alone", action="store_true", help="leave the whole commands away")
    asking.set_defaults(run=ask)
    arguments = parser.parse_args()
    arguments.run(arguments)


def ask(arguments: argparse.Namespace) -> None:
    """Time each question, in this process and as a command."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        config = Config(attention=arguments.attention, cell="gru" if arguments.gru else "lstm", hidden=512, dimensions=300)
        release(root, encoder(config, arguments.words), arguments.images)
        files = [root / f"{number:02}.jpg" for number in range(21)]
        for number, file in enumerate(files):
            file.write_bytes(photograph(number))
        began = time.perf_counter()
        live = open_live(MODEL, root=root)
        opened = time.perf_counter()
        pictured = Pictured(live)
        loaded = time.perf_counter()
        print(f"release opened {1e3 * (opened - began):.0f} ms, encoder loaded {1e3 * (loaded - opened):.0f} ms")
        questions(pictured, files, arguments.turns)
        print(f"memory at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:,.0f} MB")
        if not arguments.alone:
            whole_commands(root, files)


def questions(pictured: Pictured, files: list[Path], turns: int) -> None:
    """Medians of this process, once it has started."""
    settings: list[dict[str, int]] = [{"width": 1}, {}, {"width": 10, "count": 5}]
    for asked in settings:
        name = f"caption, width {asked.get('width', pictured.encoder.config.beam_width)}"
        show(name, turns, partial(_caption, pictured, files, asked))
    show("similar to an image", turns, lambda turn: pictured.similar_to_image(files[turn % len(files)]))
    show("describe by tower", turns, lambda _: pictured.describe(TEXT, by="tower"))
    show("describe by inversion", turns, lambda _: pictured.describe(TEXT, by="inversion"))


def _caption(pictured: Pictured, files: list[Path], asked: dict[str, int], turn: int) -> None:
    width, count = asked.get("width"), asked.get("count", 1)
    (one,) = pictured.caption([files[turn % len(files)]], width, count=count)
    assert one.refused is None


def show(name: str, turns: int, question: Callable[[int], object]) -> None:
    """Medians of `turns` questions after one that does not count. CPU is the steadier figure on a machine that is shared."""
    question(0)
    wall, processor = [], []
    for turn in range(1, turns + 1):
        began, used = time.perf_counter(), time.process_time()
        question(turn)
        wall.append(1e3 * (time.perf_counter() - began))
        processor.append(1e3 * (time.process_time() - used))
    print(f"{name:30}{statistics.median(wall):9.1f} ms wall{statistics.median(processor):9.1f} ms CPU")


def whole_commands(root: Path, files: list[Path]) -> None:
    """Whole commands, once each."""
    names = [str(file) for file in files]
    took = {}
    for what, arguments in {
        "kindex caption, 1 file": ["caption", MODEL, names[0]],
        "kindex caption, 21 files": ["caption", MODEL, *names],
        "kindex describe --by tower": ["describe", MODEL, TEXT],
        "kindex describe --by both": ["describe", MODEL, TEXT, "--by", "both"],
        "kindex similar, a word": ["similar", MODEL, "w7", "--space", "words"],
    }.items():
        command = [sys.executable, "-c", "from kindex.cli import main; main()", "--root", str(root), *arguments]
        began, used = time.perf_counter(), spent()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
        took[what] = spent() - used
        print(f"{what:30}{time.perf_counter() - began:9.2f} s wall {took[what]:9.2f} s CPU")
    each = (took["kindex caption, 21 files"] - took["kindex caption, 1 file"]) / 20
    print(f"{'one more file':30}{'':17}{1e3 * each:9.1f} ms CPU")


def spent() -> float:
    """CPU seconds of the processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def encoder(config: Config, words: int) -> Encoder:
    """A captioner that was never fitted."""
    torch.manual_seed(0)
    backbone = MobileNetV2(32, BLOCKS, 1280)
    names = (*MARKS, *TEXT.split()[:1], *(word for word in dict.fromkeys(TEXT.split()[1:]) if word != "a"))
    names += tuple(f"w{number}" for number in range(words - len(names)))
    vocabulary = Vocabulary(names, (0, 0, 1, 0, *range(len(names), 4, -1)))
    network = Network(backbone.channels, len(vocabulary), config)
    rng = np.random.Generator(np.random.PCG64(7))
    begin(network, np.array(vocabulary.counts), rng)
    starts_SD = unit(rng.normal(size=(config.starts, config.dimensions)).astype(np.float32))
    return Encoder(backbone, network, vocabulary, config, starts_SD)


def release(root: Path, made: Encoder, images: int) -> Live:
    """A live release with random image vectors."""
    work, layout = root / "work", Layout(root)
    (work / "encoder").mkdir(parents=True)
    made.save(work / "encoder")
    layout.params.write_text("catalogues: {}\n")
    rng = np.random.Generator(np.random.PCG64(1))
    vectors_ND = unit(rng.normal(size=(images, made.config.dimensions)).astype(np.float32))
    words = tuple(made.vocabulary.words[len(MARKS) :])
    table_VW = made.network.decoder.words.weight.detach().numpy()[len(MARKS) :]
    spaces = [Space("image", tuple(f"{n:06}.jpg" for n in range(images)), vectors_ND), Space("word", words, table_VW)]
    items = [{"id": id, "kind": "image", "label": None, "description": TEXT} for id in spaces[0].ids]
    write_table(work / "items.parquet", pa.Table.from_pylist(items, schema=ITEMS))
    settings = {"model": {"family": "captioner"}}
    lineage = {"model": MODEL, "catalogue": "benchmark", "kinds": ["image", "word"], "lock": {}, "settings": settings}
    files: dict[str, Path | bytes] = {f"encoder/{path.name}": path for path in (work / "encoder").iterdir()}
    files |= {"items.parquet": work / "items.parquet", "lineage.json": pretty_json(lineage), "report.json": pretty_json({})}
    for space in spaces:
        index = build(space, IndexParams())
        write_space(work / f"{space.kind}.parquet", space)
        index.save(work / f"{space.kind}.faiss")
        files[f"vectors/{space.kind}.parquet"] = work / f"{space.kind}.parquet"
        files[f"index/{space.kind}.faiss"] = work / f"{space.kind}.faiss"
        files[f"index/{space.kind}.json"] = pretty_json(index.about())
    manifest, _ = publish.build(layout.releases(MODEL), MODEL, files, {}, {"night": "2024-05-01"})
    promote(layout.releases(MODEL), manifest.version, manifest.parent)
    return open_live(MODEL, root=root)


def photograph(number: int) -> bytes:
    """A JPEG of 500 x 375 pixels, as in Flickr8k."""
    small = np.random.default_rng(number).integers(0, 256, (12, 16, 3)).astype(np.uint8)
    content = io.BytesIO()
    Image.fromarray(small).resize((500, 375), Image.Resampling.BICUBIC).save(content, "JPEG", quality=90)
    return content.getvalue()


if __name__ == "__main__":
    main()
