// What several threads may share: hooks of a leaf and of a node, a retained graph, a storage's version, paths of names.
#include <doctest/doctest.h>
#include <tests/support/in_threads.hpp>
#include <tests/support/message_of.hpp>
#include <weft/engine/backward.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/graph.hpp>
#include <weft/engine/memory.hpp>
#include <weft/engine/op.hpp>
#include <weft/engine/scope.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/unary.hpp>

#include <atomic>
#include <string>

using namespace weft;
using weft::test::in_threads;

namespace {

constexpr int threads = 4, rounds = 100;

// Lets threads go on together.
class Meeting {
 public:
  explicit Meeting(int count) : missing_(count) {}
  void wait() {
    --missing_;
    while (missing_ > 0) std::this_thread::yield();
  }

 private:
  std::atomic<int> missing_;
};

}  // namespace

TEST_CASE("hooks of one leaf and one node come and go in all threads while others differentiate") {
  Tensor x = parameter(scalar(3, f64));
  Tensor y = x * 2.0;
  // Registered throughout.
  std::atomic<int> on_leaf{0}, on_node{0}, passing{0};
  HookHandle first = x.register_hook([&](const Tensor& g) { on_leaf += static_cast<int>(g.item()) / 10; });
  HookHandle second = y.register_hook([&](const Tensor& g) { on_node += static_cast<int>(g.item()) / 5; });
  const Tensor z = y * 5.0;
  in_threads(threads, [&](int i) {
    for (int round = 0; round < rounds; ++round) {
      if (i % 2 == 0) {
        HookHandle leaf = Tensor(x).register_hook([&](const Tensor&) { ++passing; });
        HookHandle node = Tensor(y).register_hook([&](const Tensor& g) {
          ++passing;
          return g * 1.0;
        });
        if (round % 3 == 0) z.backward({.retain_graph = true});
        leaf.remove();
        node.remove();
      } else if (grad(z, {x}, {.retain_graph = true})[0].item() != 10) {
        return false;
      }
    }
    return true;
  });
  const int backwards = threads / 2 * ((rounds + 2) / 3), runs = backwards + threads / 2 * rounds;
  CHECK(on_leaf == runs);
  CHECK(on_node == runs);
  CHECK(passing >= 2 * backwards);  // each of these saw at least its own
  CHECK(x.grad().item() == 10 * backwards);
  passing = 0;
  first.remove();
  second.remove();
  z.backward();
  CHECK(passing == 0);
  CHECK(on_leaf == runs);
}

TEST_CASE("a hook that many threads remove is freed once") {
  for (int round = 0; round < rounds; ++round) {
    Tensor x = parameter(scalar(1, f64));
    const auto held = std::make_shared<int>(0);
    HookHandle handle = x.register_hook([held](const Tensor&) {});
    Meeting meeting(threads);
    in_threads(threads, [&](int) {
      HookHandle mine = handle;
      meeting.wait();
      mine.remove();
      return true;
    });
    CHECK(held.use_count() == 1);
  }
}

TEST_CASE("one retained graph, differentiated by all threads at once") {
  Tensor w = parameter(tensor({1, 2, 3}, {3}, f64)), v = parameter(tensor({5, 6, 7}, {3}, f64));
  Tensor h = w * v;
  h.retain_grad();
  const Tensor y = sum(h * h + w);
  in_threads(threads, [&](int) {
    for (int round = 0; round < rounds; ++round) {
      y.backward({.retain_graph = true});
      const Tensors g = grad(y, {v, h}, {.retain_graph = true});
      for (std::int64_t k = 0; k < 3; ++k) {
        const double a = static_cast<double>(k + 1), b = static_cast<double>(k + 5);
        if (g[0].at({k}) != 2 * a * a * b || g[1].at({k}) != 2 * a * b) return false;
      }
    }
    return true;
  });
  for (std::int64_t k = 0; k < 3; ++k) {
    const double a = static_cast<double>(k + 1), b = static_cast<double>(k + 5), times = threads * rounds;
    CHECK(w.grad().at({k}) == times * (2 * a * b * b + 1));
    CHECK(v.grad().at({k}) == times * 2 * a * a * b);
    CHECK(h.grad().at({k}) == times * 2 * a * b);
  }
}

TEST_CASE("requests to write from all threads are all counted, and every thread sees them") {
  Tensor w = parameter(tensor({1, 2, 3}, {3}, f64)), x = parameter(ones({3}, f64));
  w.set_name("shared");
  const Tensor y = sum(w * x);
  const auto version = [&] { return w.impl()->storage->version.load(); };
  const std::uint32_t before = version();
  in_threads(threads, [&](int) {
    const NoGrad off;
    Tensor same = w;
    for (int round = 0; round < 10 * rounds; ++round) same.mutable_data<double>();
    return true;
  });
  CHECK(version() - before == 10U * rounds * threads);
  in_threads(threads, [&](int) {
    return message_of([&] { grad(y, {x}, {.retain_graph = true}); }).find("'shared'") != std::string::npos;
  });
}

TEST_CASE("updates of parameters take turns with gradients, thread by thread") {
  // Each thread has parameters of its own and reads a constant that all share.
  const Tensor shared = tensor({2, 4}, {2}, f64);
  in_threads(threads, [&](int i) {
    Tensor w = parameter(full({2}, i, f64));
    for (int round = 0; round < rounds; ++round) {
      const Tensor y = sum(w * shared);
      y.backward();
      const NoGrad off;
      w.add_(w.grad(), -0.5).copy_(w.detach().clone().add_(shared, 0.5));  // back to what it was
      w.zero_grad();
    }
    return w.at({0}) == i && w.at({1}) == i;
  });
}

TEST_CASE("paths are made and read by all threads at once, through names that they share") {
  const auto root = std::make_shared<detail::ScopeName>();
  std::vector<detail::ScopeName> shared(rounds);
  for (std::size_t round = 0; round < rounds; ++round) shared[round].place("shared" + std::to_string(round), root);
  in_threads(threads, [&](int i) {
    for (std::size_t round = 0; round < rounds; ++round) {
      const std::string first = "shared" + std::to_string(round), second = "thread" + std::to_string(i);
      const Scope place(shared[round].scope());
      const Scope part(second);
      if (scope_path() != first + "." + second) return false;
    }
    return true;
  });
}

TEST_CASE("a constant that threads use first at the same time is one box in a drawing") {
  for (int round = 0; round < rounds / 4; ++round) {
    const Tensor constant = ones({2}), w = parameter(ones({2}));
    Tensors results(threads);
    Meeting start(threads);
    in_threads(threads, [&](int i) {
      start.wait();
      results[static_cast<std::size_t>(i)] = w + constant;
      return true;
    });
    const std::string text = to_dot(results[0] * results[1] * results[2] * results[3]);
    const std::size_t first = text.find("lightyellow");
    CHECK(first != std::string::npos);
    CHECK(text.find("lightyellow", first + 1) == std::string::npos);
  }
}
