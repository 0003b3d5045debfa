// Lanczos's method, spectral density and trace against matrices whose eigenvalues are known, and the Hessian of nets.
#include <doctest/doctest.h>
#include <tests/support/message_of.hpp>
#include <weft/weft.hpp>

#include <algorithm>
#include <cmath>

using namespace weft;

namespace {

Tensor symmetric(std::int64_t n, Generator& generator) {
  const Tensor a = randn({n, n}, f64, generator);
  return (a + transpose(a)) / std::sqrt(2.0 * static_cast<double>(n));
}
nn::MatVec times(Tensor a) {
  return [a = std::move(a)](const Tensor& v) { return matmul(a, v); };
}
std::vector<double> eigenvalues(const Tensor& a) {
  const Tensor values = eigh(a)[0];
  return {values.data<double>().begin(), values.data<double>().end()};
}
double share(const std::vector<double>& values, double low, double high) {
  const auto inside = std::ranges::count_if(values, [&](double v) { return v >= low && v <= high; });
  return static_cast<double>(inside) / static_cast<double>(values.size());
}
double sum_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return sum;
}
double furthest(const Tensor& a, const Tensor& b) { return max(abs(a - b)).item(); }

}  // namespace

TEST_CASE("the outer Ritz values are eigenvalues of random symmetric matrices") {
  Generator draws(1);
  for (const std::int64_t n : {2, 30, 200}) {
    const Tensor a = symmetric(n, draws);
    const std::vector<double> exact = eigenvalues(a);
    const nn::Tridiagonal t = nn::lanczos(times(a), n, 120, f64, draws);
    REQUIRE(t.values.size() == static_cast<std::size_t>(std::min<std::int64_t>(n, 120)));
    CHECK(t.values.front() == doctest::Approx(exact.front()).epsilon(1e-8));
    CHECK(t.values.back() == doctest::Approx(exact.back()).epsilon(1e-8));
    CHECK(sum_of(t.weights) == doctest::Approx(1).epsilon(1e-12));
    const Tensor u = t.vector(-1);
    CHECK(furthest(matmul(a, u), t.values.back() * u) < 1e-6);
  }
}

TEST_CASE("the basis is orthonormal and A in it has three diagonals") {
  Generator draws(2);
  const Tensor a = symmetric(60, draws);
  const nn::Tridiagonal t = nn::lanczos(times(a), 60, 25, f64, draws);
  CHECK(furthest(matmul(t.basis, transpose(t.basis)), eye(25, f64)) < 1e-13);
  const Tensor inside = matmul(matmul(t.basis, a), transpose(t.basis));
  for (std::int64_t i = 0; i < 25; ++i)
    for (std::int64_t j = 0; j < 25; ++j) {
      const double wanted = i == j                 ? t.diagonal[static_cast<std::size_t>(i)]
                            : std::abs(i - j) == 1 ? t.beside[static_cast<std::size_t>(std::min(i, j))]
                                                   : 0;
      CHECK(std::abs(inside.at({i, j}) - wanted) < 1e-12);
    }
  for (std::int64_t i = 0; i < 25; ++i) {  // each residual is the length that it says
    const Tensor u = t.vector(i), left = matmul(a, u) - t.values[static_cast<std::size_t>(i)] * u;
    CHECK(norm(left).item() == doctest::Approx(t.residuals[static_cast<std::size_t>(i)]).epsilon(1e-8));
  }
}

TEST_CASE("Gauss's quadrature is exact for powers below 2m") {
  Generator draws(3);
  const Tensor a = symmetric(40, draws), v = randn({40}, f64, draws);
  for (const std::int64_t m : {1, 2, 5, 9}) {
    const nn::Tridiagonal t = nn::lanczos(times(a), v, m);
    Tensor power = v;
    for (std::int64_t k = 0; k <= 2 * m; ++k) {
      double by_nodes = 0;
      for (std::size_t i = 0; i < t.values.size(); ++i)
        by_nodes += t.weights[i] * std::pow(t.values[i], static_cast<double>(k));
      const double exact = (dot(v, power) / dot(v, v)).item();
      if (k < 2 * m)
        CHECK(std::abs(by_nodes - exact) < 1e-10);
      else
        CHECK(std::abs(by_nodes - exact) > 1e-10);  // and no further
      power = matmul(a, power);
    }
  }
}

