#include <tests/support/sums.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/error.hpp>

#include <cstring>

namespace weft::test {

Sums operator+(Sums a, const Sums& b) {
  for (std::size_t i = 0; i < a.value.size(); ++i) {
    a.value[i] += b.value[i];
    a.size[i] += b.size[i];
  }
  return a;
}

std::string difference(std::span<const double> got, const Sums& expected, double tolerance) {
  if (got.size() != expected.value.size())
    return detail::to_text(got.size()) + " elements, expected " + detail::to_text(expected.value.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    // So that nan is a difference too.
    if (std::abs(got[i] - expected.value[i]) <= tolerance * expected.size[i]) continue;
    return "element " + std::to_string(i) + " is " + detail::to_text(got[i]) + ", expected " +
           detail::to_text(expected.value[i]) + " from terms of " + detail::to_text(expected.size[i]);
  }
  return {};
}

std::string difference(const Tensor& got, const Sums& expected) {
  if (!got.defined()) return "undefined";
  if (got.shape() != expected.shape)
    return "shape " + detail::to_text(got.shape()) + ", expected " + detail::to_text(expected.shape);
  return difference(array_of(got).storage(), expected, sum_tolerance(got.dtype()));
}

Array drawn(const Shape& shape, std::mt19937_64& engine) {
  Array a = zeros_of(shape);
  for (double& v : a.storage()) {
    const auto bits = engine();
    v = (0.5 + static_cast<double>(bits >> 12U) * 0x1p-52) * (bits % 2 == 0 ? 1 : -1);
  }
  return a;
}

Tensor to_tensor(const Array& a, DType dtype) { return tensor(a.storage(), shape_of(a), dtype); }

bool same_bits(const Tensor& a, const Tensor& b) {
  const Array left = array_of(a), right = array_of(b);
  return a.dtype() == b.dtype() && shape_of(left) == shape_of(right) &&
         (left.storage().empty() ||
          std::memcmp(left.storage().data(), right.storage().data(), left.storage().size() * sizeof(double)) == 0);
}

}  // namespace weft::test
