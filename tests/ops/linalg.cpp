// Linear algebra where matrices are singular, nearly so, have equal singular values or eigenvalues, or are not finite;
// and what of a matrix is read. Ordinary matrices are the op table's.
#include <doctest/doctest.h>
#include <tests/support/array.hpp>
#include <tests/support/message_of.hpp>

#include <cmath>
#include <limits>

#include <weft/engine/backward.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/error.hpp>
#include <weft/engine/gradcheck.hpp>
#include <weft/engine/random.hpp>
#include <weft/ops/ops.hpp>

using namespace weft;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

std::string difference(const Tensor& got, const Tensor& expected, double tolerance = 1e-12) {
  return test::difference(test::array_of(got), test::array_of(expected), tolerance);
}

Tensor slope(const Function& f, const Tensor& at) {
  const Tensor x = parameter(at.clone());
  return grad(sum(f(x)), {x})[0];
}

bool all_finite(const Tensor& t) { return all(isfinite(t)).item() == 1; }
bool none_finite(const Tensor& t) { return any(isfinite(t)).item() == 0; }

// Of rank n - 1, with singular values a long way apart.
Tensor of_rank_less_one(std::int64_t n) {
  Generator generator(5);
  const Tensor q = qr(randn({n, n}, f64, generator))[0], p = qr(randn({n, n}, f64, generator))[0];
  const Tensor values = arange(static_cast<double>(n), f64);
  return matmul(q * values, p);
}

const Tensor singular = tensor({{1, 2}, {2, 4}}, f64), counting = tensor({{1, 2, 3}, {4, 5, 6}, {7, 8, 9}}, f64);

}  // namespace

TEST_CASE("the gradient of det is the matrix of cofactors, of singular matrices too") {
  CHECK(det(singular).item() == 0);
  CHECK(difference(slope(det, singular), tensor({{4, -2}, {-2, 1}}, f64)) == "");
  CHECK(difference(slope(det, tensor({{0, 1}, {0, 0}}, f64)), tensor({{0, 0}, {-1, 0}}, f64)) == "");
  CHECK(difference(slope(det, counting), tensor({{-3, 6, -3}, {6, -12, 6}, {-3, 6, -3}}, f64)) == "");
  CHECK(difference(slope(det, counting.to(f32)), tensor({{-3, 6, -3}, {6, -12, 6}, {-3, 6, -3}}), 1e-5) == "");
  CHECK(difference(slope(det, zeros({1, 1}, f64)), ones({1, 1}, f64)) == "");
  CHECK(difference(slope(det, zeros({2, 2}, f64)), zeros({2, 2}, f64)) == "");
  // Nilpotent: all pivots are 0, though the rank is n - 1.
  Tensor shift = zeros({30, 30}), corner = zeros({30, 30});
  for (std::size_t i = 0; i < 29; ++i) shift.mutable_data<float>()[i * 31 + 1] = 1;
  corner.mutable_data<float>()[29 * 30] = -1;
  CHECK(difference(slope(det, shift), corner, 1e-5) == "");
  CHECK(difference(slope(det, matmul(ones({3, 1}, f64), ones({1, 3}, f64))), zeros({3, 3}, f64)) == "");
}

TEST_CASE("and so are its own gradients") {
  for (const Tensor& a : {singular, counting, of_rank_less_one(4), tensor({{0, 1}, {0, 0}}, f64), zeros({1, 1}, f64),
                          eye(3, f64), stack({counting, eye(3, f64) * 2.0, of_rank_less_one(3)})}) {
    const auto result = gradcheck(det, a, {.order = 3});
    CHECK_MESSAGE(result.ok, result.message);
  }
  for (const Tensor& a : {zeros({2, 2}, f64), zeros({3, 3}, f64), matmul(ones({3, 1}, f64), ones({1, 3}, f64))}) {
    const auto result = gradcheck(det, a, {.order = 2});
    CHECK_MESSAGE(result.ok, result.message);
  }
  // Where A is nearly singular, or only small.
  CHECK(gradcheck(det, counting + eye(3, f64) * 1e-11, {.order = 2}).ok);
  const Tensor small = eye(3, f64) * 1e-6;
  const Tensor x = parameter(small.clone());
  const Tensor first = grad(det(x), {x}, {.create_graph = true})[0];
  CHECK(grad(sum(first * eye(3, f64)), {x})[0].at({0, 0}) == doctest::Approx(2e-6));
}

