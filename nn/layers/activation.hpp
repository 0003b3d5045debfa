#pragma once
// Activations as modules, for Sequential; in plain code the functions themselves are simpler.
#include <weft/nn/module.hpp>
#include <weft/ops/activation.hpp>
#include <weft/ops/softmax.hpp>
#include <weft/ops/unary.hpp>

namespace weft::nn {

struct ReLU : Module {
  Tensor forward(const Tensor& x) override { return relu(x); }
};
struct ReLU6 : Module {
  Tensor forward(const Tensor& x) override { return relu6(x); }
};
struct LeakyReLU : Module {
  explicit LeakyReLU(double negative_slope = 0.01) : slope(negative_slope) {}
  Tensor forward(const Tensor& x) override { return leaky_relu(x, slope); }
  const double slope;
};
struct Elu : Module {
  explicit Elu(double below = 1) : alpha(below) {}
  Tensor forward(const Tensor& x) override { return elu(x, alpha); }
  const double alpha;
};
struct Selu : Module {
  Tensor forward(const Tensor& x) override { return selu(x); }
};
struct Celu : Module {
  explicit Celu(double below = 1) : alpha(below) {}
  Tensor forward(const Tensor& x) override { return celu(x, alpha); }
  const double alpha;
};
struct Tanh : Module {
  Tensor forward(const Tensor& x) override { return tanh(x); }
};
struct Hardtanh : Module {
  explicit Hardtanh(double least = -1, double most = 1) : low(least), high(most) {}
  Tensor forward(const Tensor& x) override { return hardtanh(x, low, high); }
  const double low, high;
};
struct Softsign : Module {
  Tensor forward(const Tensor& x) override { return softsign(x); }
};
struct Sigmoid : Module {
  Tensor forward(const Tensor& x) override { return sigmoid(x); }
};
struct LogSigmoid : Module {
  Tensor forward(const Tensor& x) override { return log_sigmoid(x); }
};
struct Hardsigmoid : Module {
  Tensor forward(const Tensor& x) override { return hardsigmoid(x); }
};
struct Softplus : Module {
  Tensor forward(const Tensor& x) override { return softplus(x); }
};
struct Gelu : Module {
  explicit Gelu(GeluForm gelu_form = GeluForm::exact) : form(gelu_form) {}
  Tensor forward(const Tensor& x) override { return gelu(x, form); }
  const GeluForm form;
};
struct SiLU : Module {
  Tensor forward(const Tensor& x) override { return silu(x); }
};
struct Mish : Module {
  Tensor forward(const Tensor& x) override { return mish(x); }
};
struct Hardswish : Module {
  Tensor forward(const Tensor& x) override { return hardswish(x); }
};
struct Softmax : Module {
  explicit Softmax(int along = -1) : axis(along) {}
  Tensor forward(const Tensor& x) override { return softmax(x, axis); }
  const int axis;
};
struct LogSoftmax : Module {
  explicit LogSoftmax(int along = -1) : axis(along) {}
  Tensor forward(const Tensor& x) override { return log_softmax(x, axis); }
  const int axis;
};

}  // namespace weft::nn
