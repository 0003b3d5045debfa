// matmul and linear beside plain loops: every form, batches that broadcast, sizes of zero, work for several threads;
// and products of a matrix with parts of itself, which libraries that compare pointers only take for A A'.
#include <doctest/doctest.h>
#include <tests/support/bilinear.hpp>

#include <weft/engine/backward.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/error.hpp>
#include <weft/engine/random.hpp>
#include <weft/ops/kernels/linalg/gemm.hpp>
#include <weft/ops/matmul.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/reshape.hpp>

using namespace weft;
using weft::test::Array;
using weft::test::check_bilinear;
using weft::test::drawn;
using weft::test::Index;
using weft::test::pick;
using weft::test::Products;
using weft::test::Sums;
using weft::test::to_tensor;

namespace {

// A shape as a batch of matrices: vectors are one row on the left, one column on the right.
struct Matrices {
  Shape batch;
  std::int64_t rows, columns;
  Matrices(Shape shape, bool right) : batch(shape), rows(1), columns(1) {
    columns = right && shape.rank() == 1 ? 1 : shape[shape.rank() - 1];
    if (right && shape.rank() == 1) rows = shape[0];
    if (shape.rank() > 1) rows = shape[shape.rank() - 2];
    for (int i = 0; i < std::min(shape.rank(), 2); ++i) batch.erase(batch.rank() - 1);
  }
  // Where the matrix for a batch's index begins.
  std::int64_t begin(const Index& index) const {
    std::int64_t at = 0;
    const std::size_t lead = index.size() - static_cast<std::size_t>(batch.rank());
    for (int i = 0; i < batch.rank(); ++i)
      at = at * batch[i] + (batch[i] == 1 ? 0 : index[lead + static_cast<std::size_t>(i)]);
    return at * rows * columns;
  }
};

Shape product_shape(const Shape& a, const Shape& b) {
  const Matrices left(a, false), right(b, true);
  Shape shape = test::broadcast({test::zeros_of(left.batch), test::zeros_of(right.batch)});
  if (a.rank() > 1) shape.append(left.rows);
  if (b.rank() > 1) shape.append(right.columns);
  return shape;
}

double at(const Array& a, std::int64_t i) { return a.storage()[static_cast<std::size_t>(i)]; }

Products multiplied(const Array& a, const Array& b, const Array& g) {
  Products sums{Sums(product_shape(test::shape_of(a), test::shape_of(b))), Sums(test::shape_of(a)),
                Sums(test::shape_of(b))};
  const Matrices left(test::shape_of(a), false), right(test::shape_of(b), true);
  std::int64_t in_y = 0;
  test::for_each_index(
      test::broadcast({test::zeros_of(left.batch), test::zeros_of(right.batch)}), [&](const Index& index) {
        const std::int64_t begin_a = left.begin(index), begin_b = right.begin(index);
        for (std::int64_t i = 0; i < left.rows; ++i)
          for (std::int64_t j = 0; j < right.columns; ++j, ++in_y)
            for (std::int64_t k = 0; k < right.rows; ++k) {
              const std::int64_t in_a = begin_a + i * right.rows + k, in_b = begin_b + k * right.columns + j;
              sums.y.add(in_y, at(a, in_a) * at(b, in_b));
              sums.a.add(in_a, at(g, in_y) * at(b, in_b));
              sums.b.add(in_b, at(g, in_y) * at(a, in_a));
            }
      });
  return sums;
}

void check(const Shape& a, const Shape& b, const test::BilinearOp& op = matmul, int order = 2) {
  std::mt19937_64 engine(3);
  const Array left = drawn(a, engine), right = drawn(b, engine), g = drawn(product_shape(a, b), engine);
  INFO(detail::to_text(a), " times ", detail::to_text(b));
  CHECK(check_bilinear(op, multiplied, left, right, g, order) == "");
}

Array product(const Array& a, const Array& b) {
  return test::indexed({test::shape_of(a)[0], test::shape_of(b)[1]}, [&](const Index& i) {
    double total = 0;
    for (std::int64_t k = 0; k < static_cast<std::int64_t>(a.shape(1)); ++k) total += a(i[0], k) * b(k, i[1]);
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
  CHECK(test::difference(test::array_of(c), product(test::array_of(a), test::array_of(part)), 1e-14) == "");
}

TEST_CASE("gradients of a matrix times its own transpose and its own rows") {
  std::mt19937_64 engine(4);
  const Array values = drawn({5, 7}, engine);
  for (const std::int64_t rows : {5, 2})
    for (const DType dtype : {f64, f32}) {
      const Array first = test::indexed({7, rows}, [&](const Index& i) { return values(i[1], i[0]); });
      const Array g = drawn({5, rows}, engine);
      const Products expected = multiplied(values, first, g);
      Sums both = expected.a;
      test::for_each_index({7, rows}, [&](const Index& i) {
        const auto from = static_cast<std::size_t>(i[0] * rows + i[1]), to = static_cast<std::size_t>(i[1] * 7 + i[0]);
        both.value[to] += expected.b.value[from];
        both.size[to] += expected.b.size[from];
      });
      const Tensor a = parameter(to_tensor(values, dtype));
      const Tensor y = matmul(a, transpose(slice(a, 0, 0, rows)));
      CHECK(test::difference(y, expected.y) == "");
      CHECK(test::difference(grad(y, {a}, {.grad_outputs = {to_tensor(g, dtype)}})[0], both) == "");
    }
}

TEST_CASE("operands that share storage") {
  manual_seed(2);
  const Tensor a = randn({4, 6}, f64);
  const Tensor same = reshape(a, {6, 4});  // the same memory, another matrix
  CHECK(test::difference(test::array_of(matmul(a, same)), product(test::array_of(a), test::array_of(same)), 1e-14) ==
        "");
  CHECK(test::difference(test::array_of(matmul(a, transpose(a))),
                         product(test::array_of(a), test::array_of(transpose(a))), 1e-14) == "");
  const Tensor square = randn({5, 5}, f64);
  CHECK(test::difference(test::array_of(matmul(square, square)),
                         product(test::array_of(square), test::array_of(square)), 1e-14) == "");
}

TEST_CASE("both gradients reach a matrix that is both operands") {
  const Tensor a = parameter(tensor({1, 2, 3, 4}, {2, 2}, f64));
  sum(matmul(a, a)).backward();
  // d sum(A A) / dA[i, j] is the sum of row j plus the sum of column i.
  CHECK(test::difference(test::array_of(a.grad()), test::array_of(tensor({7, 11, 9, 13}, {2, 2}, f64)), 1e-14) == "");
}

// The first gradients are a' g and g b', the second ones have the transposed operand on the other side.
TEST_CASE("every form of a product") {
  const std::pair<Shape, Shape> shapes[] = {
      {{5}, {5}},
      {{5}, {5, 3}},
      {{4, 5}, {5}},
      {{4, 5}, {5, 3}},
      {{1, 5}, {5, 1}},
      {{4, 1}, {1, 3}},
      {{5}, {2, 5, 3}},
      {{2, 4, 5}, {5}},
      {{2, 3, 4, 5}, {5}},
      {{2, 4, 5}, {5, 3}},
      {{2, 3, 4, 5}, {5, 6}},
      {{2, 4, 5}, {2, 5, 3}},
      {{4, 5}, {2, 5, 3}},
      {{4, 5}, {3, 2, 5, 3}},
      {{1, 4, 5}, {3, 5, 2}},
      {{3, 4, 5}, {1, 5, 2}},
      {{2, 1, 4, 5}, {3, 5, 2}},
      {{3, 4, 5}, {2, 1, 5, 2}},
      {{2, 3, 4, 5}, {2, 1, 5, 6}},
      {{2, 1, 4, 5}, {1, 3, 5, 6}},
      {{2, 3, 4, 5}, {3, 5, 6}},
      {{2, 1, 3, 1, 2, 3}, {4, 1, 2, 3, 2}},
      {{1, 1, 4, 5}, {1, 5, 2}},
  };
  for (const auto& [a, b] : shapes) check(a, b);
}

TEST_CASE("sizes of zero") {
  const std::pair<Shape, Shape> shapes[] = {
      {{2, 0}, {0, 3}},
      {{0, 4}, {4, 3}},
      {{2, 4}, {4, 0}},
      {{0, 0}, {0, 0}},
      {{0}, {0}},
      {{0}, {0, 3}},
      {{2, 0}, {0}},
      {{0, 4}, {4}},
      {{2, 3, 0}, {2, 0, 4}},
      {{2, 0, 3}, {2, 3, 4}},
      {{2, 4, 3}, {2, 3, 0}},
      {{0, 2, 3}, {0, 3, 4}},
      {{0, 2, 3}, {3, 4}},
      {{0, 2, 3}, {1, 3, 4}},
      {{2, 3}, {0, 3, 4}},
      {{1, 2, 0}, {3, 0, 4}},
      {{3}, {0, 3, 4}},
      {{0}, {2, 0, 4}},
  };
  for (const auto& [a, b] : shapes) check(a, b);
}

TEST_CASE("a sweep over sizes") {
  std::mt19937_64 engine(19);
  for (int tried = 0; tried < 200; ++tried) {
    const auto of = [&](std::initializer_list<std::int64_t> choices) { return pick(engine, choices); };
    const std::int64_t m = of({1, 2, 3, 7, 9, 16, 17, 31}), k = of({0, 1, 2, 5, 8, 15, 33}),
                       n = of({1, 2, 3, 6, 8, 17, 30});
    Shape a, b;
    const auto axes = static_cast<int>(of({0, 1, 2, 3}));
    for (int axis = 0; axis < axes; ++axis) {
      const std::int64_t size = of({1, 2, 3}), kind = of({0, 0, 1, 2});
      if (kind != 1) a.append(size);
      if (kind == 1 && a.rank() > 0) a.append(1);  // or left out, where there is none before it
      if (kind != 2) b.append(size);
      if (kind == 2 && b.rank() > 0) b.append(1);
    }
    if (of({0, 1, 2, 3}) == 0) b = {};
    a.append(m);
    a.append(k);
    b.append(k);
    b.append(n);
    check(a, b);
  }
}

TEST_CASE("work for several threads") {
  const std::pair<Shape, Shape> shapes[] = {
      {{65, 19, 33}, {65, 33, 25}},    // batches shared out in parts of more than one
      {{3, 103, 101}, {1, 101, 102}},  // and of one
      {{1, 131, 127}, {1, 127, 129}},  // fewer products than threads
      {{2, 67, 129}, {129, 133}},      // folded into rows
  };
  for (const auto& [a, b] : shapes) check(a, b, matmul, 1);
}

TEST_CASE("linear") {
  const auto without_bias = [](const Tensor& x, const Tensor& w) { return linear(x, w); };
  for (const auto& [x, w] : std::initializer_list<std::pair<Shape, Shape>>{{{4}, {4, 3}},
                                                                           {{7, 5}, {5, 9}},
                                                                           {{2, 3, 4}, {4, 5}},
                                                                           {{2, 0, 4}, {4, 5}},
                                                                           {{3, 0}, {0, 5}},
                                                                           {{3, 4}, {4, 0}}}) {
    check(x, w, without_bias);
    const std::int64_t out = w[1];
    // The bias shifts every row and changes neither gradient of the factors.
    std::mt19937_64 engine(5);
    const Array bias = drawn({out}, engine);
    const auto shifted = [&bias](const Tensor& a, const Tensor& b) { return linear(a, b, to_tensor(bias, a.dtype())); };
    const auto plain = [&bias](const Array& a, const Array& b, const Array& g) {
      Products sums = multiplied(a, b, g);
      for (std::int64_t i = 0; i < std::ssize(g.storage()); ++i)
        sums.y.add(i, at(bias, i % std::ssize(bias.storage())));
      return sums;
    };
    const Array a = drawn(x, engine), b = drawn(w, engine), g = drawn(product_shape(x, w), engine);
    CHECK(check_bilinear(shifted, plain, a, b, g, 1) == "");
    for (const DType dtype : {f64, f32}) {
      Sums wanted({out});
      for (std::int64_t i = 0; i < std::ssize(g.storage()); ++i)
        wanted.add(i % out, g.storage()[static_cast<std::size_t>(i)]);
      const Tensor c = parameter(to_tensor(bias, dtype));
      const Tensor y = linear(to_tensor(a, dtype), to_tensor(b, dtype), c);
      CHECK(test::difference(grad(y, {c}, {.grad_outputs = {to_tensor(g, dtype)}})[0], wanted) == "");
    }
  }
}

// c = a b + beta c, all operands rows of wider matrices: by OpenBLAS, by small tiles (one part of the sum and two), and
// the largest shared out to two threads.
TEST_CASE_TEMPLATE("the product of matrices in memory", T, float, double) {
  const std::int64_t sizes[][3] = {{5, 7, 0},   {1, 1, 1},    {5, 1, 7},     {7, 30, 5},     {13, 9, 6},
                                   {32, 17, 8}, {60, 33, 64}, {49, 21, 500}, {130, 111, 150}};
  for (const auto& size : sizes)
    for (const int form : {0, 1, 2, 3})
      for (const double beta : {0.0, 1.0, -0.5}) {
        const std::int64_t m = size[0], n = size[1], k = size[2];
        const bool trans_a = form % 2 == 1, trans_b = form > 1;
        const std::int64_t step_a = (trans_a ? m : k) + 2, step_b = (trans_b ? k : n) + 3, step_c = n + 4;
        std::mt19937_64 engine(9);
        const Array a = drawn({trans_a ? k : m, step_a}, engine), b = drawn({trans_b ? n : k, step_b}, engine),
                    c = drawn({m, step_c}, engine);
        Sums wanted(test::shape_of(c));
        for (std::int64_t i = 0; i < std::ssize(c.storage()); ++i) {
          const std::int64_t row = i / step_c, column = i % step_c;
          wanted.add(i, at(c, i) * (column < n ? beta : 1));
          for (std::int64_t l = 0; column < n && l < k; ++l)
            wanted.add(i, at(a, trans_a ? l * step_a + row : row * step_a + l) *
                              at(b, trans_b ? column * step_b + l : l * step_b + column));
        }
        const auto in_type = [](const Array& of) { return std::vector<T>(of.storage().begin(), of.storage().end()); };
        const std::vector<T> left = in_type(a), right = in_type(b);
        for (const int threads : {1, 2}) {
          const testing::Threads count(threads);
          std::vector<T> got = in_type(c);
          detail::gemm<T>(trans_a, trans_b, m, n, k, left.data(), step_a, right.data(), step_b, static_cast<T>(beta),
                          got.data(), step_c);
          INFO(m, "x", k, " times ", k, "x", n, ", form ", form, ", beta ", beta, ", threads: ", threads);
          const std::vector<double> numbers(got.begin(), got.end());
          CHECK(test::difference(numbers, wanted, sizeof(T) == 4 ? 1e-6 : 1e-14) == "");
        }
      }
}

TEST_CASE("a product that does not read what it overwrites") {
  for (const std::int64_t k : {0, 3}) {
    const Array a = test::array_of(ones({2, k}, f64)), b = test::array_of(ones({k, 2}, f64));
    Array c = test::array_of(full({2, 2}, std::numeric_limits<double>::quiet_NaN(), f64));
    detail::gemm<double>(false, false, 2, 2, k, a.storage().data(), k, b.storage().data(), 2, 0, c.storage().data(), 2);
    CHECK(test::difference(c, test::array_of(full({2, 2}, static_cast<double>(k), f64)), 0) == "");
  }
}
