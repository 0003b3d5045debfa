// Lbfgs on functions whose minimum is known, over resumes, and what it refuses.
#include <doctest/doctest.h>
#include <tests/support/message_of.hpp>
#include <tests/support/same.hpp>
#include <tests/support/temp_dir.hpp>
#include <weft/weft.hpp>

#include <cmath>

using namespace weft;

namespace {

double gap(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  return max(abs(a - b)).item();
}

Tensor rosenbrock(const Tensor& p) { return square(1.0 - p[0]) + 100.0 * square(p[1] - square(p[0])); }

// The loss as a closure that counts its calls.
template <class F>
auto closure(const Tensors& parameters, F loss, int* calls = nullptr) {
  return [=] {
    for (Tensor p : parameters) p.zero_grad();
    const Tensor l = loss();
    l.backward();
    if (calls != nullptr) ++*calls;
    return l;
  };
}

}  // namespace

TEST_CASE("Rosenbrock's valley is walked in few evaluations") {
  const Tensor p = parameter(tensor({-1.2, 1.0}, f64));
  nn::Lbfgs optimizer({p}, {.max_iter = 100, .tolerance_grad = 1e-12, .tolerance_change = 1e-20});
  int calls = 0;
  const Tensor loss = optimizer.step(closure(
      {p}, [&] { return rosenbrock(p); }, &calls));
  CHECK(loss.item() == doctest::Approx(24.2).epsilon(1e-12));  // before the first iteration
  CHECK(gap(p, ones({2}, f64)) < 1e-10);
  CHECK(calls < 60);
}

TEST_CASE("least squares are lstsq's") {
  manual_seed(1);
  const Tensor a = randn({30, 4}, f64), b = randn({30, 2}, f64), w = parameter(zeros({4, 2}, f64));
  nn::Lbfgs optimizer({w}, {.max_iter = 60, .tolerance_grad = 1e-13, .tolerance_change = 0});
  optimizer.step(closure({w}, [&] { return nn::mse(matmul(a, w), b); }));
  CHECK(gap(w, lstsq(a, b)) < 1e-10);
}

// A net whose input goes to the output beside a hidden layer: what Adam comes to in as many evaluations of all data.
TEST_CASE("a net with a skip layer learns more by Lbfgs than by Adam") {
  struct SkipMlp : nn::Module {
    nn::Child<nn::Linear> hidden{this, "hidden", 2, 12}, output{this, "output", 12, 1}, skip{this, "skip", 2, 1};
    Tensor forward(const Tensor& x) override { return output(tanh(hidden(x))) + skip(x); }
  };
  manual_seed(2);
  const Tensor x = 2.0 * rand({200, 2}, f64) - 1.0;
  const Tensor y = sin(3.0 * slice(x, 1, 0, 1)) * slice(x, 1, 1, 2) + 2.0 * slice(x, 1, 0, 1);
  SkipMlp net;
  net.to(f64);
  const auto other = nn::clone(net);
  const auto loss_of = [&](nn::Module& module) { return nn::mse(module(x), y); };

  int calls = 0;
  nn::Lbfgs lbfgs(net, {.max_iter = 300, .max_eval = 400});
  lbfgs.step(closure(
      net.parameters(), [&] { return loss_of(net); }, &calls));
  double best = INFINITY;
  for (const double lr : {0.003, 0.01, 0.03, 0.1}) {
    const auto tried = nn::clone(*other);
    nn::Adam adam(*tried, {.lr = lr});
    for (int i = 0; i < calls; ++i) {
      tried->zero_grad();
      loss_of(*tried).backward();
      adam.step();
    }
    best = std::min(best, loss_of(*tried).item());
  }
  CAPTURE(calls);
  CAPTURE(best);
  CHECK(loss_of(net).item() < best / 10);
  CHECK(best < 0.1 * loss_of(*other).item());
}

TEST_CASE("parameters of any shape are one vector, and those without a gradient stay") {
  manual_seed(3);
  const Tensor a = parameter(randn({3, 2}, f64)), b = parameter(randn({}, f64)), c = parameter(randn({4}, f64));
  const Tensor target = randn({3, 2}, f64), before = c.detach().clone();
  nn::Lbfgs optimizer({a, c, b}, {.tolerance_grad = 1e-12, .tolerance_change = 0});
  optimizer.step(closure({a, b, c}, [&] { return sum(square(a - target)) + square(square(b) - 2.0) + sum(a) * b; }));
  CHECK(same_bits(c, before));
  const double y = b.item();
  CHECK(gap(2.0 * (a - target) + y, zeros({3, 2}, f64)) < 1e-7);
  CHECK(std::abs(4 * y * (y * y - 2) + sum(a).item()) < 1e-7);
  CHECK(!c.grad().defined());
}

