#pragma once
// Activations as modules, for Sequential; in plain code the functions themselves are simpler.
#include <weft/nn/module.hpp>
#include <weft/ops/softmax.hpp>
#include <weft/ops/unary.hpp>

namespace weft::nn {

struct ReLU : Module {
  Tensor forward(const Tensor& x) override { return relu(x); }
};
struct Tanh : Module {
  Tensor forward(const Tensor& x) override { return tanh(x); }
};
struct Sigmoid : Module {
  Tensor forward(const Tensor& x) override { return sigmoid(x); }
};
struct Softplus : Module {
  Tensor forward(const Tensor& x) override { return softplus(x); }
};
struct Gelu : Module {
  explicit Gelu(GeluForm gelu_form = GeluForm::exact) : form(gelu_form) {}
  Tensor forward(const Tensor& x) override { return gelu(x, form); }
  const GeluForm form;
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
