#pragma once
// Google Benchmarks of an op, from its row. Not compiled into weft::testing: who includes this links
// benchmark::benchmark.
#include <benchmark/benchmark.h>
#include <weft/engine/backward.hpp>
#include <weft/engine/grad_mode.hpp>
#include <weft/engine/random.hpp>
#include <weft/engine/threads.hpp>
#include <weft/testing/limits.hpp>
#include <weft/testing/op_row.hpp>

#include <memory>
#include <tuple>
#include <utility>

namespace weft::testing {

struct BenchOptions {
  std::vector<std::int64_t> sizes = {1'000, 50'000, 2'000'000};  ///< elements, about
  DType dtype = f32;
};

namespace detail {

// One way to run a row, at one size.
class Bench {
 public:
  enum Kind { raw, forward, forward_tape, forward_backward };

  Bench(std::shared_ptr<const OpRow> row, Kind kind, std::int64_t n, DType dtype)
      : row_(std::move(row)), kind_(kind), n_(n), dtype_(dtype) {}

  void operator()(benchmark::State& state) const {
    set_num_threads(1);
    Tensors inputs, leaves;
    for (const Tensor& t : drawn()) {
      inputs.push_back(t.detach());
      if (kind_ < forward_tape || !is_floating(t.dtype())) continue;
      leaves.push_back(inputs.back());
      leaves.back().set_requires_grad(true);
    }
    Tensors results = row_->function(inputs);
    const std::int64_t elements = count(results);
    double bytes = bytes_of(inputs) + bytes_of(results), operations = row_->flops ? row_->flops(n_) : 0;
    switch (kind_) {
      case raw: {
        std::vector<float> out(static_cast<std::size_t>(results[0].size()), 1.0F);
        for (auto _ : state) {
          row_->raw(inputs, out.data());
          benchmark::DoNotOptimize(out.data());
          benchmark::ClobberMemory();
        }
        break;
      }
      case forward: {
        const NoGrad off;
        results.clear();
        repeat(state, [&] { keep(row_->function(inputs)); });
        break;
      }
      case forward_tape: {
        results.clear();
        repeat(state, [&] { keep(row_->function(inputs)); });
        break;
      }
      case forward_backward: {
        GradOptions options{.allow_unused = true};
        for (const Tensor& result : recorded(results)) options.grad_outputs.push_back(randn_like(result));
        results.clear();
        repeat(state, [&] { keep(grad(recorded(row_->function(inputs)), leaves, options)); });
        // Forward, then the results' gradients and the inputs read and the inputs' gradients written.
        bytes = 2 * bytes + bytes_of(leaves);
        operations *= 3;
        break;
      }
    }
    const auto runs = static_cast<double>(state.iterations());
    state.counters["bytes"] = bytes;
    state.counters["operations"] = operations;
    state.counters["elements"] = static_cast<double>(elements);
    if (operations > 0)
      state.counters["FLOPS"] = benchmark::Counter(operations * runs, benchmark::Counter::kIsRate);
    else
      state.SetBytesProcessed(static_cast<std::int64_t>(bytes * runs));
    // 1: as fast as the machine could be.
    const double least = least_seconds(operations, static_cast<std::int64_t>(bytes), dtype_);
    state.counters["of_limit"] = benchmark::Counter(least * runs, benchmark::Counter::kIsRate);
  }

 private:
  // Once before the clock runs: then the memory that is needed is there.
  template <class F>
  static void repeat(benchmark::State& state, F run) {
    run();
    for (auto _ : state) run();
  }
  // Drawn from the row's domains: never zeros, whose arithmetic may be cheaper. Drawing takes longer than most ops, and
  // a benchmark is called several times until it runs long enough: the last are kept.
  const Tensors& drawn() const {
    static std::tuple<std::shared_ptr<const OpRow>, std::int64_t, DType> of;
    static Tensors inputs;
    if (of != std::tuple(row_, n_, dtype_)) {
      inputs = make_inputs(row_->sized(n_), dtype_);
      of = {row_, n_, dtype_};
    }
    return inputs;
  }
  static double bytes_of(const Tensors& tensors) {
    double bytes = 0;
    for (const Tensor& t : tensors) bytes += static_cast<double>(t.size()) * static_cast<double>(size_of(t.dtype()));
    return bytes;
  }
  static std::int64_t count(const Tensors& tensors) {
    std::int64_t n = 0;
    for (const Tensor& t : tensors) n += t.size();
    return n;
  }
  static Tensors recorded(Tensors results) {
    std::erase_if(results, [](const Tensor& t) { return !t.requires_grad(); });
    return results;
  }
  // What a result's first element depends on cannot be optimised away: the ops are calls into the library.
  static void keep(const Tensors& results) {
    for (const Tensor& result : results)
      if (result.defined()) benchmark::DoNotOptimize(result.impl()->storage->data());
    benchmark::ClobberMemory();
  }

  std::shared_ptr<const OpRow> row_;
  Kind kind_;
  std::int64_t n_;
  DType dtype_;
};

}  // namespace detail

/// Registers benchmarks "op/TITLE/KIND/SIZE" on one thread: the row's raw loop if it has one, forward, forward with the
/// tape, forward with backward. Each tells bytes or operations a second (the least that has to be read and written, or
/// the row's floating-point operations), and `of_limit`, which part that is of what the machine could do, as
/// least_seconds has it. Nothing for a row without `sized`.
inline void bench_op(const OpRow& row, const BenchOptions& options = {}) {
  if (!row.sized) return;
  using detail::Bench;
  const auto kept = std::make_shared<const OpRow>(row);
  const std::pair<Bench::Kind, const char*> kinds[] = {{Bench::raw, "raw"},
                                                       {Bench::forward, "forward"},
                                                       {Bench::forward_tape, "forward_tape"},
                                                       {Bench::forward_backward, "forward_backward"}};
  for (const auto& [kind, name] : kinds)
    for (const std::int64_t n : options.sizes) {
      const bool wanted =
          kind == Bench::raw ? row.raw && options.dtype == f32 : kind == Bench::forward || row.differentiable;
      const std::string title = "op/" + row.title() + "/" + name + "/" + std::to_string(n);
      if (wanted) benchmark::RegisterBenchmark(title.c_str(), Bench(kept, kind, n, options.dtype));
    }
}

}  // namespace weft::testing