TEST_CASE("f32 comes as near as its digits let it, and a converted module goes on") {
  for (const bool converted : {false, true}) {
    manual_seed(4);
    nn::Linear net(5, 3);
    const Tensor x = randn({40, 5}), y = randn({40, 3});
    nn::Lbfgs optimizer(net, {.max_iter = 5, .tolerance_change = 0});
    for (int step = 0; step < 12; ++step) {
      if (converted && step == 2) net.to(f64);
      const DType dtype = net.weight.dtype();
      optimizer.step(closure(net.parameters(), [&] { return nn::mse(net(x.to(dtype)), y.to(dtype)); }));
    }
    const Tensor best = lstsq(concat({x, ones({40, 1})}, 1).to(f64), y.to(f64));
    CHECK(gap(net.weight.to(f64), slice(best, 0, 0, 5)) < (converted ? 1e-6 : 1e-4));
    CHECK(optimizer.state().back().second.dtype() == (converted ? f64 : f32));
  }
}

namespace {

// An overdetermined system of smooth equations, on two parameters.
struct Problem {
  Tensor a = parameter(tensor({{-0.5, 1.5}, {2.0, 0.3}}, f64)), b = parameter(tensor({0.2, -1.0, 0.7}, f64));
  nn::Lbfgs optimizer;
  explicit Problem(const nn::LbfgsOptions& options) : optimizer(Tensors{a, b}, options) {}
  Tensor loss() const {
    const Tensor v = concat({reshape(a, {-1}), b}, 0);
    return sum(square(slice(v, 0, 1, 7) - square(slice(v, 0, 0, 6)))) + 0.1 * sum(square(1.0 - v)) + exp(0.3 * v[0]);
  }
  void steps(int count) {
    for (int i = 0; i < count; ++i) optimizer.step(closure({a, b}, [this] { return loss(); }));
  }
  void copy(const Problem& other) {
    const NoGrad off;
    a.copy_(other.a);
    b.copy_(other.b);
  }
  bool is(const Problem& other) const { return same_bits(a, other.a) && same_bits(b, other.b); }
};

}  // namespace

TEST_CASE("a run that is stopped and resumed gives the same bits") {
  for (const nn::LineSearch search : {nn::LineSearch::strong_wolfe, nn::LineSearch::none})
    for (const int history : {2, 100}) {
      const nn::LbfgsOptions options{.lr = search == nn::LineSearch::none ? 0.2 : 0.9,
                                     .max_iter = 2,
                                     .max_eval = 100,
                                     .history_size = history,
                                     .line_search = search};
      const TempDir dir;
      Problem whole(options), resumed(options);
      resumed.steps(2);  // a past of its own, which is forgotten
      whole.steps(3);
      whole.optimizer.set_lr(0.7);
      nn::write_safetensors(dir / "state", whole.optimizer.state());
      resumed.copy(whole);
      resumed.optimizer.load_state(nn::read_safetensors(dir / "state").tensors);
      CHECK(resumed.optimizer.lr() == 0.7);
      CHECK(resumed.is(whole));
      whole.steps(3);
      CHECK(!resumed.is(whole));
      resumed.steps(3);
      CHECK(resumed.is(whole));
      std::ptrdiff_t kept = 0;
      for (const auto& [name, t] : whole.optimizer.state()) kept += name.starts_with("step.") ? 1 : 0;
      CHECK(kept == (history == 2 ? 2 : 11));
    }
}

