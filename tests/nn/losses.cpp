// Losses where the op table does not look: defaults, options together, labels that all are ignored, extremes.
#include <doctest/doctest.h>
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
