// Changes in place beside plain loops: every dtype, sizes around a vector's and a thread's, operands of one element and
// the tensor itself.
#include <doctest/doctest.h>
#include <weft/engine/create.hpp>
#include <weft/engine/tensor.hpp>

#include <vector>

using namespace weft;

namespace {

// Values that every dtype holds, and so small that no result leaves u8.
double a_at(std::int64_t i) { return static_cast<double>(i % 7); }
double b_at(std::int64_t i) { return static_cast<double>(1 + i % 5); }

template <class F>
Tensor made(std::int64_t n, DType dtype, F value) {
  std::vector<double> values(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) values[static_cast<std::size_t>(i)] = value(i);
  return tensor(std::span<const double>(values), {n}, f64).to(dtype);
}

// How many elements of t differ from value(i).
template <class F>
std::int64_t wrong(const Tensor& t, F value) {
  const Tensor wide = t.to(f64);
  const auto got = wide.data<double>();
  std::int64_t count = 0;
  for (std::int64_t i = 0; i < t.size(); ++i) count += got[static_cast<std::size_t>(i)] == value(i) ? 0 : 1;
  return count;
}

}  // namespace

TEST_CASE("changes in place are those of plain loops") {
  for (const DType dtype : {f32, f64, i64, u8}) {
    for (const std::int64_t n : {0, 1, 3, 16, 37, 300'001}) {
      CAPTURE(dtype);
      CAPTURE(n);
      const Tensor b = made(n, dtype, b_at), one = made(1, dtype, [](std::int64_t) { return 3.0; });
      Tensor a = made(n, dtype, a_at);
      CHECK(wrong(a.add_(b), [](std::int64_t i) { return a_at(i) + b_at(i); }) == 0);
      CHECK(wrong(a.copy_(b), b_at) == 0);
      CHECK(wrong(a.mul_(b), [](std::int64_t i) { return b_at(i) * b_at(i); }) == 0);
      CHECK(wrong(a.add_(b, 2.0), [](std::int64_t i) { return b_at(i) * (b_at(i) + 2); }) == 0);
      CHECK(wrong(a.add_(one, 2.0), [](std::int64_t i) { return b_at(i) * (b_at(i) + 2) + 6; }) == 0);
      CHECK(wrong(a.copy_(one), [](std::int64_t) { return 3.0; }) == 0);
      CHECK(wrong(a.add_(a).mul_(one), [](std::int64_t) { return 18.0; }) == 0);
      CHECK(wrong(a.add_(2.0).mul_(3.0), [](std::int64_t) { return 60.0; }) == 0);
      CHECK(wrong(a.fill_(5.0), [](std::int64_t) { return 5.0; }) == 0);
      CHECK(wrong(b, b_at) == 0);
    }
  }
}

TEST_CASE("an operand of one element may have any rank") {
  Tensor a = zeros({2, 3}, f64);
  a.add_(full({1, 1, 1}, 2.0, f64)).mul_(full({}, 4.0, f64));
  CHECK(wrong(a, [](std::int64_t) { return 8.0; }) == 0);
}
