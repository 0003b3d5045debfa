#pragma once
// NumPy's files: one array (.npy), arrays by name (.npz).
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#include <weft/nn/named_tensors.hpp>

namespace weft::nn {

/// Writes what numpy.save would, in C order. The file is written aside, synced and renamed: one of this name is there
/// whole or as it was. Throws Error if it cannot be written.
void save_npy(const std::string& path, const Tensor& t);

/// Reads an array of dtype f4 (f32), f8 (f64), i8 (i64), u1 or b1 (u8), in C or Fortran order, gzipped or not. The file
/// need not be trusted: its header is checked against its size before memory is taken. Throws Error for anything else;
/// other dtypes are named.
Tensor load_npy(const std::string& path);

struct NpzOptions {
  bool compressed = false;  ///< as numpy.savez_compressed writes
};

/// Writes what numpy.savez would, in the order given and with the same bytes every time; otherwise as save_npy. Throws
/// Error too if a name stands twice, is not UTF-8 or holds a zero byte.
void save_npz(const std::string& path, const NamedTensors& tensors, const NpzOptions& options = {});

/// All arrays of a file by numpy.savez or numpy.savez_compressed, in its order, each as load_npy reads it. Checksums
/// are compared. Throws Error naming the array that is wrong.
NamedTensors load_npz(const std::string& path);

/// One of them; the others are not read. Throws Error if there is none of that name.
Tensor load_npz(const std::string& path, const std::string& name);

}  // namespace weft::nn