TEST_CASE("a space that A keeps ends the method early with exact eigenvalues") {
  Generator draws(4);
  SUBCASE("clusters on the diagonal") {
    Tensor d = zeros({90}, f64);
    for (std::int64_t i = 0; i < 90; ++i)
      d.mutable_data<double>()[static_cast<std::size_t>(i)] = i < 70 ? 0 : i < 85 ? 1 : -3;
    const auto a = [&](const Tensor& v) { return d * v; };
    const nn::Tridiagonal t = nn::lanczos(a, 90, 50, f64, draws);
    REQUIRE(t.values.size() == 3);
    CHECK(t.values[0] == doctest::Approx(-3));
    CHECK(std::abs(t.values[1]) < 1e-12);
    CHECK(t.values[2] == doctest::Approx(1));
    CHECK(t.residuals == std::vector<double>(3, 0.0));
    const nn::SpectralDensity s = nn::spectral_density(a, 90, {.probes = 3}, draws);  // signs weigh diagonals evenly
    CHECK(s.fraction(-0.1, 0.1).value == doctest::Approx(70.0 / 90));
    CHECK(s.fraction(0.9, 1.1).value == doctest::Approx(15.0 / 90));
    CHECK(s.fraction(-0.1, 0.1).error < 1e-12);
  }
  SUBCASE("zero") {
    const nn::Tridiagonal t = nn::lanczos([](const Tensor& v) { return zeros_like(v); }, 12, 5, f64, draws);
    CHECK(t.values == std::vector<double>{0});
    CHECK(t.weights == std::vector<double>{1});
    const nn::SpectralDensity s = nn::spectral_density([](const Tensor& v) { return zeros_like(v); }, 12, {}, draws);
    CHECK(s.fraction(0, 0).value == 1);
  }
  SUBCASE("one element") {
    const nn::Tridiagonal t = nn::lanczos([](const Tensor& v) { return -2.5 * v; }, 1, 5, f64, draws);
    REQUIRE(t.values.size() == 1);
    CHECK(t.values[0] == doctest::Approx(-2.5));
    CHECK(std::abs(t.vector(0).at({0})) == doctest::Approx(1));
    CHECK(nn::hutchinson_trace([](const Tensor& v) { return -2.5 * v; }, 1, 4, f64, draws).value == -2.5);
  }
  SUBCASE("low rank") {
    const Tensor b = randn({50, 4}, f64, draws), a = matmul(b, transpose(b));
    const std::vector<double> exact = eigenvalues(a);
    const nn::Tridiagonal t = nn::lanczos(times(a), 50, 50, f64, draws);
    REQUIRE(t.values.size() >= 5);
    REQUIRE(t.values.size() <= 6);  // rounding may leave a direction in the null space
    for (std::size_t i = 1; i <= 4; ++i)
      CHECK(t.values[t.values.size() - i] == doctest::Approx(exact[exact.size() - i]).epsilon(1e-10));
    CHECK(std::abs(t.values[0]) < 1e-10);
  }
}

TEST_CASE("f32 matrices") {
  Generator draws(5);
  const Tensor a = symmetric(50, draws);
  const std::vector<double> exact = eigenvalues(a);
  const nn::Tridiagonal t = nn::lanczos(times(a.to(f32)), 50, 50, f32, draws);
  CHECK(t.values.front() == doctest::Approx(exact.front()).epsilon(1e-5));
  CHECK(t.values.back() == doctest::Approx(exact.back()).epsilon(1e-5));
}

