// One training step of ResNet-20 held against PyTorch's figures (tests/figures/resnet20.py makes them).
#include <weft/weft.hpp>

#include <doctest/doctest.h>
#include <tests/support/figures.hpp>
#include <tests/support/numbers.hpp>

#include <cmath>

using namespace weft;
using nlohmann::json;

namespace {

double start_value(const std::string& name, const Shape& shape, double u) {
  const bool norm = name.find("bn") != std::string::npos, weight = name.ends_with("weight");
  if (norm && name.starts_with("stage3")) return u / 4 + (weight ? 1.0 : 0.0);
  if (norm && weight) return 0.25 + u / 16;
  if (name.ends_with("bn1.bias")) return (u < 0 ? -0.5 : 0.5) + u / 8;
  if (norm) return 1.0 + std::abs(u) / 4;
  if (shape.rank() == 1) return u / 4;
  const auto fan_in = static_cast<double>(shape.size() / shape[shape.rank() - 1]);
  double scale = 1.0;
  while (scale * scale * fan_in > 6.0) scale /= 2;
  return u * scale / (shape.rank() == 2 ? 8 : 1);
}

struct Start {
  nn::ModulePtr net;
  Tensor images, labels;
};

Start start(DType dtype) {
  Start s{nn::resnet_cifar(20), Tensor(), tensor({0, 3, 6, 9, 2, 5, 8, 1}, {8}, i64)};
  Numbers numbers(114);
  s.net->to(dtype);
  const NoGrad off;
  for (auto& [name, p] : s.net->named_parameters()) {
    std::vector<double> values = numbers.take(p.size());
    for (double& v : values) v = start_value(name, p.shape(), v);
    p.copy_(tensor(std::span<const double>(values), p.shape(), dtype));
  }
  s.images = tensor(std::span<const double>(numbers.take(8 * 16 * 16 * 3)), {8, 16, 16, 3}, dtype);
  return s;
}

// The largest deviation from the figures, relative to the tensor's norm.
double deviation(const Tensor& t, const json& figures, std::uint64_t index) {
  const Tensor wide = t.detach().to(f64);
  const auto values = wide.data<double>();
  Numbers numbers(1000 + index);
  double squares = 0, projection = 0;
  for (const double v : values) {
    squares += v * v;
    projection += v * numbers.next();
  }
  const double norm = figures["norm"];
  double worst =
      std::max(std::abs(std::sqrt(squares) - norm), std::abs(projection - figures["projection"].get<double>()));
  for (std::size_t i = 0; i < 8; ++i)
    worst = std::max(worst, std::abs(values[i * (values.size() - 1) / 7] - figures["samples"][i].get<double>()));
  return std::isfinite(squares) ? worst / norm : squares;  // the largest of numbers forgets a nan
}

const json& all_figures() {
  static const json figures = test::figures_in("resnet20.json");
  return figures;
}

// Loss, gradients, and parameters after one step of an optimiser, against PyTorch's in the same dtype.
template <class MakeOptimizer>
void compare(DType dtype, const char* kind, double tolerance, MakeOptimizer make_optimizer) {
  const json& figures = all_figures()[name_of(dtype)];
  Start s = start(dtype);
  auto optimizer = make_optimizer(s.net->parameters());
  const Tensor loss = nn::cross_entropy((*s.net)(s.images), s.labels);
  loss.backward();
  CHECK(std::abs(loss.item() / figures["loss"].get<double>() - 1.0) < tolerance);
  const auto check = [&](const char* part, const std::string& name, const char* of, const Tensor& t, std::size_t i) {
    CAPTURE(name);
    CHECK(deviation(t, of == nullptr ? figures[part][name] : figures[part][name][of], i) < tolerance);
  };
  const auto parameters = s.net->named_parameters(), buffers = s.net->named_buffers();
  REQUIRE(parameters.size() == figures["parameters"].size());
  REQUIRE(buffers.size() == figures["buffers"].size());
  for (std::size_t i = 0; i < parameters.size(); ++i)
    check("parameters", parameters[i].first, "gradient", parameters[i].second.grad(), i);
  optimizer.step();
  for (std::size_t i = 0; i < parameters.size(); ++i)
    check("parameters", parameters[i].first, kind, parameters[i].second, i);
  for (std::size_t i = 0; i < buffers.size(); ++i) check("buffers", buffers[i].first, nullptr, buffers[i].second, i);
}

nn::Sgd sgd(const Tensors& parameters) {
  return nn::Sgd(parameters, {.lr = 0.1, .momentum = 0.9, .weight_decay = 1e-4, .nesterov = true});
}

nn::Adam adam(const Tensors& parameters) {
  return nn::Adam(parameters, {.lr = 1e-3, .eps = 1e-4, .weight_decay = 1e-4});
}

}  // namespace

TEST_CASE("a step of ResNet-20 is PyTorch's in f64") {
  compare(f64, "sgd", 1e-10, sgd);
  compare(f64, "adam", 1e-10, adam);
}

TEST_CASE("a step of ResNet-20 is PyTorch's in f32") {
  compare(f32, "sgd", 1e-5, sgd);
  compare(f32, "adam", 1e-5, adam);
}
