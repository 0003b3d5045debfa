#pragma once
// Whether two tensors hold the same bits.
#include <cstring>

#include <weft/engine/tensor.hpp>

inline bool same_bits(const weft::Tensor& a, const weft::Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         std::memcmp(weft::detail::data_of<std::byte>(a), weft::detail::data_of<std::byte>(b),
                     static_cast<std::size_t>(a.size()) * weft::size_of(a.dtype())) == 0;
}
