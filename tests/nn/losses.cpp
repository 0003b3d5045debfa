// Losses where the op table does not look: defaults, options together, labels that all are ignored, extremes.
#include <doctest/doctest.h>
#include <tests/support/mistakes.hpp>
#include <tests/support/statistics.hpp>
#include <weft/weft.hpp>

using namespace weft;
using namespace weft::test;
using nn::Reduction;

namespace {

using Values = std::vector<double>;

// Losses of rows, by plain loops, and which rows count.
struct Rows {
  Values losses;
  double counted = 0;
};

Rows cross_entropies(const Tensor& logits, const Tensor& labels, double smoothing, std::int64_t ignored) {
  const Values x = values_of(logits), y = values_of(labels);
  const std::size_t classes = x.size() / y.size();
  Rows rows;
  for (std::size_t row = 0; row < y.size(); ++row) {
    const double* const z = &x[row * classes];
    const double top = *std::max_element(z, z + classes);
    double total = 0, all = 0;
    for (std::size_t c = 0; c < classes; ++c) total += std::exp(z[c] - top);
    const auto log_probability = [&](std::size_t c) { return z[c] - top - std::log(total); };
    for (std::size_t c = 0; c < classes; ++c) all -= log_probability(c) / static_cast<double>(classes);
    const bool counts = y[row] != static_cast<double>(ignored);
    rows.counted += counts ? 1 : 0;
    rows.losses.push_back(
        counts ? -(1 - smoothing) * log_probability(static_cast<std::size_t>(y[row])) + smoothing * all : 0.0);
  }
  return rows;
}

bool near(double got, double expected) { return std::abs(got - expected) <= 1e-12 * (std::abs(expected) + 1e-6); }

bool near(const Tensor& got, const Values& expected) {
  const Values values = values_of(got);
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!near(values[i], expected[i])) return false;
  return values.size() == expected.size();
}

double total(const Values& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

}  // namespace

TEST_CASE("cross_entropy with smoothing, ignored labels, more axes and large logits at once") {
  manual_seed(1);
  const Tensor logits = randn({2, 3, 4}, f64) * 300.0;  // exp overflows
  for (const std::int64_t ignored : {-100, -1, 0, 3}) {
    const auto other = static_cast<double>(ignored < 0 ? ignored : 2);
    const Tensor labels = tensor({0, 3, other, 1, static_cast<double>(ignored), 2}, {2, 3}, i64);
    for (const double smoothing : {0.0, 0.25, 1.0}) {
      CAPTURE(ignored);
      CAPTURE(smoothing);
      const Rows rows = cross_entropies(logits, labels, smoothing, ignored);
      const auto loss = [&](Reduction reduction) {
        return nn::cross_entropy(logits, labels,
                                 {.reduction = reduction, .label_smoothing = smoothing, .ignore_index = ignored});
      };
      CHECK(loss(Reduction::none).shape() == Shape{2, 3});
      CHECK(near(loss(Reduction::none), rows.losses));
      CHECK(near(loss(Reduction::sum).item(), total(rows.losses)));
      CHECK(near(loss(Reduction::mean).item(), total(rows.losses) / rows.counted));
      if (smoothing != 0) continue;
      const auto picked = [&](Reduction reduction) {
        return nn::nll(log_softmax(logits), labels, {.reduction = reduction, .ignore_index = ignored});
      };
      CHECK(near(picked(Reduction::none), rows.losses));
      CHECK(near(picked(Reduction::sum).item(), total(rows.losses)));
      CHECK(near(picked(Reduction::mean).item(), total(rows.losses) / rows.counted));
    }
  }
}

