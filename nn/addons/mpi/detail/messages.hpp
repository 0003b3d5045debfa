#pragma once
// MPI's calls in the form in which they are needed here.
#include <weft/engine/tensor.hpp>

#include <mpi.h>
#include <span>

namespace weft::mpi {

inline MPI_Datatype type_of(DType dtype) {
  switch (dtype) {
    case DType::f32: return MPI_FLOAT;
    case DType::f64: return MPI_DOUBLE;
    case DType::i64: return MPI_INT64_T;
    case DType::u8: break;
  }
  return MPI_UINT8_T;
}

/// Sends bytes of one rank to all, in pieces that MPI's counts can hold.
void broadcast_bytes(std::span<std::byte> bytes, int from);

/// Gives all ranks the first one's elements, in place.
void broadcast_values(Tensor& t);

/// Adds up parts[0], parts[1], ... of `size` elements each in this order into the first.
template <class T>
void add_in_order(T* parts, std::size_t size, int count) {
  for (int part = 1; part < count; ++part) {
    const T* const next = parts + static_cast<std::size_t>(part) * size;
    for (std::size_t i = 0; i < size; ++i) parts[i] += next[i];
  }
}

}  // namespace weft::mpi
