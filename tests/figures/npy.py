"""Files as NumPy writes them, which tests/nn/files/npy.cpp reads. usage: python3 npy.py (writes into npy/ beside it)

(Debian's python3-numpy, 1.24.2)
"""
import pathlib

import numpy as np


class Pipe:
    """A file without seek: sizes and checksums then stand behind the members."""

    read = None  # numpy.savez looks whether there is one

    def __init__(self, path):
        self.file = open(path, "wb")
        self.write, self.flush, self.close = self.file.write, self.file.flush, self.file.close


folder = pathlib.Path(__file__).parent / "npy"
folder.mkdir(exist_ok=True)
matrix = np.arange(6, dtype="<f8").reshape(2, 3) - 2.5
cube = np.arange(24, dtype="<f4").reshape(2, 3, 4)

np.save(folder / "rows.npy", matrix)
np.save(folder / "columns.npy", np.asfortranarray(cube))
for version in (2, 3):
    with open(folder / f"version{version}.npy", "wb") as file:
        np.lib.format.write_array(file, matrix, version=(version, 0))

arrays = {
    "f4": np.array([1.5, -0.0, np.inf], "<f4"),
    "f8": np.array(3.25),
    "i8": np.array([[-5], [1 << 60]]),
    "u1": np.array([0, 1, 255], "u1"),
    "b1": np.array([True, False, True]),
    "columns": np.asfortranarray(cube),
    "none": np.zeros((0, 4), "<f4"),
    "a/b.c \u00e9": np.ones(1),
}
np.savez(folder / "stored.npz", **arrays)
np.savez_compressed(folder / "deflated.npz", zeros=np.zeros((50, 40)), **arrays)
pipe = Pipe(folder / "piped.npz")
np.savez_compressed(pipe, **arrays)
pipe.close()
