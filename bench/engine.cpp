// What the engine itself costs: time a node by the graph's size and shape, teardown, and peak memory.
#include <benchmark/benchmark.h>
#include <weft/engine/backward.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/grad_mode.hpp>
#include <weft/engine/memory.hpp>
#include <weft/engine/random.hpp>
#include <weft/engine/threads.hpp>
#include <weft/ops/ops.hpp>

#include <chrono>

namespace {

using weft::Tensor;

Tensor leaf() { return weft::parameter(weft::randn({16})); }
// Near 1, so that neither values nor gradients of a long chain underflow or overflow, which has costs of its own.
Tensor factor() { return 1.0 + 1e-6 * weft::randn({16}); }

// `nodes` additions and products in turn.
Tensor chain(const Tensor& x, const Tensor& c, std::int64_t nodes) {
  Tensor y = x;
  for (std::int64_t i = 0; i < nodes; i += 2) {
    y = y + c;
    y = y * c;
  }
  return y;
}

void per_node(benchmark::State& state, std::int64_t nodes) {
  state.counters["s/node"] = benchmark::Counter(static_cast<double>(nodes) * static_cast<double>(state.iterations()),
                                                benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void finish(benchmark::State& state, std::int64_t nodes, const weft::MemoryStats& before) {
  per_node(state, nodes);
  const auto peak = static_cast<double>(weft::memory_stats().peak_bytes - before.bytes);
  state.counters["peak_bytes/node"] = peak / static_cast<double>(nodes);
}

weft::MemoryStats start() {
  weft::set_num_threads(1);
  weft::manual_seed(0);
  weft::reset_peak_bytes();
  return weft::memory_stats();
}

// Forward alone, the graph dropped afterwards outside the measured time.
void BM_chain_forward(benchmark::State& state) {
  const auto before = start();
  const Tensor x = leaf(), c = factor();
  for (auto _ : state) {
    Tensor y = chain(x, c, state.range(0));
    benchmark::DoNotOptimize(y.impl());
    state.PauseTiming();
    y = Tensor();
    state.ResumeTiming();
  }
  finish(state, state.range(0), before);
}
BENCHMARK(BM_chain_forward)->Name("engine/chain/forward")->RangeMultiplier(10)->Range(1000, 1'000'000);

void BM_chain(benchmark::State& state) {
  const auto before = start();
  Tensor x = leaf();
  const Tensor c = factor();
  for (auto _ : state) {
    sum(chain(x, c, state.range(0))).backward();
    benchmark::DoNotOptimize(x.grad().impl());
    x.zero_grad();
  }
  finish(state, state.range(0), before);
}
BENCHMARK(BM_chain)->Name("engine/chain/forward_backward")->RangeMultiplier(10)->Range(1000, 1'000'000);

// Dropping a graph that was never differentiated.
void BM_teardown(benchmark::State& state) {
  using Clock = std::chrono::steady_clock;
  start();
  const Tensor x = leaf(), c = factor();
  for (auto _ : state) {
    Tensor y = chain(x, c, state.range(0));
    const auto begin = Clock::now();
    y = Tensor();
    state.SetIterationTime(std::chrono::duration<double>(Clock::now() - begin).count());
  }
  per_node(state, state.range(0));
}
BENCHMARK(BM_teardown)->Name("engine/chain/teardown")->RangeMultiplier(10)->Range(1000, 1'000'000)->UseManualTime();

// One tensor with 10,000 consumers, whose gradients meet there.
void BM_fan_out(benchmark::State& state) {
  const auto before = start();
  Tensor x = leaf();
  const Tensor c = factor();
  for (auto _ : state) {
    const Tensor shared = x * c;
    weft::Tensors consumers;
    for (std::int64_t i = 0; i < state.range(0); ++i) consumers.push_back(shared * c);
    sum(stack(consumers)).backward();
    benchmark::DoNotOptimize(x.grad().impl());
    x.zero_grad();
  }
  finish(state, state.range(0), before);
}
BENCHMARK(BM_fan_out)->Name("engine/fan_out")->Arg(10'000);

// Nodes with two outputs: a chain of split, then concat.
void BM_split_concat(benchmark::State& state) {
  const auto before = start();
  Tensor x = leaf();
  for (auto _ : state) {
    Tensor y = x;
    for (std::int64_t i = 0; i < state.range(0); ++i) {
      const weft::Tensors halves = split(y, 8);
      y = weft::concat({halves[1], halves[0]});
    }
    sum(y * y).backward();
    benchmark::DoNotOptimize(x.grad().impl());
    x.zero_grad();
  }
  finish(state, 2 * state.range(0), before);
}
BENCHMARK(BM_split_concat)->Name("engine/split_concat")->RangeMultiplier(10)->Range(1000, 100'000);

// Gradients of gradients: the first sweep is recorded, the second runs over what it recorded.
void BM_second_order(benchmark::State& state) {
  const auto before = start();
  Tensor x = leaf();
  const Tensor c = factor();
  for (auto _ : state) {
    const Tensor y = sum(square(chain(x, c, state.range(0))));
    const Tensor first = grad(y, {x}, {.create_graph = true})[0];
    sum(first).backward();
    benchmark::DoNotOptimize(x.grad().impl());
    x.zero_grad();
  }
  finish(state, state.range(0), before);
}
BENCHMARK(BM_second_order)->Name("engine/second_order")->RangeMultiplier(10)->Range(1000, 100'000);

}  // namespace
