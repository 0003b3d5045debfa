// A step of each optimiser on a parameter far too large for the caches, beside a copy: bytes a second. What a step has
// to read and write is all that it should cost.
#include <benchmark/benchmark.h>
#include <weft/engine/create.hpp>
#include <weft/engine/grad_mode.hpp>
#include <weft/engine/random.hpp>
#include <weft/engine/threads.hpp>
#include <weft/nn/nn.hpp>

#include <functional>
#include <string>

namespace {

using weft::Tensor;
using namespace weft::nn;

constexpr std::int64_t elements = 10'000'000;

// `passes`: how many numbers are read or written for each element.
void run(benchmark::State& state, std::int64_t passes, const std::function<void()>& step) {
  weft::set_num_threads(1);
  for (auto _ : state) step();
  state.SetBytesProcessed(state.iterations() * passes * elements * static_cast<std::int64_t>(sizeof(float)));
}

// The parameter and each of its state tensors is read and written, the gradient read.
template <class Optimizer, class Options>
void add(const std::string& name, const Options& options, std::int64_t slots) {
  benchmark::RegisterBenchmark(("train/step/" + name).c_str(), [=](benchmark::State& state) {
    Tensor p = weft::parameter(weft::randn({elements}));
    p.set_grad(weft::randn({elements}));
    Optimizer optimizer(weft::Tensors{p}, options);
    run(state, 3 + 2 * slots, [&] { optimizer.step(); });
  });
}

const bool added = [] {
  benchmark::RegisterBenchmark("train/copy", [](benchmark::State& state) {
    const weft::NoGrad off;
    const Tensor from = weft::randn({elements});
    Tensor to = weft::randn({elements});
    run(state, 2, [&] { to.copy_(from); });
  });
  add<Sgd>("Sgd", SgdOptions{}, 0);
  add<Sgd>("Sgd momentum", SgdOptions{.momentum = 0.9}, 1);
  add<Adam>("Adam", AdamOptions{}, 2);
  add<AdamW>("AdamW", AdamWOptions{}, 2);
  add<RmsProp>("RmsProp", RmsPropOptions{}, 1);
  add<RmsProp>("RmsProp momentum centered", RmsPropOptions{.momentum = 0.9, .centered = true}, 3);
  add<Adagrad>("Adagrad", AdagradOptions{}, 1);
  return true;
}();

}  // namespace
