#include <weft/engine/detail/parallel.hpp>
#include <weft/ops/kernels/reduce/reduce.hpp>
#include <weft/ops/kernels/simd/vector.hpp>

#include <algorithm>
#include <bit>

namespace weft::detail {

namespace {

// Columns side by side; a row is read as so many.
constexpr std::int64_t columns_together = 256, row_strip = 32;

// What is known of a column: the product of all that is not 0, and how many are.
struct Products {
  double of[columns_together], zeros[columns_together];

  explicit Products(std::int64_t width) {
    std::fill_n(of, width, 1.0);
    std::fill_n(zeros, width, 0.0);
  }
  // No branches, so that the compiler makes vectors: a 0 counts as 1, which is the 0 plus 1.
  template <class T>
  void take(const T* x, std::int64_t width) {
    WEFT_INDEPENDENT
    for (std::int64_t i = 0; i < width; ++i) {
      const auto v = static_cast<double>(x[i]);
      const double zero = v == 0 ? 1.0 : 0.0;
      of[i] *= v + zero;
      zeros[i] += zero;
    }
  }
  // The product less the value itself, if there is no zero among the others.
  template <class T>
  void give(const T* x, T* y, std::int64_t width) const {
    WEFT_INDEPENDENT
    for (std::int64_t i = 0; i < width; ++i) {
      const auto v = static_cast<double>(x[i]);
      const double zero = v == 0 ? 1.0 : 0.0;
      const std::uint64_t kept = zeros[i] == zero ? ~std::uint64_t{0} : 0;
      y[i] = static_cast<T>(std::bit_cast<double>(std::bit_cast<std::uint64_t>(of[i] / (v + zero)) & kept));
    }
  }
  // All columns become one.
  void join(std::int64_t width) {
    for (std::int64_t i = 1; i < width; ++i) {
      of[0] *= of[i];
      zeros[0] += zeros[i];
    }
    std::fill_n(of, width, of[0]);
    std::fill_n(zeros, width, zeros[0]);
  }
};

}  // namespace

template <class T>
void product_of_others(const T* x, T* y, Collapsed s) {
  const bool rows = s.inner == 1;
  const std::int64_t strips = (s.inner + columns_together - 1) / columns_together;
  parallel_for(s.outer * strips, grain_for(s.axis * std::min(s.inner, columns_together)),
               [=](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t k = begin; k < end; ++k) {
                   const std::int64_t first = k % strips * columns_together, at = k / strips * s.axis * s.inner + first;
                   const std::int64_t stride = rows ? row_strip : s.inner,
                                      width = rows ? row_strip : std::min(columns_together, s.inner - first);
                   const std::int64_t count = rows ? s.axis / row_strip : s.axis, rest = rows ? s.axis % row_strip : 0;
                   Products products(width);
                   for (std::int64_t a = 0; a < count; ++a) products.take(x + at + a * stride, width);
                   products.take(x + at + count * stride, rest);
                   if (rows) products.join(width);
                   for (std::int64_t a = 0; a < count; ++a)
                     products.give(x + at + a * stride, y + at + a * stride, width);
                   products.give(x + at + count * stride, y + at + count * stride, rest);
                 }
               });
}

template void product_of_others(const float*, float*, Collapsed);
template void product_of_others(const double*, double*, Collapsed);

}  // namespace weft::detail
