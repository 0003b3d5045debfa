// Every activation module is its function, with the options it was given.
#include <doctest/doctest.h>
#include <tests/support/array.hpp>
#include <weft/weft.hpp>

using namespace weft;

namespace {

struct Row {
  const char* name;
  nn::ModulePtr module;
  std::function<Tensor(const Tensor&)> function;
};

template <class M, class F, class... Options>
Row row(const char* name, F function, Options... options) {
  return {name, nn::make<M>(options...), function};
}

}  // namespace

TEST_CASE("activation modules are their functions") {
  using T = const Tensor&;
  const std::vector<Row> rows = {
      row<nn::ReLU>("ReLU", [](T x) { return relu(x); }),
      row<nn::ReLU6>("ReLU6", [](T x) { return relu6(x); }),
      row<nn::LeakyReLU>("LeakyReLU", [](T x) { return leaky_relu(x); }),
      row<nn::LeakyReLU>(
          "LeakyReLU(0.3)", [](T x) { return leaky_relu(x, 0.3); }, 0.3),
      row<nn::Elu>("Elu", [](T x) { return elu(x); }),
      row<nn::Elu>(
          "Elu(0.7)", [](T x) { return elu(x, 0.7); }, 0.7),
      row<nn::Selu>("Selu", [](T x) { return selu(x); }),
      row<nn::Celu>("Celu", [](T x) { return celu(x); }),
      row<nn::Celu>(
          "Celu(0.7)", [](T x) { return celu(x, 0.7); }, 0.7),
      row<nn::Tanh>("Tanh", [](T x) { return tanh(x); }),
      row<nn::Hardtanh>("Hardtanh", [](T x) { return hardtanh(x); }),
      row<nn::Hardtanh>(
          "Hardtanh(-2, 0.5)", [](T x) { return hardtanh(x, -2, 0.5); }, -2.0, 0.5),
      row<nn::Softsign>("Softsign", [](T x) { return softsign(x); }),
      row<nn::Sigmoid>("Sigmoid", [](T x) { return sigmoid(x); }),
      row<nn::LogSigmoid>("LogSigmoid", [](T x) { return log_sigmoid(x); }),
      row<nn::Hardsigmoid>("Hardsigmoid", [](T x) { return hardsigmoid(x); }),
      row<nn::Softplus>("Softplus", [](T x) { return softplus(x); }),
      row<nn::Gelu>("Gelu", [](T x) { return gelu(x); }),
      row<nn::Gelu>(
          "Gelu(tanh)", [](T x) { return gelu(x, GeluForm::tanh); }, GeluForm::tanh),
      row<nn::SiLU>("SiLU", [](T x) { return silu(x); }),
      row<nn::Mish>("Mish", [](T x) { return mish(x); }),
      row<nn::Hardswish>("Hardswish", [](T x) { return hardswish(x); }),
      row<nn::Softmax>(
          "Softmax(0)", [](T x) { return softmax(x, 0); }, 0),
      row<nn::LogSoftmax>("LogSoftmax", [](T x) { return log_softmax(x, -1); }),
  };
  const Tensor x = reshape(linspace(-7.13, 7.2, 30, f64), {5, 6});
  for (const Row& a : rows) {
    INFO(a.name);
    CHECK(test::values_of((*a.module)(x)) == test::values_of(a.function(x)));
    CHECK(a.module->parameters().empty());
  }
}