TEST_CASE("logdet of negative and of no determinant") {
  const Tensor negative = tensor({{-1, 0}, {0, 1}}, f64);
  CHECK(std::isnan(logdet(negative).item()));
  CHECK(difference(slope(logdet, negative), zeros({2, 2}, f64)) == "");
  CHECK(logdet(singular).item() == -infinity);
  CHECK(none_finite(slope(logdet, singular)));
  CHECK(logdet(zeros({2, 2}, f64)).item() == -infinity);
  CHECK(slope(logdet, zeros({1, 1}, f64)).item() == infinity);
  CHECK(std::isnan(logdet(full({2, 2}, not_a_number)).item()));
  CHECK(logdet(eye(300) * 1e-5).item() == doctest::Approx(300 * std::log(1e-5)));
  CHECK(difference(slope(logdet, eye(300) * 1e-5), eye(300) * 1e5, 1e-5) == "");
}

TEST_CASE("singular matrices are errors that say where") {
  const Tensor batch = reshape(stack({eye(2, f64), eye(2, f64), singular, eye(2, f64)}), {2, 2, 2, 2});
  CHECK(message_of([&] { (void)inverse(batch); }) ==
        "inverse: got a singular matrix at {1, 0} of the batch, needs invertible ones");
  CHECK(message_of([&] { (void)solve(singular, ones({2}, f64)); }) ==
        "solve: got a singular matrix, needs invertible ones");
  CHECK(message_of([&] {
          (void)cholesky(reshape(stack({eye(2), eye(2) * -1.0}), {1, 2, 2, 2}));
        }) ==
        "cholesky: got a matrix that is not positive definite at {0, 1} of the batch, needs positive definite ones");
  CHECK(message_of([&] { (void)cholesky(singular); }).rfind("cholesky: got a matrix that is not", 0) == 0);
  CHECK(message_of([&] { (void)cholesky(full({2, 2}, not_a_number)); }).rfind("cholesky: ", 0) == 0);
  for (const double bad : {not_a_number, infinity}) {
    const Tensor rows = stack({eye(3, f64), full({3, 3}, bad, f64), full({3, 3}, bad, f64)});
    CHECK(message_of([&] { (void)svd(rows); }).find("at {1} of the batch") != std::string::npos);
    CHECK(message_of([&] { (void)eigh(rows); }).find("at {1} of the batch") != std::string::npos);
  }
}

TEST_CASE("what is not finite goes through systems of equations") {
  const Tensor bad = full({2, 2}, not_a_number, f64);
  CHECK(none_finite(solve(bad, ones({2}, f64))));
  CHECK(none_finite(inverse(bad)));
  CHECK(std::isnan(det(bad).item()));
  CHECK(none_finite(lstsq(bad, ones({2}, f64))));
  CHECK(none_finite(solve(eye(2, f64), full({2}, infinity, f64))));
  const Tensor mixed = tensor({{infinity, 0}, {0, 0}}, f64);
  CHECK(std::isnan(slope(det, mixed).at({0, 0})));
  const Tensor triangle = tensor({{1, 0}, {1, 0}}, f64);
  CHECK(triangular_solve(triangle, tensor({{1}, {2}}, f64)).at({1, 0}) == infinity);
}

TEST_CASE("nearly singular systems are solved with a small residual") {
  const std::int64_t n = 9;  // the Hilbert matrix, of condition 5e11
  Tensor a = empty({n, n}, f64);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < n; ++j)
      a.mutable_data<double>()[static_cast<std::size_t>(i * n + j)] = 1 / static_cast<double>(i + j + 1);
  const Tensor b = ones({n}, f64), x = solve(a, b);
  CHECK(max(abs(x)).item() > 1e5);
  CHECK(max(abs(matmul(a, x) - b)).item() < 1e-8);
  CHECK(all_finite(slope([&](const Tensor& t) { return solve(t, b); }, a)));
  const Tensor l = cholesky(a);
  CHECK(difference(matmul(l, transpose(l)), a, 1e-15) == "");
}

TEST_CASE("one triangle is read") {
  Generator generator(3);
  const Tensor a = eye(4, f64) * 5.0 + randn({4, 4}, f64, generator);
  const Tensor symmetric = tensor(
      [&] {
        std::vector<double> values;
        for (int i = 0; i < 4; ++i)
          for (int j = 0; j < 4; ++j) values.push_back(a.at({std::max(i, j), std::min(i, j)}));
        return values;
      }(),
      {4, 4}, f64);
  CHECK(difference(cholesky(a), cholesky(symmetric), 0) == "");
  CHECK(difference(eigh(a)[0], eigh(symmetric)[0], 0) == "");
  for (const Function& f : {Function(cholesky), Function([](const Tensor& t) { return eigh(t)[1]; })}) {
    const Tensor g = slope(f, a);
    CHECK(difference(g, transpose(g), 1e-13) == "");
  }
  Tensor dirty = a.clone();
  dirty.mutable_data<double>()[1] = not_a_number;  // above the diagonal
  CHECK(all_finite(triangular_solve(dirty, eye(4, f64))));
  CHECK(all_finite(cholesky(dirty)));
  CHECK(all_finite(eigh(dirty)[1]));
  CHECK(slope([](const Tensor& t) { return triangular_solve(t, eye(4, f64)); }, dirty).at({0, 1}) == 0);
}

