# SPDX-License-Identifier: Apache-2.0
"""The other side of benchmarks/input.py: one input as users write it, driven over standard input.

    PYTHON input_peer.py NAME FOLDER SIZE WORKERS BATCH

Runs by itself, in an environment that has the named library. Each line of standard input is a
number of images to read; the answer is how many were. NAME is LIBRARY_DECODER: `torch`, `tf_data`
or `grain`, with `pil` or `simplejpeg` (`tf_data_own` decodes by itself). Batches are grey uint8
squares [B, S, S, 1] and labels [B], shuffled.
"""

import io
import pathlib
import sys
from collections.abc import Callable, Iterator

import numpy as np


def with_pil(size: int) -> Callable[[bytes], np.ndarray]:
    """What most examples do: decode by Pillow, which scales JPEGs in its decoder, and resize."""
    from PIL import Image

    def read(data: bytes) -> np.ndarray:
        with Image.open(io.BytesIO(data)) as image:
            image.draft("L", (size, size))
            resized = image.convert("L").resize((size, size), Image.Resampling.BOX)
            return np.asarray(resized)[..., None]

    return read


def with_simplejpeg(size: int) -> Callable[[bytes], np.ndarray]:
    """The fastest known to us: TurboJPEG, scaled in the decoder, then areas by OpenCV."""
    import cv2
    import simplejpeg

    cv2.setNumThreads(0)

    def read(data: bytes) -> np.ndarray:
        pixels = simplejpeg.decode_jpeg(data, "GRAY", min_height=size, min_width=size)
        if pixels.shape[:2] != (size, size):
            pixels = cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA)[..., None]
        return pixels

    return read


DECODERS = {"pil": with_pil, "simplejpeg": with_simplejpeg}


class Files:
    """A data set of files as torch and grain take it: a length, and an item by number."""

    def __init__(self, folder: str, read: Callable[[bytes], np.ndarray]):
        self.paths = sorted(pathlib.Path(folder).glob("*.jpg"))
        self.read = read

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.float32]:
        return self.read(self.paths[int(number)].read_bytes()), np.float32(number % 2)


def torch_batches(files: Files, workers: int, batch: int) -> Iterator[int]:
    """torch.utils.data.DataLoader."""
    import torch

    torch.set_num_threads(1)
    loader = torch.utils.data.DataLoader(
        files,  # type: ignore[arg-type]
        batch_size=batch,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
        multiprocessing_context="fork" if workers else None,
    )
    while True:
        for images, _ in loader:
            yield len(images)


def grain_batches(files: Files, workers: int, batch: int) -> Iterator[int]:
    """grain.MapDataset."""
    import grain

    data = grain.MapDataset.source(files).shuffle(seed=0).repeat().batch(batch)
    # A few batches ahead: by default 500 wait in memory.
    stream = data.to_iter_dataset(grain.ReadOptions(num_threads=1, prefetch_buffer_size=2))
    if workers:
        stream = stream.mp_prefetch(grain.MultiprocessingOptions(num_workers=workers))
    for images, _ in stream:
        yield len(images)


def tf_batches(folder: str, size: int, batch: int) -> Iterator[int]:
    """tf.data with TensorFlow's own decoder, which scales by eighths when told the ratio."""
    import tensorflow as tf

    def read(path, label):  # type: ignore[no-untyped-def]
        image = tf.io.decode_jpeg(tf.io.read_file(path), channels=1)
        resized = tf.image.resize(image, (size, size), method="area")
        return tf.cast(tf.round(resized), tf.uint8), label

    paths = sorted(str(path) for path in pathlib.Path(folder).glob("*.jpg"))
    labels = np.arange(len(paths), dtype=np.float32) % 2
    data = tf.data.Dataset.from_tensor_slices((paths, labels)).shuffle(len(paths), seed=0).repeat()
    options = tf.data.Options()
    options.threading.private_threadpool_size = 1
    data = data.map(read, num_parallel_calls=1).batch(batch).prefetch(1).with_options(options)
    for images, _ in data.as_numpy_iterator():
        yield len(images)


def batches(name: str, folder: str, size: int, workers: int, batch: int) -> Iterator[int]:
    """How many images each next batch has."""
    library, _, decoder = name.rpartition("_")
    if library == "tf_data":
        return tf_batches(folder, size, batch)
    files = Files(folder, DECODERS[decoder](size))
    return {"torch": torch_batches, "grain": grain_batches}[library](files, workers, batch)


def main() -> None:
    name, folder, size, workers, batch = sys.argv[1:]
    source = batches(name, folder, int(size), int(workers), int(batch))
    for line in sys.stdin:
        read, asked = 0, int(line)
        while read < asked:
            read += next(source)
        print(read, flush=True)


if __name__ == "__main__":
    main()
