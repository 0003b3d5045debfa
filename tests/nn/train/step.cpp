// What an optimiser's step costs besides its arithmetic: nothing on the tape, no memory, one update a parameter.
#include <doctest/doctest.h>
#include <weft/weft.hpp>

#include <memory>

using namespace weft;

namespace {

struct Calls : Observer {
  int count = 0;
  void before(const OpCall&) override { ++count; }
  void after(const OpCall&) override {}
};

Tensors parameters_with_gradients(DType dtype) {
  Tensors parameters;
  for (const Shape& shape : {Shape{300, 70}, Shape{70}, Shape{}, Shape{0, 4}, Shape{100'003}}) {
    Tensor p = parameters.emplace_back(parameter(randn(shape, dtype)));
    p.set_grad(randn(shape, dtype));
  }
  return parameters;
}

struct MineOptions {
  double lr = 0.1;
};

// Counts its updates, and adds 1 to its state.
struct Mine : nn::OptimizerOf<Mine, MineOptions> {
  using OptimizerOf::OptimizerOf;
  static constexpr const char* name = "Mine";
  static std::vector<std::string> slots(const std::vector<MineOptions>&) { return {"count"}; }
  static void check(const MineOptions&) {}
  static void update(Tensor& p, const Tensor& g, Tensors& slots, const MineOptions&, std::int64_t step) {
    updated.push_back(p.impl());
    CHECK(p.grad().impl() == g.impl());
    CHECK(slots.size() == 1);
    slots[0].add_(1.0);
    CHECK(max(slots[0]).item() == static_cast<double>(step));
  }
  static inline std::vector<const detail::TensorImpl*> updated;
};

}  // namespace

TEST_CASE("a step runs no op and takes no memory") {
  manual_seed(1);
  for (const DType dtype : {f32, f64}) {
    const Tensors parameters = parameters_with_gradients(dtype);
    std::vector<std::unique_ptr<nn::Optimizer>> optimizers;
    optimizers.push_back(std::make_unique<nn::Sgd>(parameters));
    optimizers.push_back(std::make_unique<nn::Sgd>(
        parameters, nn::SgdOptions{.momentum = 0.9, .weight_decay = 0.1, .nesterov = true, .l1 = 0.1}));
    optimizers.push_back(std::make_unique<nn::Adam>(parameters));
    optimizers.push_back(std::make_unique<nn::AdamW>(parameters));
    optimizers.push_back(
        std::make_unique<nn::RmsProp>(parameters, nn::RmsPropOptions{.momentum = 0.5, .centered = true}));
    optimizers.push_back(std::make_unique<nn::Adagrad>(parameters));
    for (const auto& optimizer : optimizers) {
      Calls calls;
      const Tensor before = parameters.back().detach().clone();
      {
        const Observe observe(calls);
        reset_peak_bytes();
        const MemoryStats start = memory_stats();
        optimizer->step();
        const MemoryStats end = memory_stats();
        CHECK(end.peak_bytes == start.bytes);
        CHECK(end.bytes == start.bytes);
        CHECK(end.storages == start.storages);
        CHECK(end.nodes == start.nodes);
      }
      CHECK(calls.count == 0);
      CHECK(!allclose(before, parameters.back(), 0, 0));
    }
    // The observer and the counts do see an op.
    Calls calls;
    const Observe observe(calls);
    reset_peak_bytes();
    const std::int64_t bytes = memory_stats().bytes;
    exp(parameters[0].detach());
    CHECK(calls.count == 1);
    CHECK(memory_stats().peak_bytes >= bytes + parameters[0].size() * static_cast<std::int64_t>(size_of(dtype)));
  }
}

TEST_CASE("a step updates each parameter that has a gradient once") {
  manual_seed(2);
  Tensors parameters = parameters_with_gradients(f64);
  parameters.erase(parameters.begin() + 3);  // without elements there is no largest one to look at
  parameters[1].zero_grad();
  Mine optimizer({{{parameters[0], parameters[1]}, {}}, {{parameters[2], parameters[3]}, {.lr = 0.2}}});
  for (int step = 0; step < 3; ++step) {
    Mine::updated.clear();
    optimizer.step();
    CHECK(Mine::updated ==
          std::vector<const detail::TensorImpl*>{parameters[0].impl(), parameters[2].impl(), parameters[3].impl()});
  }
}
