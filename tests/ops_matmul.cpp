// Products of a matrix with parts of itself: libraries that compare pointers only take them for A A'.
#include <doctest/doctest.h>
#include <tests/support/array.hpp>

#include <weft/engine/create.hpp>
#include <weft/engine/random.hpp>
#include <weft/ops/matmul.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/reshape.hpp>

using namespace weft;
using weft::test::Array;
using weft::test::Index;

namespace {

Array product(const Array& a, const Array& b) {
  return Array({a.shape[0], b.shape[1]}, [&](const Index& i) {
    double total = 0;
    for (std::int64_t k = 0; k < a.shape[1]; ++k) total += a({i[0], k}) * b({k, i[1]});
    return total;
  });
}

}  // namespace

TEST_CASE("a matrix times the transpose of its own first rows") {
  manual_seed(1);
  const Tensor a = randn({4, 6}, f64);
  const Tensor part = transpose(slice(a, 0, 0, 2));
  const Tensor c = matmul(a, part);
  CHECK(c.shape() == Shape{4, 2});
  CHECK(test::difference(Array(c), product(Array(a), Array(part)), 1e-14) == "");
}

TEST_CASE("operands that share storage") {
  manual_seed(2);
  const Tensor a = randn({4, 6}, f64);
  const Tensor same = reshape(a, {6, 4});  // the same memory, another matrix
  CHECK(test::difference(Array(matmul(a, same)), product(Array(a), Array(same)), 1e-14) == "");
  CHECK(test::difference(Array(matmul(a, transpose(a))), product(Array(a), Array(transpose(a))), 1e-14) == "");
  const Tensor square = randn({5, 5}, f64);
  CHECK(test::difference(Array(matmul(square, square)), product(Array(square), Array(square)), 1e-14) == "");
}

TEST_CASE("both gradients reach a matrix that is both operands") {
  const Tensor a = parameter(tensor({1, 2, 3, 4}, {2, 2}, f64));
  sum(matmul(a, a)).backward();
  // d sum(A A) / dA[i, j] is the sum of row j plus the sum of column i.
  CHECK(test::difference(Array(a.grad()), Array(tensor({7, 11, 9, 13}, {2, 2}, f64)), 1e-14) == "");
}

TEST_CASE("a product over nothing is zero") {
  const Tensor a = parameter(zeros({2, 0}, f64));
  const Tensor c = matmul(a, zeros({0, 3}, f64));
  CHECK(test::difference(Array(c), Array(zeros({2, 3}, f64)), 0) == "");
  sum(c).backward();
  CHECK(a.grad().shape() == Shape{2, 0});
}
