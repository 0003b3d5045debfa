// The first hooks of a leaf and of a node, registered by several threads at once, while others differentiate.
#include <doctest/doctest.h>
#include <tests/support/in_threads.hpp>
#include <weft/engine/backward.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/op.hpp>
#include <weft/ops/arithmetic.hpp>

#include <atomic>

using namespace weft;
using weft::test::in_threads;

namespace {

// Registers a hook from each of four threads at the same moment; true if none was lost.
bool none_is_lost(Tensor t, const Tensor& x, const Tensor& result) {
  std::atomic<int> ready{0}, called{0};
  in_threads(4, [&](int) {
    ++ready;
    while (ready < 4) {
    }
    Tensor(t).register_hook([&](const Tensor&) { ++called; });
    return true;
  });
  grad(result, {x}, {.retain_graph = true});
  return called == 4;
}

}  // namespace

TEST_CASE("none of the first hooks of a leaf is lost") {
  for (int round = 0; round < 200; ++round) {
    const Tensor x = parameter(scalar(1, f64));
    CHECK(none_is_lost(x, x, x * 2.0));
  }
}

TEST_CASE("none of the first hooks of a computed tensor is lost") {
  for (int round = 0; round < 200; ++round) {
    const Tensor x = parameter(scalar(1, f64)), y = x * 2.0;
    CHECK(none_is_lost(y, x, y * 3.0));
  }
}

TEST_CASE("the first hook comes while others differentiate") {
  for (int round = 0; round < 200; ++round) {
    Tensor x = parameter(scalar(1, f64)), y = x * 2.0;
    const Tensor z = y * 3.0;
    in_threads(3, [&](int i) {
      if (i == 0) {
        Tensor(x).register_hook([](const Tensor&) {});
        Tensor(y).register_hook([](const Tensor&) {});
        return true;
      }
      return grad(z, {x}, {.retain_graph = true})[0].item() == 6;
    });
  }
}
