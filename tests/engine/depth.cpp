// Depth and memory: long chains without recursion, and live counts that return to where they started.
#include <doctest/doctest.h>
#include <weft/engine/backward.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/memory.hpp>
#include <weft/engine/op.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/reshape.hpp>
#include <weft/ops/unary.hpp>

using namespace weft;

namespace {

// Checks that what a scope held is given back at its end.
class Balance {
 public:
  Balance() : before_(memory_stats()) {}
  ~Balance() {
    const MemoryStats after = memory_stats();
    CHECK(after.nodes == before_.nodes);
    CHECK(after.storages == before_.storages);
    CHECK(after.bytes == before_.bytes);
  }
  MemoryStats since() const {
    MemoryStats now = memory_stats();
    now.nodes -= before_.nodes;
    now.storages -= before_.storages;
    return now;
  }

 private:
  MemoryStats before_;
};

Tensor chain_of(const Tensor& x, int length) {
  Tensor y = x;
  for (int i = 0; i < length; ++i) y = y + 1.0;
  return y;
}

Tensor split_and_concat(const Tensor& x, int pairs) {
  Tensor y = x;
  for (int i = 0; i < pairs; ++i) {
    const Tensors halves = split(y, 1);
    y = concat({halves[1], halves[0]});
  }
  return y;
}

}  // namespace

TEST_CASE("a chain of a million nodes") {
  const Balance balance;
  Tensor x = parameter(scalar(0, f64));
  {
    Tensor y = chain_of(x, 1'000'000);
    CHECK(balance.since().nodes == 1'000'000);
    y.backward();
    CHECK(x.grad().item() == 1);
  }
  CHECK(balance.since().nodes == 0);
  { const Tensor dropped = chain_of(x, 1'000'000); }
  CHECK(balance.since().nodes == 0);
  const Tensor y = chain_of(x, 100'000);
  CHECK(grad(y, {x}, {.create_graph = true})[0].item() == 1);
}

TEST_CASE("a chain of 100,000 split-then-concat pairs") {
  const Balance balance;
  Tensor x = parameter(tensor({1, 2}, {2}, f64));
  {
    const Tensor y = split_and_concat(x, 100'000);
    CHECK(balance.since().nodes == 200'000);
    y.backward(tensor({3, 4}, {2}, f64));
    CHECK(x.grad().at({0}) == 3);
    CHECK(x.grad().at({1}) == 4);
  }
  { const Tensor dropped = split_and_concat(x, 100'000); }
  CHECK(balance.since().nodes == 0);
}

TEST_CASE("graphs of graphs, errors and hooks leave nothing behind") {
  const Balance balance;
  Tensor x = parameter(tensor({0.3, 0.4}, {2}, f64));
  for (int i = 0; i < 3; ++i) {
    Tensor y = sum(tanh(x) * x);
    Tensor first = grad(y, {x}, {.create_graph = true})[0];
    Tensor second = grad(sum(first * first), {x}, {.create_graph = true})[0];
    sum(second).backward();
    x.zero_grad();
    y = sum(tanh(x) * x);  // the last backward freed what it shared
    y.register_hook([](const Tensor& g) { return g * 2.0; });
    y.retain_grad();
    y.backward();
    CHECK_THROWS_AS(y.backward(), Error);
    x.zero_grad();
  }
  CHECK(balance.since().nodes == 0);
  CHECK(balance.since().storages == 1);
}

TEST_CASE("an op that saves its output makes no cycle") {
  const Balance balance;
  Tensor x = parameter(ones({4}, f64));
  { const Tensor y = exp(exp(x)); }
  CHECK(balance.since().nodes == 0);
}

namespace {
// Wrong, but no reason to leak: a member holds the output.
struct KeepsOutput : Op<KeepsOutput> {
  static constexpr const char* name = "keeps_output";
  Tensor kept;
  Tensor forward(Context&, const Tensor& x) { return kept = x * 2.0; }
  Tensors backward(Context&, const Tensor& g) { return {g * 2.0}; }
};
}  // namespace

namespace {
// Records what it does inside, which nobody asks for.
struct RecordsInside : Op<RecordsInside> {
  static constexpr const char* name = "records_inside";
  static Tensor forward(Context&, const Tensor& x) {
    const EnableGrad on;
    return x * 2.0;
  }
  static Tensor backward(Context&, const Tensor& g) { return g * 2.0; }
};
}  // namespace

TEST_CASE("what an op recorded inside goes with it") {
  const Balance balance;
  const Tensor x = parameter(ones({4}, f64));
  {
    const Tensor y = apply<RecordsInside>(x);
    CHECK(grad(sum(y), {x})[0].at({3}) == 2);
  }
  CHECK(balance.since().nodes == 0);
}

TEST_CASE("an op whose member holds its output makes no cycle") {
  const Balance balance;
  Tensor x = parameter(ones({4}, f64));
  {
    const Tensor y = apply<KeepsOutput>(x);
    CHECK(y.requires_grad());
  }
  CHECK(balance.since().nodes == 0);
}

TEST_CASE("a graph in static storage is freed at the very end") {
  static Tensor kept;
  thread_local Tensor kept_too;
  Tensor x = parameter(ones({2}, f64));
  kept = chain_of(x, 1000);
  kept_too = chain_of(x, 1000);
  CHECK(kept.requires_grad());
}

TEST_CASE("nodes count among the bytes") {
  Tensor x = parameter(scalar(0, f64));
  const std::int64_t before = memory_stats().bytes;
  const Tensor y = chain_of(x, 100);
  CHECK(memory_stats().bytes - before >= 100 * 64);
}

TEST_CASE("backward without a retained graph frees on the way") {
  const Balance balance;
  Tensor x = parameter(ones({1024}, f64));
  Tensor y = x;
  for (int i = 0; i < 100; ++i) y = tanh(y);
  CHECK(balance.since().storages == 101);
  const Tensor loss = sum(y);
  loss.backward();
  CHECK(balance.since().storages <= 5);
}
