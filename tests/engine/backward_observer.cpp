// Being told of leaves' gradients while backward goes on: when, with which values, and what can be put in their place.
#include <doctest/doctest.h>
#include <tests/support/message_of.hpp>
#include <weft/engine/backward.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/observer.hpp>
#include <weft/engine/op.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/matmul.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/unary.hpp>

#include <string>

using namespace weft;

namespace {

// Writes down what it is told, between the ops of backward as an observer of ops is told of them.
struct Listener : BackwardObserver, Observer {
  std::vector<std::string> events;
  std::vector<std::pair<std::string, double>> gradients;
  std::function<void(std::vector<LeafGradient>&)> at_end = [](auto&) {};

  void ready(const Tensor& leaf, const Tensor& gradient) override {
    events.push_back(leaf.name() + " ready");
    gradients.emplace_back(leaf.name(), sum(gradient).item());
  }
  void finish(std::vector<LeafGradient>& all) override {
    events.push_back("finish");
    at_end(all);
  }
  void before(const OpCall& call) override {
    if (call.pass() == Pass::backward) events.push_back(call.op());
  }
  void after(const OpCall&) override {}
};

Tensor named(const char* name, double value) {
  Tensor t = parameter(tensor({value}, {1}, f64));
  t.set_name(name);
  return t;
}

using Strings = std::vector<std::string>;

struct Stops : Op<Stops> {
  static constexpr const char* name = "stops";
  static Tensor forward(Context&, const Tensor& x) { return x.clone(); }
  static Tensor backward(Context&, const Tensor&) { return {}; }
};

struct Refuses : Op<Refuses> {
  static constexpr const char* name = "refuses";
  static Tensor forward(Context&, const Tensor& x) { return x.clone(); }
  static Tensor backward(Context&, const Tensor&) { throw Error("refused"); }
};

}  // namespace

TEST_CASE("a leaf is ready as soon as its last use has been differentiated, before older ops are") {
  Tensor a = named("a", 2), b = named("b", 3), c = named("c", 4);
  Listener listener;
  const Tensor y = sum(exp(a) * b * c);
  {
    const Observe ops(listener);
    const ObserveBackward leaves(listener);
    y.backward();
  }
  CHECK(listener.events == Strings{"sum", "mul", "c ready", "mul", "b ready", "exp", "a ready", "finish"});
  for (const auto& [name, gradient] : listener.gradients)
    CHECK(gradient == (name == "a" ? a : name == "b" ? b : c).grad().item());
}

TEST_CASE("a leaf of several uses is ready after the last of them, with their sum") {
  Tensor w = named("w", 2), b = named("b", 5);
  Listener listener;
  const ObserveBackward leaves(listener);
  const Tensor oldest = square(w) * b, newer = w * b * 3.0;
  sum(oldest + newer + w).backward();
  REQUIRE(listener.gradients.size() == 2);
  CHECK(listener.gradients[1] == std::pair<std::string, double>{"w", 2 * 2 * 5 + 3 * 5 + 1});
  CHECK(w.grad().item() == 36);
}

TEST_CASE("a result that is a leaf, and one that a branch without gradients uses, are told of") {
  Tensor x = named("x", 7);
  Listener listener;
  const ObserveBackward leaves(listener);
  x.backward();
  CHECK(listener.events == Strings{"x ready", "finish"});
  listener.events.clear();
  sum(x * 2.0 + apply<Stops>(x * 3.0)).backward();  // no gradient comes to the second product
  CHECK(listener.events == Strings{"x ready", "finish"});
  CHECK(x.grad().item() == 1 + 2);
}

TEST_CASE("what finish leaves in the list is what hooks see and .grad() gets") {
  Tensor x = named("x", 1), unused = named("unused", 1);
  double seen = 0;
  x.register_hook([&](const Tensor& g) { seen = g.item(); });
  Listener listener;
  listener.at_end = [&](std::vector<LeafGradient>& all) {
    REQUIRE(all.size() == 1);
    all[0].gradient = tensor({10.0}, {1}, f64);
    all.push_back({unused, tensor({20.0}, {1}, f64)});
  };
  const ObserveBackward leaves(listener);
  sum(x * 2.0).backward();
  CHECK(seen == 10);
  CHECK(x.grad().item() == 10);
  CHECK(unused.grad().item() == 20);
}

TEST_CASE("only backward() of the scope tells: not grad(), not what comes after, and the inner observer alone") {
  Tensor x = named("x", 1);
  Listener outer, inner;
  {
    const ObserveBackward leaves(outer);
    grad(sum(x * 2.0), {x});
    CHECK(outer.events.empty());
    {
      const ObserveBackward nested(inner);
      sum(x * 2.0).backward();
    }
    CHECK(outer.events.empty());
    CHECK(inner.events == Strings{"x ready", "finish"});
    sum(x * 2.0).backward();
    CHECK(outer.events == Strings{"x ready", "finish"});
  }
  sum(x * 2.0).backward();
  CHECK(outer.events.size() == 2);
}

TEST_CASE("a backward that fails does not finish, and changes no gradient") {
  Tensor x = named("x", 1), y = named("y", 1);
  Listener listener;
  const ObserveBackward leaves(listener);
  CHECK(message_of([&] { sum(apply<Refuses>(x * 2.0) * y).backward(); }).find("refused") != std::string::npos);
  CHECK(listener.events == Strings{"y ready"});
  CHECK_FALSE(x.grad().defined());
  CHECK_FALSE(y.grad().defined());
}