TEST_CASE("by default losses take the mean, and -100 is ignored") {
  manual_seed(2);
  const Tensor a = randn({3, 4}, f64), b = rand({3, 4}, f64);
  const Tensor labels = tensor({1, -100, 3}, {3}, i64);
  const Rows rows = cross_entropies(a, labels, 0, -100);
  CHECK(rows.counted == 2);
  CHECK(near(nn::cross_entropy(a, labels).item(), total(rows.losses) / 2));
  CHECK(near(nn::nll(log_softmax(a), labels).item(), total(rows.losses) / 2));
  CHECK(near(nn::cross_entropy(a, labels, Reduction::none), rows.losses));
  CHECK(near(nn::nll(log_softmax(a), labels, Reduction::sum).item(), total(rows.losses)));
  CHECK_THROWS_AS(nn::cross_entropy(a, labels, {.ignore_index = -1}), Error);
  const Values x = values_of(a), t = values_of(b);
  double squares = 0, sizes = 0, entropy = 0;
  for (std::size_t i = 0; i < 12; ++i) {
    squares += (x[i] - t[i]) * (x[i] - t[i]) / 12;
    sizes += std::abs(x[i] - t[i]) / 12;
    entropy -= (t[i] * std::log(1 / (1 + std::exp(-x[i]))) + (1 - t[i]) * std::log(1 / (1 + std::exp(x[i])))) / 12;
  }
  CHECK(near(nn::mse(a, b).item(), squares));
  CHECK(near(nn::l1(a, b).item(), sizes));
  CHECK(near(nn::bce_with_logits(a, b).item(), entropy));
}

TEST_CASE("where every label is ignored there is nothing to learn, and no mean") {
  const Tensor logits = parameter(ones({2, 3}, f64));
  const Tensor labels = full({2}, -100, i64);
  CHECK(nn::cross_entropy(logits, labels, Reduction::sum).item() == 0);
  CHECK(nn::nll(logits, labels, Reduction::sum).item() == 0);
  CHECK(std::isnan(nn::cross_entropy(logits, labels).item()));
  CHECK(std::isnan(nn::nll(logits, labels).item()));
  (nn::cross_entropy(logits, labels, Reduction::sum) + nn::nll(logits, labels, Reduction::sum)).backward();
  CHECK(values_of(logits.grad()) == Values(6, 0.0));
}

TEST_CASE("ignored rows may hold anything, and get no gradient") {
  const double nan = std::nan("");
  for (const double smoothing : {0.0, 0.5}) {
    const Tensor logits = parameter(tensor({1, 2, nan, nan, 0, INFINITY, 3, 1}, {4, 2}, f64));
    const Tensor labels = tensor({1, 7, 7, 0}, {4}, i64);
    const Tensor loss = nn::cross_entropy(logits, labels, {.label_smoothing = smoothing, .ignore_index = 7});
    const Tensor counted = tensor({1, 2, 3, 1}, {2, 2}, f64);
    const Rows rows = cross_entropies(counted, tensor({1, 0}, {2}, i64), smoothing, 7);
    CHECK(near(loss.item(), total(rows.losses) / 2));
    loss.backward();
    const Values g = values_of(logits.grad());
    for (std::size_t i = 2; i < 6; ++i) CHECK(g[i] == 0);
    for (const std::size_t i : {0U, 1U, 6U, 7U}) CHECK((std::isfinite(g[i]) && g[i] != 0));
  }
}

TEST_CASE("bce_with_logits of large logits, value and gradient") {
  const Tensor x = parameter(tensor({-900, -40, 0, 40, 900, -900, 900}, {7}, f64));
  const Tensor t = tensor({0, 1, 0.5, 0, 1, 1, 0}, {7}, f64);
  const Tensor loss = nn::bce_with_logits(x, t, Reduction::none);
  CHECK(near(loss, {0, 40, std::log(2.0), 40, 0, 900, 900}));
  sum(loss).backward();
  CHECK(near(x.grad(), {0, -1, 0, 1, 0, -1, 1}));
}

