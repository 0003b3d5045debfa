// Layers pass their options on; normalisation keeps its statistics; dropout.
#include <doctest/doctest.h>
#include <tests/support/statistics.hpp>
#include <weft/weft.hpp>

#include <optional>

using namespace weft;
using namespace weft::test;

namespace {

using Values = std::vector<double>;

bool same(const Tensor& a, const Tensor& b) { return a.shape() == b.shape() && values_of(a) == values_of(b); }

bool near(double got, double expected) { return std::abs(got - expected) <= 1e-12 * (std::abs(expected) + 1e-3); }

}  // namespace

TEST_CASE("Conv2d passes on stride, padding, dilation and groups, height and width apart") {
  manual_seed(1);
  const Tensor x = randn({2, 11, 13, 4}, f64);
  const ConvOptions everything{.stride = {2, 3}, .padding = {1, 2}, .dilation = {3, 2}, .groups = 2};
  nn::Conv2dOptions options{.kernel = {2, 3},
                            .stride = everything.stride,
                            .padding = everything.padding,
                            .dilation = everything.dilation,
                            .groups = 2};
  nn::Conv2d with(4, 6, options);
  with.to(f64);
  CHECK(with.weight.shape() == Shape{2, 3, 2, 6});
  REQUIRE(with.bias.shape() == Shape{6});
  CHECK(same(with(x), conv2d(x, with.weight, everything) + with.bias));
  options.bias = false;
  nn::Conv2d without(4, 6, options);
  without.to(f64);
  CHECK(!without.bias.defined());
  CHECK(without.parameters().size() == 1);
  CHECK(same(without(x), conv2d(x, without.weight, everything)));

  // Each option alone.
  const auto alone = [&](const nn::Conv2dOptions& o, const ConvOptions& plain) {
    nn::Conv2d conv(4, 6, o);
    conv.to(f64);
    CHECK(conv.weight.size(0) == 3);
    CHECK(same(conv(x), conv2d(x, conv.weight, plain) + conv.bias));
  };
  alone({}, {});
  alone({.stride = {1, 2}}, {.stride = {1, 2}});
  alone({.padding = {2, 0}}, {.padding = {2, 0}});
  alone({.dilation = {1, 3}}, {.dilation = {1, 3}});
  alone({.groups = 2}, {.groups = 2});
}

TEST_CASE("Linear and Projection") {
  manual_seed(2);
  const Tensor x = randn({2, 3, 4}), image = randn({2, 5, 7, 4});
  nn::Linear layer(4, 6), bare(4, 6, {.bias = false});
  CHECK(layer.weight.shape() == Shape{4, 6});
  CHECK(same(layer(x), linear(x, layer.weight, layer.bias)));
  CHECK(!same(layer(x), linear(x, layer.weight)));
  CHECK(bare.parameters().size() == 1);
  CHECK(same(bare(x), linear(x, bare.weight)));

  nn::Projection plain(4, 6), strided(4, 6, {.stride = 3}), normed(4, 6, {.stride = 2, .norm = true});
  CHECK(same(plain(x), linear(x, plain.weight)));
  const auto every = [&](std::int64_t n) { return slice(slice(image, 1, 0, 5, n), 2, 0, 7, n); };
  CHECK(same(strided(image), linear(every(3), strided.weight)));
  CHECK(normed.parameters().size() == 3);
  CHECK(same(normed(image), batch_norm(linear(every(2), normed.weight), ones({6}), zeros({6}), {.training = true})));
}

TEST_CASE("pooling passes on kernel, stride and padding") {
  manual_seed(3);
  const Tensor x = randn({2, 9, 11, 3});
  for (const PoolOptions& options : {PoolOptions{}, PoolOptions{.kernel = {3, 2}}, PoolOptions{.stride = {1, 3}},
                                     PoolOptions{.kernel = 3, .padding = {1, 0}},
                                     PoolOptions{.kernel = {2, 4}, .stride = {3, 1}, .padding = {0, 2}}}) {
    CHECK(same(nn::MaxPool2d(options)(x), max_pool2d(x, options)));
    CHECK(same(nn::AvgPool2d(options)(x), avg_pool2d(x, options)));
  }
  CHECK(same(nn::GlobalAvgPool()(x), global_avg_pool(x)));
  CHECK(same(nn::Flatten()(x), reshape(x, {2, 297})));
  CHECK(nn::MaxPool2d({.kernel = 3, .stride = 1, .padding = 1})(x).shape() == x.shape());
  CHECK(nn::MaxPool2d()(x).shape() == Shape{2, 4, 5, 3});
}

