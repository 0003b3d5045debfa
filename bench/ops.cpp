// Every row of the op table that has benchmark inputs, f32, one thread, at three sizes: the raw loop where there is
// one, forward, forward + tape, forward + backward. Rates count the least that has to be read and written, or the row's
// floating-point operations.
#include <benchmark/benchmark.h>
#include <tests/support/op_table.hpp>
#include <weft/engine/backward.hpp>
#include <weft/engine/grad_mode.hpp>
#include <weft/engine/random.hpp>
#include <weft/engine/threads.hpp>

#include <memory>
#include <numeric>

#include "raw.hpp"

namespace {

using weft::Tensor;
using weft::Tensors;
using weft::test::OpRow;

constexpr std::int64_t sizes[] = {1'000, 50'000, 2'000'000};

double bytes_of(const Tensors& tensors) {
  return std::accumulate(tensors.begin(), tensors.end(), 0.0, [](double bytes, const Tensor& t) {
    return bytes + static_cast<double>(t.size()) * static_cast<double>(weft::size_of(t.dtype()));
  });
}

Tensors trainable(const Tensors& inputs) {
  Tensors leaves;
  for (const Tensor& t : inputs)
    if (weft::is_floating(t.dtype())) leaves.push_back(t);
  return leaves;
}

// Inputs drawn from the row's domains: never zeros, whose arithmetic may be cheaper.
Tensors draw(const OpRow& row, std::int64_t n, bool differentiable) {
  weft::set_num_threads(1);
  Tensors inputs = weft::test::make_inputs(row.sized(n), weft::f32);
  if (differentiable)
    for (Tensor& leaf : inputs)
      if (weft::is_floating(leaf.dtype())) leaf.set_requires_grad(true);
  return inputs;
}

// What a result's first element depends on cannot be optimised away: the ops are calls into the library.
void keep(const Tensors& results) {
  for (const Tensor& result : results) benchmark::DoNotOptimize(result.impl()->storage->data());
  benchmark::ClobberMemory();
}

void rate(benchmark::State& state, const OpRow& row, std::int64_t n, double bytes, double passes) {
  const auto iterations = static_cast<double>(state.iterations());
  if (row.flops)
    state.counters["FLOPS"] = benchmark::Counter(row.flops(n) * passes * iterations, benchmark::Counter::kIsRate);
  else
    state.SetBytesProcessed(static_cast<std::int64_t>(bytes * iterations));
}

void run_raw(benchmark::State& state, const OpRow& row, std::int64_t n) {
  const weft::bench::RawLoop loop = weft::bench::raw_loop(row.name);
  const Tensors inputs = draw(row, n, false);
  const Tensors results = row.function(inputs);
  std::vector<float> out(static_cast<std::size_t>(results[0].size()), 1.0F);
  for (auto _ : state) {
    loop(inputs, out.data());
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  rate(state, row, n, bytes_of(inputs) + bytes_of(results), 1);
}

void run_forward(benchmark::State& state, const OpRow& row, std::int64_t n) {
  const weft::NoGrad off;
  const Tensors inputs = draw(row, n, false);
  const double bytes = bytes_of(inputs) + bytes_of(row.function(inputs));
  for (auto _ : state) keep(row.function(inputs));
  rate(state, row, n, bytes, 1);
}

void run_recorded(benchmark::State& state, const OpRow& row, std::int64_t n) {
  const Tensors inputs = draw(row, n, true);
  const double bytes = bytes_of(inputs) + bytes_of(row.function(inputs));
  for (auto _ : state) keep(row.function(inputs));
  rate(state, row, n, bytes, 1);
}

void run_backward(benchmark::State& state, const OpRow& row, std::int64_t n) {
  const Tensors inputs = draw(row, n, true), leaves = trainable(inputs);
  const auto differentiable_results = [&] {
    Tensors results = row.function(inputs);
    std::erase_if(results, [](const Tensor& t) { return !t.requires_grad(); });
    return results;
  };
  weft::GradOptions options{.allow_unused = true};
  const Tensors results = differentiable_results();
  for (const Tensor& result : results) options.grad_outputs.push_back(weft::randn_like(result));
  // Forward, then the results' gradients and the inputs read and the inputs' gradients written.
  const double bytes = 2 * (bytes_of(inputs) + bytes_of(results)) + bytes_of(leaves);
  for (auto _ : state) {
    Tensors gradients = weft::grad(differentiable_results(), leaves, options);
    std::erase_if(gradients, [](const Tensor& t) { return !t.defined(); });
    keep(gradients);
  }
  rate(state, row, n, bytes, 3);
}

using Run = void (*)(benchmark::State&, const OpRow&, std::int64_t);

void add(const OpRow& row, const char* kind, Run run) {
  for (const std::int64_t n : sizes) {
    const std::string name = "op/" + row.title() + "/" + kind + "/" + std::to_string(n);
    benchmark::RegisterBenchmark(name.c_str(), [&row, run, n](benchmark::State& state) { run(state, row, n); });
  }
}

void add_rows() {
  for (const OpRow& row : weft::test::op_table()) {
    if (!row.sized) continue;
    if (row.variant.empty() && weft::bench::raw_loop(row.name)) add(row, "raw", run_raw);
    add(row, "forward", run_forward);
    if (!row.differentiable) continue;
    add(row, "forward_tape", run_recorded);
    add(row, "forward_backward", run_backward);
  }
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  add_rows();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