TEST_CASE("huber and smooth_l1 at their kinks, and for other deltas") {
  Tensor x = parameter(tensor({-3, -1, -0.5, 0, 0.5, 1, 3}, {7}, f64)), zero = zeros({7}, f64);
  CHECK(near(nn::huber(x, zero, Reduction::none), {2.5, 0.5, 0.125, 0, 0.125, 0.5, 2.5}));
  CHECK(near(nn::huber(x, zero, {.reduction = Reduction::none, .delta = 2}), {4, 0.5, 0.125, 0, 0.125, 0.5, 4}));
  CHECK(near(nn::smooth_l1(x, zero, {.reduction = Reduction::none, .beta = 2}), {2, 0.25, 0.0625, 0, 0.0625, 0.25, 2}));
  CHECK(near(nn::smooth_l1(x, zero, {.reduction = Reduction::none, .beta = 0}), {3, 1, 0.5, 0, 0.5, 1, 3}));
  CHECK(near(nn::huber(x, zero).item(), 6.25 / 7));
  nn::huber(x, zero, Reduction::sum).backward();
  CHECK(near(x.grad(), {-1, -1, -0.5, 0, 0.5, 1, 1}));
  x.zero_grad();
  nn::smooth_l1(zero, x, {.reduction = Reduction::sum, .beta = 0.5}).backward();
  CHECK(near(x.grad(), {-1, -1, -1, 0, 1, 1, 1}));
}

TEST_CASE("hinge is 0 from the margin on") {
  const Tensor x = parameter(tensor({-2, 0, 0.5, 1, 2, -2, 0, 1}, {8}, f64));
  const Tensor t = tensor({1, 1, 1, 1, 1, -1, -1, -1}, {8}, f64);
  CHECK(near(nn::hinge(x, t, Reduction::none), {3, 1, 0.5, 0, 0, 0, 1, 2}));
  nn::hinge(x, t, Reduction::sum).backward();
  CHECK(near(x.grad(), {-1, -1, -1, 0, 0, 0, 1, 1}));
}

TEST_CASE("bce of certain probabilities, value and gradient, as PyTorch has it") {
  const Tensor p = parameter(tensor({0, 0, 1, 1, 0.25, 0.25}, {6}, f64));
  const Tensor t = tensor({0, 1, 0, 1, 0.5, 1}, {6}, f64);
  const double half = -std::log(0.25) / 2 - std::log(0.75) / 2;
  CHECK(near(nn::bce(p, t, Reduction::none), {0, 100, 100, 0, half, -std::log(0.25)}));
  nn::bce(p, t, Reduction::sum).backward();
  CHECK(near(p.grad(), {0, -1e12, 1e12, 0, -0.25 / 0.1875, -4}));
  CHECK(std::isnan(nn::bce(tensor({1.5}), tensor({0.5})).item()));
  CHECK(std::isnan(nn::bce(tensor({-0.5}), tensor({0.5})).item()));
  const Tensor logits = randn({50}, f64), targets = rand({50}, f64);
  CHECK(near(nn::bce(sigmoid(logits), targets).item(), nn::bce_with_logits(logits, targets).item()));
}

TEST_CASE("kl_div of distributions, with zeros, given as they are or as logarithms") {
  const Tensor a = tensor({0.5, 0.25, 0.25, 0}, {4}, f64), b = tensor({0.125, 0.5, 0.125, 0.25}, {4}, f64);
  const double expected = 0.5 * std::log(4.0) + 0.25 * std::log(0.5) + 0.25 * std::log(2.0);
  CHECK(near(nn::kl_div(log(b), a, Reduction::sum).item(), expected));
  CHECK(near(nn::kl_div(log(b), a).item(), expected / 4));
  CHECK(near(nn::kl_div(log(b), a, Reduction::none).at({3}), 0));
  const Tensor c = slice(b, 0, 0, 3);
  CHECK(near(nn::kl_div(log(c), log(slice(a, 0, 0, 3)), {.reduction = Reduction::sum, .log_target = true}).item(),
             expected));
  CHECK(near(nn::kl_div(log(b), b, Reduction::sum).item(), 0));
}

