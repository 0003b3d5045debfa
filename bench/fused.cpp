// Functions of one's own, forward and backward: as one op by fused(), and as the plain ops that the same text makes.
#include <benchmark/benchmark.h>
#include <weft/engine/backward.hpp>
#include <weft/engine/random.hpp>
#include <weft/engine/threads.hpp>
#include <weft/ops/fused.hpp>

#include <cmath>

namespace {

using namespace weft;

// Operands of one shape, about square, but for the first `rows` of them, which are rows.
Tensors operands(int count, int rows, std::int64_t n) {
  const auto side = static_cast<std::int64_t>(std::sqrt(static_cast<double>(n)));
  Generator random(7);
  Tensors made;
  for (int k = 0; k < count; ++k) {
    made.push_back(k < rows ? randn({side}, f32, random) : randn({side, side}, f32, random));
    made.back().set_requires_grad(true);
  }
  return made;
}

template <std::size_t count, class F>
void add_benchmark(const std::string& name, int rows, F f) {
  const auto run = [rows, f](benchmark::State& state) {
    set_num_threads(static_cast<int>(state.range(1)));
    const Tensors in = operands(count, rows, state.range(0));
    const auto call = [&] {
      return [&]<std::size_t... I>(std::index_sequence<I...>) { return f(in[I]...); }
      (std::make_index_sequence<count>{});
    };
    const GradOptions options{.grad_outputs = {randn_like(call())}};
    for (auto _ : state) {
      const Tensors gradients = grad(call(), in, options);
      benchmark::DoNotOptimize(gradients.data());
    }
    set_num_threads(1);
  };
  benchmark::RegisterBenchmark((name + "/forward_backward").c_str(), run)
      ->ArgsProduct({{10'000, 1'000'000}, {1, 2}})
      ->UseRealTime();
}

template <std::size_t count, class F>
int add_pair(const std::string& name, int rows, F f) {
  add_benchmark<count>("own/" + name + "/plain", rows, f);
  add_benchmark<count>("own/" + name + "/fused", rows, fused(f));
  return 0;
}

[[maybe_unused]] const int registered[] = {
    add_pair<2>("biased_swish", 1,
                [](auto bias, auto x) {
                  const auto z = x + bias;
                  return z * sigmoid(z);
                }),
    add_pair<1>("tanh_gelu", 0,
                [](auto x) { return 0.5 * x * (1.0 + tanh(0.7978845608 * (x + 0.044715 * (x * x * x)))); }),
    add_pair<4>("gate", 0, [](auto a, auto b, auto c, auto d) { return a * sigmoid(b) + c * tanh(d); }),
    add_pair<1>("soft", 0, [](auto x) { return maximum(x, 0.0) + log1p(exp(-abs(x))); }),
    add_pair<2>("chain", 0, [](auto x, auto y) { return ((x * y + 0.5) * x - 0.25 * y) * (x + y) + x * 2.0; })};

}  // namespace