TEST_CASE("a saved state that does not fit changes nothing") {
  Problem one({.max_iter = 4}), other({.max_iter = 4}), twin({.max_iter = 4});
  one.steps(1);
  other.steps(1);
  twin.steps(1);
  const nn::NamedTensors good = one.optimizer.state();
  const auto refused = [&](const nn::NamedTensors& state) {
    return message_of([&] { other.optimizer.load_state(state); });
  };
  for (std::size_t i = 0; i < good.size(); ++i) {
    nn::NamedTensors bad = good;
    bad[i].second = zeros({3, 3}, good[i].second.dtype());
    CHECK(refused(bad).find("\"" + good[i].first + "\"") != std::string::npos);
    bad.erase(bad.begin() + static_cast<std::ptrdiff_t>(i));
    CHECK(refused(bad).starts_with("Lbfgs: the saved state has "));
  }
  nn::NamedTensors negative = good;
  negative[0].second = full({1}, -1, f64);
  CHECK(refused(negative) == "Lbfgs: got lr -1, needs a number from 0");
  negative = good;
  negative[2].second = scalar(-1, i64);
  CHECK(refused(negative) == "Lbfgs: got -1 steps, needs 0 to 2^53");
  nn::NamedTensors with_momentum = one.optimizer.state();
  with_momentum[1].second = full({1}, 0.5, f64);
  one.optimizer.load_state(with_momentum);
  CHECK(one.optimizer.momentum() == 0);
  Problem small({.max_iter = 4, .history_size = 2});
  CHECK(message_of([&] { small.optimizer.load_state(good); }) ==
        "Lbfgs: the saved state remembers 3 steps, needs at most history_size 2");
  other.steps(2);
  twin.steps(2);
  CHECK(other.is(twin));
}

TEST_CASE("a closure that throws leaves the parameters of the last whole iteration") {
  for (const nn::LineSearch search : {nn::LineSearch::strong_wolfe, nn::LineSearch::none})
    for (const int last : {1, 2, 3, 6}) {
      Problem broken({.lr = 0.1, .line_search = search}), whole({.lr = 0.1, .line_search = search});
      int calls = 0;
      std::vector<Tensor> seen;
      const auto closure = [&] {
        if (++calls == last) fail("closure: thrown");
        broken.optimizer.zero_grad();
        const Tensor loss = broken.loss();
        loss.backward();
        return loss;
      };
      CHECK_THROWS_WITH_AS(broken.optimizer.step(closure), "closure: thrown", Error);
      CHECK(broken.loss().item() <= Problem({}).loss().item());
      broken.optimizer.step(closure);
      const nn::NamedTensors state = broken.optimizer.state();
      for (std::size_t i = 7; i < state.size(); i += 2) CHECK(!same_bits(state[i].second, state[i - 2].second));
      // It goes on from there as if nothing had been, to the same minimum.
      for (int i = 0; i < 20; ++i) broken.optimizer.step(closure);
      whole.steps(20);
      CHECK(gap(broken.b, whole.b) < 1e-4);
      if (last <= 2) CHECK(broken.is(whole));
    }
}

TEST_CASE("the rate is a schedule's to set, and 0 moves nothing") {
  const Tensor p = parameter(tensor({3.0, 4.0}, f64));
  const auto loss = closure({p}, [&] { return 0.5 * sum(square(p)); });
  nn::Lbfgs optimizer({p}, {.lr = 0.5, .max_iter = 1, .line_search = nn::LineSearch::none});
  nn::LinearWarmup warmup(optimizer, {.steps = 2});
  optimizer.step(loss);
  CHECK(gap(p, tensor({3.0, 4.0}, f64)) == 0);
  warmup.step();
  CHECK(optimizer.lr() == 0.25);
  optimizer.step(loss);  // at first the gradient over the sum of its sizes
  CHECK(gap(p, tensor({3 - 0.25 * 3 / 7, 4 - 0.25 * 4 / 7}, f64)) < 1e-15);
  warmup.step();
  const Tensor before = p.detach().clone();
  optimizer.step(loss);  // then the whole way by the curvature, of which the rate is a part
  CHECK(gap(p, 0.5 * before) < 1e-14);
  optimizer.set_momentum(0.9, 0);
  CHECK(optimizer.momentum() == 0);
  CHECK_THROWS_AS(optimizer.set_lr(-1), Error);
}

TEST_CASE("where the loss is not finite a line search turns back") {
  const Tensor p = parameter(tensor({5.0}, f64));
  nn::Lbfgs optimizer({p}, {.lr = 100, .max_iter = 50, .max_eval = 1000, .tolerance_change = 0});
  optimizer.step(closure({p}, [&] { return sum(p - log(p)); }));  // of negative numbers it is nan
  CHECK(gap(p, ones({1}, f64)) < 1e-6);

  const Tensor nowhere = parameter(tensor({-1.0}, f64));
  nn::Lbfgs stuck({nowhere});
  CHECK(std::isnan(stuck.step(closure({nowhere}, [&] { return sum(log(nowhere)); })).item()));
  CHECK(nowhere.item() == -1.0);
  int calls = 0;
  stuck.step(closure(
      {nowhere}, [&] { return 1e200 * sum(nowhere); }, &calls));  // whose square is infinite
  CHECK(calls == 1);
  CHECK(nowhere.item() == -1.0);
}