TEST_CASE("Softmax and LogSoftmax along their axis, Lambda as what it holds") {
  manual_seed(4);
  const Tensor x = randn({3, 4, 5});
  for (const int axis : {0, 1, -1}) {
    CHECK(same(nn::Softmax(axis)(x), softmax(x, axis)));
    CHECK(same(nn::LogSoftmax(axis)(x), log_softmax(x, axis)));
  }
  CHECK(same(nn::Softmax()(x), softmax(x, 2)));
  CHECK(same(nn::LogSoftmax()(x), log_softmax(x, 2)));
  CHECK(same(nn::Lambda([](const Tensor& t) { return t * 3.0; })(x), x * 3.0));
}

TEST_CASE("containers and shortcuts") {
  manual_seed(5);
  const Tensor x = randn({2, 3});
  const auto a = nn::make<nn::Linear>(3, 3), b = nn::make<nn::Linear>(3, 3);
  CHECK(same(nn::Sequential(a, b)(x), (*b)((*a)(x))));
  CHECK(same(nn::Residual(a)(x), (*a)(x) + x));
  CHECK(same(nn::Residual(a, b)(x), (*a)(x) + (*b)(x)));
  CHECK(same(nn::Concat(a)(x), concat({x, (*a)(x)}, -1)));
  CHECK(same(nn::Identity()(x), x));
  CHECK(same(nn::ZeroPad(3, 5)(x), concat({x, zeros({2, 2})}, -1)));
}

namespace {

// Rows {n, channels} normalised by these statistics.
Values normalised(const Values& x, std::size_t channels, const Values& mean, const Values& variance, double eps,
                  const Tensor& weight, const Tensor& bias) {
  const Values w = values_of(weight), b = values_of(bias);
  Values y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t c = i % channels;
    y[i] = (x[i] - mean[c]) / std::sqrt(variance[c] + eps) * w[c] + b[c];
  }
  return y;
}

bool near(const Values& got, const Values& expected) {
  for (std::size_t i = 0; i < got.size(); ++i)
    if (!near(got[i], expected[i])) return false;
  return got.size() == expected.size();
}

// Weights and biases that are not all the same.
template <class Norm>
void spread(Norm& norm) {
  norm.to(f64);
  nn::uniform_(norm.weight, 0.5, 2);
  nn::uniform_(norm.bias, -1, 1);
}

}  // namespace

TEST_CASE("BatchNorm normalises by the biased variance and remembers the unbiased one") {
  manual_seed(6);
  const std::optional<nn::BatchNormOptions> choices[] = {std::nullopt,
                                                         nn::BatchNormOptions{.momentum = 0.3, .eps = 0.7},
                                                         nn::BatchNormOptions{.momentum = 1.0, .eps = 1e-12}};
  for (const auto& choice : choices) {
    nn::BatchNorm norm = choice ? nn::BatchNorm(3, *choice) : nn::BatchNorm(3);
    const double momentum = choice ? choice->momentum : 0.1, eps = choice ? choice->eps : 1e-5;
    CAPTURE(momentum);
    spread(norm);
    Values mean(3, 0.0), variance(3, 1.0);
    for (int step = 0; step < 3; ++step) {
      const Tensor x = randn({2, 2, 1, 3}, f64) * 0.5 + 2.0;
      const Values v = values_of(x);
      Values batch_mean(3), batch_variance(3);
      for (std::size_t i = 0; i < 12; ++i) batch_mean[i % 3] += v[i] / 4;
      for (std::size_t i = 0; i < 12; ++i) batch_variance[i % 3] += std::pow(v[i] - batch_mean[i % 3], 2) / 4;
      CHECK(near(values_of(norm(x)), normalised(v, 3, batch_mean, batch_variance, eps, norm.weight, norm.bias)));
      for (std::size_t c = 0; c < 3; ++c) {
        mean[c] += momentum * (batch_mean[c] - mean[c]);
        variance[c] += momentum * (batch_variance[c] * 4 / 3 - variance[c]);
      }
      CHECK(near(values_of(norm.running_mean), mean));
      CHECK(near(values_of(norm.running_var), variance));
    }
    norm.eval();
    const Tensor x = randn({5, 3}, f64);
    CHECK(near(values_of(norm(x)), normalised(values_of(x), 3, mean, variance, eps, norm.weight, norm.bias)));
    CHECK(norm(randn({1, 3}, f64) * 9.0).shape() == Shape{1, 3});  // one row has no statistics of its own
    CHECK(near(values_of(norm.running_mean), mean));
    CHECK(near(values_of(norm.running_var), variance));
    norm.train();
    norm(x);
    CHECK(!near(values_of(norm.running_mean), mean));
  }
}