TEST_CASE("equal singular values and eigenvalues") {
  const Tensor one = eye(3, f64);
  const Tensor weights = reshape(arange(9.0, f64), {3, 3});
  CHECK(difference(slope([](const Tensor& a) { return svd(a)[1]; }, one), one) == "");
  CHECK(difference(slope([](const Tensor& a) { return eigh(a)[0]; }, one), one) == "");
  CHECK_FALSE(all_finite(slope([&](const Tensor& a) { return svd(a)[0] * weights; }, one)));
  CHECK_FALSE(all_finite(slope([&](const Tensor& a) { return eigh(a)[1] * weights; }, one)));
  // The sum of the singular values where some are 0, of tall and wide matrices.
  for (const Shape& shape : {Shape{4, 2}, Shape{2, 4}}) {
    const Tensor g = slope([](const Tensor& a) { return svd(a)[1]; }, zeros(shape, f64));
    CHECK(all_finite(g));
    CHECK(difference(svd(g)[1], ones({2}, f64)) == "");
    CHECK_FALSE(all_finite(slope([](const Tensor& a) { return matmul(svd(a)[0], svd(a)[2]); }, zeros(shape, f64))));
  }
}

TEST_CASE("qr has the signs of Householder's reflections") {
  const Tensors parts = qr(tensor({{3}, {4}}, f64));
  CHECK(difference(parts[0], tensor({{-0.6}, {-0.8}}, f64)) == "");
  CHECK(difference(parts[1], tensor({{-5}}, f64)) == "");
  CHECK(difference(qr(tensor({{3}}, f64))[1], tensor({{3}}, f64)) == "");
  const Tensor wide = of_rank_less_one(4), q = qr(wide)[0];
  CHECK(difference(matmul(q, qr(wide)[1]), wide) == "");
  CHECK(difference(matmul(transpose(q), q), eye(4, f64)) == "");
  CHECK_FALSE(all_finite(slope([](const Tensor& a) { return qr(a)[0]; }, zeros({3, 2}, f64))));
}

TEST_CASE("least squares of less than full rank") {
  CHECK(difference(lstsq(zeros({3, 2}, f64), ones({3}, f64)), zeros({2}, f64)) == "");
  CHECK(difference(lstsq(ones({3, 2}, f64), tensor({1, 2, 6}, f64)), tensor({1.5, 1.5}, f64)) == "");
  CHECK(difference(lstsq(ones({2, 3}), tensor({1, 2})), tensor({0.5, 0.5, 0.5}), 1e-6) == "");
  // One matrix of a batch.
  const Tensor batch = stack({ones({3, 2}, f64), eye(3, 2, f64)});
  CHECK(difference(lstsq(batch, reshape(tensor({1, 2, 6}, f64), {3, 1})), tensor({1.5, 1.5, 1, 2}, {2, 2, 1}, f64)) ==
        "");
  // Below the threshold a direction does not count, above it does.
  const auto second = [](double size) { return lstsq(tensor({{1, 0}, {0, size}}, f64), ones({2}, f64)).at({1}); };
  CHECK(second(1e-16) == 0);
  CHECK(second(1e-15) == doctest::Approx(1e15));
  // A triangle whose diagonal hides that it is singular.
  const std::int64_t n = 80;
  const Tensor hidden = where(equal(arange(n, f64), reshape(arange(n, f64), {n, 1})), 1.0,
                              where(less(arange(n, f64), reshape(arange(n, f64), {n, 1})), zeros({n, n}, f64), -1.0));
  CHECK(max(abs(lstsq(hidden, ones({n}, f64)))).item() < 10);
}

TEST_CASE("a solution is the same alone and in a batch, with broadcast sides") {
  Generator generator(7);
  const Tensor a = randn({3, 1, 5, 5}, f64, generator) + eye(5, f64) * 3.0, b = randn({4, 5, 2}, f64, generator);
  const Tensor x = solve(a, b), y = lstsq(a, b), z = triangular_solve(a, b, {.upper = true});
  CHECK(x.shape() == Shape{3, 4, 5, 2});
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 4; ++j) {
      CHECK(difference(x[i][j], solve(a[i][0], b[j])) == "");
      CHECK(difference(y[i][j], x[i][j]) == "");
      CHECK(difference(z[i][j], triangular_solve(a[i][0], b[j], {.upper = true})) == "");
    }
}

TEST_CASE("a matrix that is square is taken for vectors where its shape says so") {
  const Tensor a = stack({eye(2, f64), eye(2, f64) * 2.0}), b = tensor({{2, 4}, {6, 8}}, f64);
  CHECK(difference(solve(a, b), tensor({{2, 4}, {3, 4}}, f64)) == "");
}