TEST_CASE("gaussian_nll is minus the logarithm of the density") {
  const Tensor x = tensor({1, -2, 0.5}, {3}, f64), t = tensor({0, 1, 0.5}, {3}, f64);
  const Tensor v = parameter(tensor({1, 4, 0}, {3}, f64));
  const double small = std::log(1e-6) / 2, whole = std::log(2 * std::acos(-1.0)) / 2;
  CHECK(near(nn::gaussian_nll(x, t, v, Reduction::none), {0.5, std::log(4.0) / 2 + 9.0 / 8, small}));
  CHECK(near(nn::gaussian_nll(x, t, v, {.reduction = Reduction::none, .full = true}),
             {0.5 + whole, std::log(4.0) / 2 + 9.0 / 8 + whole, small + whole}));
  CHECK(near(nn::gaussian_nll(x, t, v, {.eps = 2}).item(),
             (0.5 * (std::log(2.0) + 0.5) + std::log(4.0) / 2 + 9.0 / 8 + std::log(2.0) / 2) / 3));
  nn::gaussian_nll(x, t, v, Reduction::sum).backward();
  CHECK(near(v.grad(), {0, 0.5 * (0.25 - 9.0 / 16), 5e5}));
}

TEST_CASE("cosine_similarity of zeros, opposites, single values and rows beside columns") {
  const Tensor a = parameter(tensor({3, 4, 0, 0, 1, 0}, {3, 2}, f64)), b = tensor({4, 3, 1, 2, -2, 0}, {3, 2}, f64);
  const Tensor y = nn::cosine_similarity(a, b);
  CHECK(near(y, {24.0 / 25, 0, -1}));
  const Values g = values_of(grad({sum(y)}, {a})[0]);
  CHECK(near(g[2], 1e8 / std::sqrt(5.0)));  // the direction of the other, divided by eps
  CHECK(near(g[4], 0));
  CHECK(near(nn::cosine_similarity(a, tensor({-1.0}, {1}, f64)), {-7 / (5 * std::sqrt(2.0)), 0, -1 / std::sqrt(2.0)}));
  CHECK(near(nn::cosine_similarity(reshape(a, {3, 1, 2}), b).at({0, 2}), -0.6));
  CHECK(nn::cosine_similarity(reshape(a, {3, 1, 2}), b).shape() == Shape{3, 3});
  CHECK(nn::cosine_similarity(a, b, 0).shape() == Shape{2});
  CHECK(near(nn::cosine_similarity(a, b, -1, 10.0), {0.24, 0, -0.02}));
}

TEST_CASE("losses refuse what does not fit") {
  const Tensor a = parameter(zeros({2, 3})), b = zeros({3, 2}), wide = zeros({2, 3}, f64);
  check_all({
      {"huber", [&] { (void)nn::huber(a, b); }, {"{2, 3}", "{3, 2}"}},
      {"huber", [&] { (void)nn::huber(a, a, {.delta = 0}); }, {"delta 0"}},
      {"smooth_l1", [&] { (void)nn::smooth_l1(a, wide); }, {"f32", "f64"}},
      {"smooth_l1", [&] { (void)nn::smooth_l1(a, a, {.beta = -1}); }, {"beta -1"}},
      {"hinge", [&] { (void)nn::hinge(a, b); }, {"{3, 2}"}},
      {"bce", [&] { (void)nn::bce(a, b); }, {"{3, 2}"}},
      {"kl_div", [&] { (void)nn::kl_div(a, b); }, {"{3, 2}"}},
      {"gaussian_nll", [&] { (void)nn::gaussian_nll(a, a, b); }, {"{3, 2}"}},
      {"gaussian_nll", [&] { (void)nn::gaussian_nll(a, a, a - 1.0); }, {"below 0"}},
      {"gaussian_nll", [&] { (void)nn::gaussian_nll(a, a, a, {.eps = 0}); }, {"eps 0"}},
      {"cosine_similarity", [&] { (void)nn::cosine_similarity(a, b); }, {"{2, 3}", "{3, 2}"}},
      {"cosine_similarity", [&] { (void)nn::cosine_similarity(a, wide); }, {"f32", "f64"}},
      {"cosine_similarity", [&] { (void)nn::cosine_similarity(a, a, 2); }, {"2"}},
  });
}
