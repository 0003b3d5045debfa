#pragma once
// Choosing by masks: what is not 0 is chosen, in row-major order.
#include <cstdint>
#include <vector>

namespace weft::detail {

/// How many elements of x are chosen before each of its blocks, and at the end how many in all: what the kernels below
/// need. T is float, double, int64_t or uint8_t.
template <class T>
std::vector<std::int64_t> chosen_before(const T* x, std::int64_t n);

/// out (chosen, rank): where each is in an array of this shape.
template <class T>
void chosen_indices(const T* x, const std::vector<std::int64_t>& before, const std::int64_t* shape, int rank,
                    std::int64_t* out);

/// y[k] = the k-th chosen element of x; x and the mask have n elements. `width` is the element size, 1, 4 or 8 bytes.
void masked_take(const void* x, const std::uint8_t* mask, const std::vector<std::int64_t>& before, std::int64_t n,
                 void* y, int width);

/// The reverse: y, of n elements, is zeros with x[k] at the k-th chosen place.
void masked_place(const void* x, const std::uint8_t* mask, const std::vector<std::int64_t>& before, std::int64_t n,
                  void* y, int width);

}  // namespace weft::detail
