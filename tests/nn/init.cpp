// Initial values: the distributions that initialisers promise, and those that layers start with.
#include <doctest/doctest.h>
#include <tests/support/statistics.hpp>
#include <weft/weft.hpp>

using namespace weft;
using namespace weft::test;

namespace {

// Mean 0, this variance, and the shape of a uniform or normal distribution; a uniform one keeps to its range and fills
// it.
void check_distribution(const Tensor& t, double variance, nn::Distribution distribution) {
  const bool uniform = distribution == nn::Distribution::uniform;
  const auto n = static_cast<double>(t.size());
  const Moments m = moments_of(t);
  CAPTURE(t.shape());
  CAPTURE(variance);
  CAPTURE(m.variance);
  CHECK(plausible(m, static_cast<std::size_t>(t.size()), 0, variance, uniform ? 1.8 : 3));
  if (uniform) {
    const double bound = std::sqrt(3 * variance);
    CHECK(m.highest <= bound * (1 + 1e-6));
    CHECK(m.lowest >= -bound * (1 + 1e-6));
    CHECK(m.highest > bound * (1 - 30 / n));
    CHECK(m.lowest < -bound * (1 - 30 / n));
  } else {
    CHECK(std::abs(m.kurtosis - 3) < deviations * std::sqrt(24 / n));
  }
}

void check_uniform_within(const Tensor& t, double bound) {
  check_distribution(t, bound * bound / 3, nn::Distribution::uniform);
}

struct Case {
  Shape shape;
  double in, out;  // fans
};
// None square: fan in and fan out cannot be taken for each other.
const Case cases[] = {{{40, 500}, 40, 500}, {{500, 40}, 500, 40}, {{3, 5, 8, 200}, 120, 3000}, {{5, 60, 70}, 300, 350}};

constexpr auto uniform = nn::Distribution::uniform, normal = nn::Distribution::normal;

}  // namespace

TEST_CASE("xavier_ and kaiming_ have the variance of their fans") {
  manual_seed(1);
  for (const Case& c : cases)
    for (const DType dtype : {f32, f64}) {
      Tensor w = empty(c.shape, dtype);
      nn::xavier_(w);
      check_distribution(w, 2 / (c.in + c.out), uniform);
      nn::kaiming_(w);
      check_distribution(w, 2 / c.in, normal);
      for (const nn::Distribution distribution : {uniform, normal}) {
        nn::xavier_(w, {.distribution = distribution, .gain = 2.5});
        check_distribution(w, 2.5 * 2.5 * 2 / (c.in + c.out), distribution);
        nn::kaiming_(w, {.distribution = distribution, .fan = nn::Fan::in});
        check_distribution(w, 2 / c.in, distribution);
        nn::kaiming_(w, {.distribution = distribution, .fan = nn::Fan::out, .negative_slope = 0.7});
        check_distribution(w, 2 / (1.49 * c.out), distribution);
      }
    }
}

TEST_CASE("plain initialisers") {
  manual_seed(2);
  for (const DType dtype : {f32, f64}) {
    Tensor t = parameter(empty({200, 101}, dtype));
    nn::uniform_(t, -1, 5);
    Moments m = moments_of(t);
    CHECK(plausible(m, 20200, 2, 3, 1.8));
    CHECK(m.lowest >= -1);
    CHECK(m.lowest < -1 + 6 * 30.0 / 20200);
    CHECK(m.highest < 5);
    CHECK(m.highest > 5 - 6 * 30.0 / 20200);
    nn::normal_(t, -4, 0.5);
    m = moments_of(t);
    CHECK(plausible(m, 20200, -4, 0.25, 3));
    CHECK(std::abs(m.kurtosis - 3) < deviations * std::sqrt(24 / 20200.0));
    nn::normal_(t);
    CHECK(plausible(moments_of(t), 20200, 0, 1, 3));
    nn::constant_(t, 0.25);
    CHECK(values_of(t) == std::vector<double>(20200, 0.25));
    nn::zeros_(t);
    CHECK(values_of(t) == std::vector<double>(20200, 0.0));
    CHECK(t.requires_grad());
    CHECK(t.is_leaf());
  }
}