TEST_CASE("the density integrates to 1 and its shares are those of the spectrum") {
  Generator draws(6);
  const Tensor a = symmetric(150, draws);
  const std::vector<double> exact = eigenvalues(a);
  const nn::SpectralDensity s = nn::spectral_density(times(a), 150, {.probes = 40, .steps = 60}, draws);
  double integral = 0;
  for (std::size_t i = 1; i < s.grid.size(); ++i)
    integral += (s.grid[i] - s.grid[i - 1]) * (s.density[i] + s.density[i - 1]) / 2;
  CHECK(integral == doctest::Approx(1).epsilon(1e-9));
  for (const auto& weights : s.weights) CHECK(sum_of(weights) == doctest::Approx(1).epsilon(1e-12));
  for (const double bound : {-1.0, 0.0, 0.7}) {
    const nn::Estimate below = s.fraction(-10, bound);
    CHECK(std::abs(below.value - share(exact, -10, bound)) < 4 * below.error + 0.01);
    CHECK(below.error < 0.03);
  }
  double mean_square = 0;
  for (const double v : exact) mean_square += v * v / 150;
  const nn::Estimate square = s.mean([](double v) { return v * v; });
  CHECK(std::abs(square.value - mean_square) < 4 * square.error);
  CHECK(s.sigma == doctest::Approx((exact.back() - exact.front()) / 100).epsilon(0.01));
}

TEST_CASE("the trace is within its error, and exact of a diagonal matrix") {
  Generator draws(7);
  const Tensor a = symmetric(80, draws);
  const nn::Estimate trace_of_a = nn::hutchinson_trace(times(a), 80, 400, f64, draws);
  CHECK(std::abs(trace_of_a.value - trace(a).item()) < 4 * trace_of_a.error);
  const double beside = sum(square(a)).item() - sum(square(diagonal(a))).item();
  CHECK(trace_of_a.error == doctest::Approx(std::sqrt(2 * beside / 400)).epsilon(0.15));
  const Tensor d = randn({30}, f64, draws);
  const nn::Estimate of_diagonal = nn::hutchinson_trace([&](const Tensor& v) { return d * v; }, 30, 5, f64, draws);
  CHECK(of_diagonal.value == doctest::Approx(sum(d).item()));
  CHECK(of_diagonal.error < 1e-12);
  CHECK(std::isnan(nn::hutchinson_trace(times(a), 80, 1, f64, draws).error));
}

TEST_CASE("a net's Hessian is functional hessian's, and its spectrum too") {
  manual_seed(8);
  nn::Sequential net(nn::Linear(3, 5), nn::Tanh(), nn::Linear(5, 2));
  net.to(f64);
  const Tensor x = randn({20, 3}, f64), y = randint(0, 2, {20});
  const auto loss = [&] { return nn::cross_entropy(net(x), y); };
  const nn::Hessian h = nn::hessian_of(loss, net);
  const Tensors parameters = net.parameters();
  const std::vector<Tensors> blocks = hessian([&](const Tensors&) { return loss(); }, parameters);
  Tensors rows;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    Tensors row;
    for (const Tensor& block : blocks[i]) row.push_back(reshape(block, {parameters[i].size(), -1}));
    rows.push_back(concat(row, 1));
  }
  const Tensor exact = concat(rows, 0);
  REQUIRE(h.size() == exact.size(0));
  for (std::int64_t i = 0; i < h.size(); ++i) CHECK(furthest(h(eye(h.size(), f64)[i]), exact[i]) < 1e-13);

  const std::vector<double> values = eigenvalues(exact);
  const nn::Tridiagonal t = nn::lanczos(h, h.size(), h.size());
  CHECK(t.values.front() == doctest::Approx(values.front()).epsilon(1e-8));
  CHECK(t.values.back() == doctest::Approx(values.back()).epsilon(1e-8));
  const nn::Estimate trace_of_h = nn::hutchinson_trace(h, h.size(), 200);
  CHECK(std::abs(trace_of_h.value - sum_of(values)) < 4 * trace_of_h.error);

  net.to(f32);
  const Tensor x32 = x.to(f32);
  const nn::Hessian h32 = nn::hessian_of([&] { return nn::cross_entropy(net(x32), y); }, net);
  CHECK(h32(randn({h.size()}, f64)).dtype() == f64);
  CHECK(nn::lanczos(h32, h.size(), h.size()).values.back() == doctest::Approx(values.back()).epsilon(1e-4));
}

