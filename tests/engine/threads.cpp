// Several threads building and differentiating at once, on shared leaves and with a shared generator.
#include <doctest/doctest.h>
#include <tests/support/in_threads.hpp>
#include <tests/support/sanitized.hpp>
#include <weft/engine/backward.hpp>
#include <weft/engine/checkpoint.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/memory.hpp>
#include <weft/engine/op.hpp>
#include <weft/engine/profile.hpp>
#include <weft/engine/random.hpp>
#include <weft/engine/scope.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/unary.hpp>

#include <atomic>
#include <cmath>
#include <fstream>
#include <set>
#include <thread>

using namespace weft;
using weft::test::in_threads;

TEST_CASE("threads share a leaf") {
  const MemoryStats before = memory_stats();
  {
    Tensor w = parameter(full({64}, 0.5, f64));
    constexpr int rounds = 50;
    in_threads(4, [&](int i) {
      for (int round = 0; round < rounds; ++round) {
        Tensor x = full({64}, i + 1, f64);
        sum(w * x).backward();
        const Tensor y = sum(tanh(w) * x);
        const Tensor first = grad(y, {w}, {.create_graph = true})[0];
        const double t = std::tanh(0.5), second = -2 * t * (1 - t * t) * (i + 1);
        if (!(std::abs(grad(sum(first), {w})[0].at({63}) - second) < 1e-12)) return false;
      }
      return true;
    });
    CHECK(w.grad().at({7}) == rounds * (1 + 2 + 3 + 4));
  }
  const MemoryStats after = memory_stats();
  CHECK(after.nodes == before.nodes);
  CHECK(after.storages == before.storages);
}

TEST_CASE("two threads meet at a fresh leaf") {
  for (int round = 0; round < 200; ++round) {
    Tensor x = parameter(scalar(1, f64));
    std::atomic<int> ready{0};
    in_threads(2, [&](int) {
      const Tensor y = x * 2.0;
      ++ready;
      while (ready < 2) {
      }
      y.backward();
      return true;
    });
    CHECK(x.grad().item() == 4);
  }
}

TEST_CASE("what one thread makes and another frees goes round") {
  const auto resident = [] {
    std::ifstream file("/proc/self/statm");
    std::int64_t whole = 0, pages = 0;
    file >> whole >> pages;
    return pages * 4096;
  };
  std::int64_t before = 0;
  Tensors handed;
  std::atomic<bool> full{false};
  constexpr int rounds = 400;
  std::thread maker([&] {
    for (int round = 0; round < rounds; ++round) {
      while (full) std::this_thread::yield();
      for (int i = 0; i < 500; ++i) handed.push_back(empty({128}, i64));
      full = true;
    }
  });
  for (int round = 0; round < rounds; ++round) {
    while (!full) std::this_thread::yield();
    handed.clear();
    if (round == 50) before = resident();
    full = false;
  }
  maker.join();
  if (!test::sanitized) CHECK(resident() - before < 16 * 1024 * 1024);  // all together they would be 200 MiB
}

TEST_CASE("threads that come and go share their slabs") {
  Tensors kept;
  std::set<std::uintptr_t> places;
  for (int i = 0; i < 50; ++i)
    in_threads(1, [&](int) {
      kept.push_back(zeros({8}));
      places.insert(reinterpret_cast<std::uintptr_t>(kept.back().data<float>().data()) / (2 * 1024 * 1024));
      return true;
    });
  if (!test::sanitized) CHECK(places.size() <= 10);
}

TEST_CASE("a graph built in one thread is differentiated and dropped in another") {
  Tensor w = parameter(scalar(1, f64));
  Tensor y = w;
  in_threads(1, [&](int) {
    for (int i = 0; i < 20000; ++i) y = y + 1.0;
    return true;
  });
  in_threads(1, [&](int) {
    y.backward();
    y = Tensor();
    return true;
  });
  CHECK(w.grad().item() == 1);
}

TEST_CASE("one recorded prefix, differentiated by several threads") {
  Tensor w = parameter(full({16}, 0.5, f64));
  const Tensor shared = tanh(w);
  in_threads(4, [&](int i) {
    for (int round = 0; round < 50; ++round) {
      const Tensor g = grad(sum(shared * static_cast<double>(i)), {w}, {.retain_graph = true})[0];
      const double t = std::tanh(0.5), expected = i * (1 - t * t);
      for (std::int64_t k = 0; k < 16; ++k)
        if (!(std::abs(g.at({k}) - expected) < 1e-12)) return false;
    }
    return true;
  });
}

TEST_CASE("the grad mode, Anomaly, parts and observers are each thread's own") {
  const Tensor w = parameter(scalar(0));
  const Profile profile;
  const Anomaly anomaly;
  const Scope part("here");
  const NoGrad off;
  in_threads(2, [&](int) {
    return scope_path().empty() && (w * 2.0).requires_grad() && grad(sqrt(w), {w})[0].item() == INFINITY;
  });
  CHECK(profile.rows().empty());
  CHECK(scope_path() == "here");
  CHECK_FALSE((w * 2.0).requires_grad());
  CHECK(profile.rows().size() == 1);
}

TEST_CASE("threads never draw the same numbers, and checkpoints repeat their own") {
  std::vector<double> drawn[4];
  in_threads(4, [&](int i) {
    for (int round = 0; round < 100; ++round) drawn[i].push_back(rand({1}, f64).item());
    Tensor x = parameter(ones({32}, f64));
    for (int round = 0; round < 20; ++round) {
      x.zero_grad();
      const Tensor y = checkpoint([](const Tensor& t) { return t * rand_like(t); }, x);
      y.backward(ones({32}, f64));
      for (std::int64_t k = 0; k < 32; ++k)
        if (x.grad().at({k}) != y.at({k})) return false;
    }
    return true;
  });
  std::set<double> all;
  for (const auto& some : drawn) all.insert(some.begin(), some.end());
  CHECK(all.size() == 400);
}