TEST_CASE_TEMPLATE("orthogonal_ makes rows or columns orthonormal, times gain", T, float, double) {
  manual_seed(3);
  const double tolerance = dtype_of<T> == f64 ? 1e-13 : 1e-6;
  for (const Shape& shape : {Shape{7, 3}, Shape{3, 7}, Shape{5, 5}, Shape{2, 3, 2, 5}, Shape{1, 4}, Shape{1, 3, 20}}) {
    Tensor w = empty(shape, dtype_of<T>);
    nn::orthogonal_(w, 3.0);
    const std::vector<double> q = values_of(w);
    const auto columns = static_cast<std::size_t>(shape[-1]), rows = q.size() / columns;
    const bool tall = rows >= columns;
    const auto at = [&](std::size_t vector, std::size_t k) {
      return tall ? q[k * columns + vector] : q[vector * columns + k];
    };
    for (std::size_t a = 0; a < std::min(rows, columns); ++a)
      for (std::size_t b = 0; b <= a; ++b) {
        double product = 0;
        for (std::size_t k = 0; k < std::max(rows, columns); ++k) product += at(a, k) * at(b, k);
        CHECK(std::abs(product - (a == b ? 9 : 0)) <= 9 * tolerance);
      }
  }
  CHECK_THROWS_AS(nn::orthogonal_(zeros({3}, dtype_of<T>)), Error);
  CHECK_THROWS_AS(nn::kaiming_(zeros({3}, dtype_of<T>)), Error);
  CHECK_THROWS_AS(nn::xavier_(zeros({}, dtype_of<T>)), Error);
}

TEST_CASE("orthogonal_ turns every way equally often, mirrored or not") {
  manual_seed(4);
  std::vector<std::int64_t> turns(12), mirrored(2);
  for (int draw = 0; draw < 3000; ++draw) {
    Tensor w = empty({2, 2}, f64);
    nn::orthogonal_(w);
    const std::vector<double> q = values_of(w);
    const double angle = std::atan2(q[2], q[0]) / (2 * 3.14159265358979323846) + 0.5;
    ++turns[std::min<std::size_t>(11, static_cast<std::size_t>(angle * 12))];
    ++mirrored[q[0] * q[3] - q[1] * q[2] < 0 ? 1 : 0];
  }
  CHECK(even(turns));
  CHECK(even(mirrored));
}

TEST_CASE("Linear starts uniform within 1 / sqrt(in), its bias too") {
  manual_seed(5);
  for (const auto& [in, out] : {std::pair{30, 4000}, {900, 40}}) {
    nn::Linear layer(in, out);
    check_uniform_within(layer.weight, 1 / std::sqrt(in));
    check_uniform_within(layer.bias, 1 / std::sqrt(in));
    check_uniform_within(nn::Linear(in, out, {.bias = false}).weight, 1 / std::sqrt(in));
  }
}

TEST_CASE("Conv2d starts uniform within 1 / sqrt(fan in), its bias too") {
  manual_seed(6);
  for (const std::int64_t groups : {1, 4}) {
    nn::Conv2d layer(8, 1200, {.kernel = {3, 5}, .groups = groups});
    const double bound = 1 / std::sqrt(15.0 * 8 / static_cast<double>(groups));
    check_uniform_within(layer.weight, bound);
    check_uniform_within(layer.bias, bound);
  }
  nn::Conv2d narrow(300, 6, {.kernel = 3, .bias = false});
  check_uniform_within(narrow.weight, 1 / std::sqrt(2700.0));
}

TEST_CASE("other layers and ready nets start as they say") {
  manual_seed(7);
  check_distribution(nn::Projection(40, 500).weight, 2.0 / 40, normal);
  check_distribution(nn::Projection(500, 40).weight, 2.0 / 500, normal);

  nn::BatchNorm batch(7);
  nn::LayerNorm layer(7);
  const std::vector<double> ones(7, 1.0), zeros(7, 0.0);
  for (const Tensor& t :
       {static_cast<Tensor>(batch.weight), static_cast<Tensor>(layer.weight), static_cast<Tensor>(batch.running_var)})
    CHECK(values_of(t) == ones);
  for (const Tensor& t :
       {static_cast<Tensor>(batch.bias), static_cast<Tensor>(layer.bias), static_cast<Tensor>(batch.running_mean)})
    CHECK(values_of(t) == zeros);

  int convolutions = 0;
  for (const nn::ModulePtr& net : {nn::resnet_cifar(8), nn::plain_net(8), nn::densenet(40, 12, false, 0.5)})
    for (const Tensor& p : net->parameters()) {
      if (p.rank() != 4) continue;
      const double fan_in = static_cast<double>(p.size()) / static_cast<double>(p.size(-1));
      check_distribution(p, 2 / fan_in, normal);
      ++convolutions;
    }
  CHECK(convolutions == 7 + 7 + 39);
}

TEST_CASE("no two layers start alike") {
  manual_seed(8);
  nn::Linear a(20, 20), b(20, 20);
  CHECK(values_of(a.weight) != values_of(b.weight));
  manual_seed(8);
  nn::Linear again(20, 20);
  CHECK(values_of(again.weight) == values_of(a.weight));
  CHECK(values_of(again.bias) == values_of(a.bias));
}