TEST_CASE("a Hessian of what is linear or left out is zero, and of frozen parameters not there") {
  const Tensor a = parameter(tensor({1.0, 2.0}, f64)), b = parameter(tensor({3.0}, f64)),
               left_out = parameter(tensor({5.0}, f64));
  const nn::Hessian linear = nn::hessian_of([&] { return sum(a) + sum(b); }, {a, b});
  CHECK(sum(abs(linear(ones({3}, f64)))).item() == 0);
  const nn::Hessian some = nn::hessian_of([&] { return sum(a * a * b); }, {a, left_out, b});
  // d2/da2 = 2b, d2/dadb = 2a
  CHECK(furthest(some(tensor({1, 0, 7, 0}, f64)), tensor({6, 0, 0, 2}, f64)) == 0);
  CHECK(furthest(some(tensor({0, 0, 0, 1}, f64)), tensor({2, 4, 0, 0}, f64)) == 0);
  nn::Linear layer(2, 1);
  layer.weight.set_requires_grad(false);
  CHECK(nn::hessian_of([&] { return sum(square(layer(ones({1, 2})))); }, layer).size() == 1);
  {
    const NoGrad off;
    Tensor(a).add_(1.0);
  }
  CHECK_THROWS_AS(some(ones({4}, f64)), Error);
}

TEST_CASE("the same seed gives the same bits, whatever the threads") {
  Generator draws(9);
  const Tensor a = symmetric(120, draws);
  const auto density = [&](int threads) {
    set_num_threads(threads);
    Generator same(3);
    return nn::spectral_density(times(a), 120, {.probes = 2, .steps = 30}, same).density;
  };
  const int before = num_threads();
  CHECK(density(1) == density(2));
  set_num_threads(before);
}

TEST_CASE("bad input is one line") {
  const auto same = [](const Tensor& v) { return v; };
  CHECK(message_of([&] { nn::lanczos(same, 0, 3); }) == "lanczos: got n = 0, needs a positive number");
  CHECK(message_of([&] { nn::lanczos(same, 4, 0); }) == "lanczos: got 0 steps, needs a positive number");
  CHECK(message_of([&] { nn::lanczos(same, 4, 2, i64); }) == "lanczos: got the dtype i64, needs f32 or f64");
  CHECK(message_of([&] { nn::lanczos(same, zeros({4}), 2); }) ==
        "lanczos: got a start vector of length 0, needs a finite one that is not 0");
  CHECK(message_of([&] {
          nn::lanczos(same, zeros({4, 1}), 2);
        }) == "lanczos: got f32 {4, 1}, needs a start vector {n}");
  CHECK(message_of([&] { nn::lanczos([](const Tensor&) { return zeros({3}); }, 4, 2); }) ==
        "lanczos: got f32 {3} as a product, needs f32 or f64 {4}");
  CHECK(message_of([&] { nn::lanczos([](const Tensor&) { return Tensor(); }, 4, 2); }) ==
        "lanczos: got an undefined tensor as a product, needs f32 or f64 {4}");
  CHECK(message_of([&] { nn::hutchinson_trace([](const Tensor& v) { return v / 0.0; }, 4, 2); }) ==
        "hutchinson_trace: got a product that is not finite");
  CHECK(message_of([&] { nn::hutchinson_trace(same, 4, 0); }) ==
        "hutchinson_trace: got 0 probes, needs a positive number");
  CHECK(message_of([&] { nn::spectral_density(same, 4, {.sigma = -1}); }) ==
        "spectral_density: got sigma -1, needs a number from 0");
  CHECK(message_of([&] { nn::spectral_density(same, 4, {.points = 1}); }) ==
        "spectral_density: got 1 points, needs at least 2");
  const auto wide = [](const Tensor& v) { return arange(4, f64) * v; };
  CHECK(message_of([&] {
          nn::spectral_density(wide, 4, {.sigma = 0.001, .points = 101});
        }).starts_with("spectral_density: got sigma 0.001 and 101 points over 3.0"));
  nn::Linear layer(2, 1);
  CHECK(message_of([&] {
          nn::hessian_of([&] { return layer(ones({3, 2})); }, layer);
        }) == "hessian_of: got f32 {3, 1} as the loss, needs one element");
  const nn::Hessian h = nn::hessian_of([&] { return sum(layer(ones({1, 2}))); }, layer);
  CHECK(message_of([&] { h(ones({2})); }) == "Hessian: got f32 {2}, needs a vector {3}");
  layer.freeze();
  CHECK(message_of([&] {
          nn::hessian_of([&] { return sum(layer(ones({1, 2}))); }, layer);
        }) == "hessian_of: no parameter requires a gradient");
}
