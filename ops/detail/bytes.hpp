#pragma once
// A tensor as bytes, for what moves elements whatever they are.
#include <weft/engine/tensor.hpp>

#include <cstddef>

namespace weft::detail {

inline const void* bytes_of(const Tensor& t) { return data_of<std::byte>(t); }
inline void* mutable_bytes_of(Tensor& t) { return mutable_data_of<std::byte>(t); }
/// Bytes of one element.
inline int width_of(const Tensor& t) { return static_cast<int>(size_of(t.dtype())); }

}  // namespace weft::detail