TEST_CASE("LayerNorm passes on eps, weight and bias") {
  manual_seed(7);
  for (const double eps : {1e-5, 0.7}) {
    nn::LayerNorm norm = eps == 0.7 ? nn::LayerNorm(4, {.eps = 0.7}) : nn::LayerNorm(4);
    spread(norm);
    const Tensor x = randn({3, 2, 4}, f64);
    const Values v = values_of(x), w = values_of(norm.weight), b = values_of(norm.bias);
    Values expected(24);
    for (std::size_t row = 0; row < 6; ++row) {
      double mean = 0, variance = 0;
      for (std::size_t c = 0; c < 4; ++c) mean += v[row * 4 + c] / 4;
      for (std::size_t c = 0; c < 4; ++c) variance += std::pow(v[row * 4 + c] - mean, 2) / 4;
      for (std::size_t c = 0; c < 4; ++c)
        expected[row * 4 + c] = (v[row * 4 + c] - mean) / std::sqrt(variance + eps) * w[c] + b[c];
    }
    CHECK(near(values_of(norm(x)), expected));
    norm.eval();
    CHECK(near(values_of(norm(x)), expected));
  }
}

TEST_CASE_TEMPLATE("dropout keeps 1 - p of the elements, each divided by that", T, float, double) {
  manual_seed(8);
  const std::int64_t n = 70001;
  for (const double p : {0.1, 0.5, 0.85}) {
    CAPTURE(p);
    nn::Dropout layer(p);
    const Tensor x = parameter(rand({n}, dtype_of<T>) + 1.0);
    const Tensor y = layer(x);
    const Tensor weights = rand({n}, dtype_of<T>) + 1.0;
    y.backward(weights);
    const T scale = static_cast<T>(1 / (1 - p));
    Values kept;
    bool exact = true, gradients = true;
    for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
      const T in = x.data<T>()[i], out = y.data<T>()[i];
      kept.push_back(out != 0 ? 1 : 0);
      exact = exact && (out == 0 || out == in * scale);
      gradients = gradients && x.grad().data<T>()[i] == (out != 0 ? weights.data<T>()[i] * scale : T(0));
    }
    CHECK(exact);
    CHECK(gradients);
    CHECK(plausible(std::accumulate(kept.begin(), kept.end(), 0.0), static_cast<double>(n), 1 - p));
    for (double& k : kept) k = (k - (1 - p)) / std::sqrt(p * (1 - p));
    for (std::size_t lag = 1; lag <= 128; ++lag) CHECK(uncorrelated(kept, lag));
    CHECK(!same(layer(x), y));  // other elements each time
  }
}

TEST_CASE("dropout does nothing in evaluation or with p = 0") {
  manual_seed(9);
  const Tensor x = randn({100});
  const GeneratorState before = default_generator().state();
  nn::Dropout none(0.0), half;
  CHECK(half.p == 0.5);
  CHECK(same(none(x), x));
  half.eval();
  CHECK(same(half(x), x));
  CHECK(default_generator().state() == before);
  half.train();
  CHECK(!same(half(x), x));
  CHECK_THROWS_AS(nn::Dropout(-0.1), Error);
  CHECK_THROWS_AS(nn::Dropout(1.0), Error);
}