TEST_CASE("a step ends by each of its bounds") {
  const auto calls_with = [](const nn::LbfgsOptions& options) {
    const Tensor p = parameter(tensor({-1.2, 1.0}, f64));
    nn::Lbfgs optimizer({p}, options);
    int calls = 0;
    optimizer.step(closure(
        {p}, [&] { return rosenbrock(p); }, &calls));
    return calls;
  };
  CHECK(calls_with({.max_iter = 1, .line_search = nn::LineSearch::none}) == 1);  // none after the last
  CHECK(calls_with({.lr = 1e-3, .max_iter = 7, .line_search = nn::LineSearch::none}) == 7);
  CHECK(calls_with({.lr = 1e-3, .max_iter = 100, .max_eval = 9, .line_search = nn::LineSearch::none}) == 9);
  CHECK(calls_with({.lr = 1e-3, .max_iter = 8, .line_search = nn::LineSearch::none}) == 8);  // 10 by default
  CHECK(calls_with({.tolerance_grad = 1e6}) == 1);
  CHECK(calls_with({.lr = 1e-9, .tolerance_change = 1e-3, .line_search = nn::LineSearch::none}) == 2);
  const int all = calls_with({.max_iter = 100, .max_eval = 1000}),
            fewer = calls_with({.max_iter = 100, .max_eval = 10});
  CHECK(fewer >= 10);
  CHECK(fewer < all);

  // Gradients are forgotten before each evaluation, whatever the closure does.
  Problem one({}), other({});
  one.steps(2);
  for (int step = 0; step < 2; ++step)
    other.optimizer.step([&] {
      const Tensor loss = other.loss();
      loss.backward();
      return loss;
    });
  CHECK(one.is(other));

  // The closure is called with gradients on.
  const Tensor p = parameter(tensor({-1.2, 1.0}, f64));
  nn::Lbfgs optimizer({p});
  const NoGrad off;
  optimizer.step(closure({p}, [&] { return rosenbrock(p); }));
  CHECK(rosenbrock(p).item() < 1);
  CHECK(!rosenbrock(p).requires_grad());
}

TEST_CASE("what Lbfgs refuses") {
  const Tensor p = parameter(ones({2}, f64)), q = parameter(ones({2}));
  for (const nn::LbfgsOptions& wrong : {nn::LbfgsOptions{.lr = -1}, nn::LbfgsOptions{.max_iter = 0},
                                        nn::LbfgsOptions{.max_eval = -1}, nn::LbfgsOptions{.tolerance_grad = -1},
                                        nn::LbfgsOptions{.tolerance_change = NAN}, nn::LbfgsOptions{.history_size = 0}})
    CHECK(message_of([&] { nn::Lbfgs({p}, wrong); }).starts_with("Lbfgs: got "));
  CHECK(message_of([&] { nn::Lbfgs(Tensors{}); }) == "Lbfgs: got no parameters");
  CHECK(message_of([&] { nn::Lbfgs(Tensors{p, p}); }) == "Lbfgs: got a parameter of shape {2} twice");
  CHECK(message_of([&] { nn::Lbfgs(Tensors{p, q}); }) == "Lbfgs: got f64 {2} and f32 {2}, needs one dtype (see to())");
  nn::Lbfgs optimizer({p});
  const auto refused = [&](const nn::Lbfgs::Closure& closure) { return message_of([&] { optimizer.step(closure); }); };
  CHECK(refused(nullptr) == "Lbfgs: got no closure");
  CHECK(refused([] { return Tensor(); }) == "Lbfgs: the closure gave no loss");
  CHECK(refused([&] { return square(p); }) == "Lbfgs: the closure gave a loss of shape {2}, needs one number");
  CHECK(refused([&] { return sum(p); }) == "Lbfgs: the closure left no gradient, needs backward() of the loss");
  CHECK(gap(p, ones({2}, f64)) == 0);
}
