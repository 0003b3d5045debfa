#pragma once
// The header of a .npy file, believed in nothing.
#include <weft/engine/dtype.hpp>
#include <weft/engine/shape.hpp>
#include <weft/nn/files/detail/byte_source.hpp>

namespace weft::detail {

struct NpyHeader {
  DType dtype = f32;
  bool fortran_order = false;
  Shape shape;
  std::size_t bytes = 0;  ///< of the data, which follow; the source was asked whether it can hold them
};

/// Reads up to the data, of version 1, 2 or 3. Throws Error unless it is a header of an array that a Tensor can hold.
NpyHeader read_npy_header(ByteSource& from);

}  // namespace weft::detail
