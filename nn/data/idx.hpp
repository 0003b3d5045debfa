#pragma once
// The IDX format of the MNIST family of data sets, plain or gzipped.
#include <weft/engine/tensor.hpp>

#include <string>

namespace weft::nn {

/// Reads an IDX file of unsigned bytes (u8), 32-bit integers (i64), floats (f32) or doubles (f64), gzipped or not.
/// Throws Error if the file is missing, cut short, too long or something else. Format: http://yann.lecun.com/exdb/mnist
Tensor read_idx(const std::string& path);

}  // namespace weft::nn
