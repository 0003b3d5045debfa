// Optimisers against plain double loops with every option, their state, and schedules against closed forms.
#include <doctest/doctest.h>
#include <tests/support/statistics.hpp>
#include <weft/weft.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <type_traits>

using namespace weft;
using test::values_of;

namespace {

using Values = std::vector<double>;

// The rules, one parameter at a time, in doubles.
struct SgdRule {
  nn::SgdOptions o;
  Values buffer;
  void step(Values& p, const Values& gradient, double lr) {
    const bool first = buffer.empty();
    buffer.resize(p.size());
    for (std::size_t i = 0; i < p.size(); ++i) {
      const double g = gradient[i] + o.weight_decay * p[i];
      buffer[i] = first ? g : o.momentum * buffer[i] + (1 - o.dampening) * g;
      const double d = o.momentum == 0 ? g : o.nesterov ? g + o.momentum * buffer[i] : buffer[i];
      p[i] -= lr * d;
    }
  }
};

struct AdamRule {
  nn::AdamOptions o;
  bool decoupled = false;
  int steps = 0;
  Values mean, square;
  void step(Values& p, const Values& gradient, double lr) {
    mean.resize(p.size());
    square.resize(p.size());
    ++steps;
    double power1 = 1, power2 = 1;
    for (int k = 0; k < steps; ++k) {
      power1 *= o.beta1;
      power2 *= o.beta2;
    }
    for (std::size_t i = 0; i < p.size(); ++i) {
      double g = gradient[i];
      if (decoupled)
        p[i] -= lr * o.weight_decay * p[i];
      else
        g += o.weight_decay * p[i];
      mean[i] = o.beta1 * mean[i] + (1 - o.beta1) * g;
      square[i] = o.beta2 * square[i] + (1 - o.beta2) * g * g;
      p[i] -= lr * (mean[i] / (1 - power1)) / (std::sqrt(square[i] / (1 - power2)) + o.eps);
    }
  }
};

struct RmsPropRule {
  nn::RmsPropOptions o;
  Values square, mean, buffer;
  void step(Values& p, const Values& gradient, double lr) {
    for (Values* v : {&square, &mean, &buffer}) v->resize(p.size());
    for (std::size_t i = 0; i < p.size(); ++i) {
      const double g = gradient[i] + o.weight_decay * p[i];
      square[i] = o.alpha * square[i] + (1 - o.alpha) * g * g;
      mean[i] = o.alpha * mean[i] + (1 - o.alpha) * g;
      const double variance = o.centered ? square[i] - mean[i] * mean[i] : square[i];
      buffer[i] = o.momentum * buffer[i] + g / (std::sqrt(variance) + o.eps);
      p[i] -= lr * buffer[i];
    }
  }
};

struct AdagradRule {
  nn::AdagradOptions o;
  int steps = 0;
  Values total;
  void step(Values& p, const Values& gradient, double lr) {
    total.resize(p.size(), o.initial_accumulator);
    for (std::size_t i = 0; i < p.size(); ++i) {
      const double g = gradient[i] + o.weight_decay * p[i];
      total[i] += g * g;
      p[i] -= lr / (1 + steps * o.lr_decay) * g / (std::sqrt(total[i]) + o.eps);
    }
    ++steps;
  }
};

// Another rule, and then the proximal step of l1.
template <class Rule>
struct Proximal {
  Rule rule;
  double l1;
  void step(Values& p, const Values& gradient, double lr) {
    rule.step(p, gradient, lr);
    for (double& v : p) v = v > lr * l1 ? v - lr * l1 : v < -lr * l1 ? v + lr * l1 : 0;
  }
};

bool close(const Values& got, const Values& expected, DType dtype) {
  const double tolerance = dtype == f64 ? 1e-13 : 2e-6;
  for (std::size_t i = 0; i < got.size(); ++i)
    if (!(std::abs(got[i] - expected[i]) <= tolerance * (std::abs(expected[i]) + 0.5))) return false;
  return got.size() == expected.size();
}

Tensor random_leaf(const Shape& shape, DType dtype) { return parameter(randn(shape, dtype)); }

// Several steps on two parameters with random gradients; the rate changes, and one parameter goes without a gradient
// at first and once more later: it counts its own steps.
template <class Rule>
void compare(nn::Optimizer& optimizer, Rule rule, const Tensors& parameters, double lr) {
  const DType dtype = parameters[0].dtype();
  std::vector<Rule> rules(parameters.size(), rule);
  std::vector<Values> expected;
  for (const Tensor& p : parameters) expected.push_back(values_of(p));
  for (int step = 0; step < 7; ++step) {
    if (step == 3) optimizer.set_lr(lr *= 0.3);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      Tensor p = parameters[i];
      p.zero_grad();
      if (i == 1 && (step == 0 || step == 4)) continue;
      p.set_grad(randn_like(p) * 2.0);
      rules[i].step(expected[i], values_of(p.grad()), lr);
    }
    optimizer.step();
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      CAPTURE(step);
      CAPTURE(i);
      CHECK(close(values_of(parameters[i]), expected[i], dtype));
      CHECK(parameters[i].dtype() == dtype);
      CHECK(parameters[i].is_leaf());
    }
  }
}

}  // namespace

TEST_CASE("Sgd with every option") {
  manual_seed(1);
  for (const DType dtype : {f32, f64})
    for (const double momentum : {0.0, 0.8})
      for (const double decay : {0.0, 0.3})
        for (const double dampening : {0.0, 0.4})
          for (const bool nesterov : {false, true}) {
            if (nesterov && (momentum == 0 || dampening != 0)) continue;
            const nn::SgdOptions options{
                .lr = 0.05, .momentum = momentum, .weight_decay = decay, .dampening = dampening, .nesterov = nesterov};
            CAPTURE(momentum);
            CAPTURE(decay);
            CAPTURE(dampening);
            CAPTURE(nesterov);
            const Tensors parameters{random_leaf({3, 7}, dtype), random_leaf({5}, dtype), random_leaf({}, dtype)};
            nn::Sgd optimizer(parameters, options);
            compare(optimizer, SgdRule{options, {}}, parameters, options.lr);
          }
}

TEST_CASE("Adam and AdamW with every option") {
  manual_seed(2);
  for (const DType dtype : {f32, f64})
    for (const auto& betas : {std::pair{0.9, 0.999}, {0.5, 0.9}, {0.0, 0.7}, {0.8, 0.0}})
      for (const double eps : {1e-8, 0.5})
        for (const double decay : {0.0, 0.3})
          for (const bool decoupled : {false, true}) {
            const double beta1 = betas.first, beta2 = betas.second;
            CAPTURE(beta1);
            CAPTURE(eps);
            CAPTURE(decay);
            CAPTURE(decoupled);
            const Tensors parameters{random_leaf({3, 7}, dtype), random_leaf({5}, dtype), random_leaf({}, dtype)};
            const AdamRule rule{{0.05, beta1, beta2, eps, decay}, decoupled, 0, {}, {}};
            if (decoupled) {
              nn::AdamW optimizer(parameters, {0.05, beta1, beta2, eps, decay});
              compare(optimizer, rule, parameters, 0.05);
            } else {
              nn::Adam optimizer(parameters, {0.05, beta1, beta2, eps, decay});
              compare(optimizer, rule, parameters, 0.05);
            }
          }
}

TEST_CASE("defaults are PyTorch's") {
  manual_seed(3);
  const auto pair = [] { return Tensors{random_leaf({4}, f64), random_leaf({2}, f64)}; };
  const Tensors a = pair(), b = pair(), c = pair();
  nn::Sgd sgd(a);
  compare(sgd, SgdRule{{0.01, 0, 0, 0, false}, {}}, a, 0.01);
  nn::Adam adam(b);
  compare(adam, AdamRule{{1e-3, 0.9, 0.999, 1e-8, 0}, false, 0, {}, {}}, b, 1e-3);
  nn::AdamW adamw(c);
  compare(adamw, AdamRule{{1e-3, 0.9, 0.999, 1e-8, 1e-2}, true, 0, {}, {}}, c, 1e-3);
  const Tensors d = pair(), e = pair();
  nn::RmsProp rms_prop(d);
  compare(rms_prop, RmsPropRule{{0.01, 0.99, 1e-8, 0, 0, false}, {}, {}, {}}, d, 0.01);
  nn::Adagrad adagrad(e);
  compare(adagrad, AdagradRule{{0.01, 0, 0, 0, 1e-10}, 0, {}}, e, 0.01);
}

TEST_CASE("RmsProp and Adagrad with every option") {
  manual_seed(8);
  for (const DType dtype : {f32, f64})
    for (const double decay : {0.0, 0.3}) {
      const auto three = [&] {
        return Tensors{random_leaf({3, 7}, dtype), random_leaf({5}, dtype), random_leaf({}, dtype)};
      };
      for (const double momentum : {0.0, 0.8})
        for (const bool centered : {false, true}) {
          CAPTURE(momentum);
          CAPTURE(centered);
          const nn::RmsPropOptions options{
              .lr = 0.05, .alpha = 0.7, .eps = 0.1, .weight_decay = decay, .momentum = momentum, .centered = centered};
          const Tensors parameters = three();
          nn::RmsProp optimizer(parameters, options);
          compare(optimizer, RmsPropRule{options, {}, {}, {}}, parameters, options.lr);
        }
      for (const double start : {0.0, 0.5}) {
        const nn::AdagradOptions options{
            .lr = 0.05, .lr_decay = 0.2, .weight_decay = decay, .initial_accumulator = start, .eps = 1e-3};
        const Tensors parameters = three();
        nn::Adagrad optimizer(parameters, options);
        compare(optimizer, AdagradRule{options, 0, {}}, parameters, options.lr);
      }
    }
  // Slots of a group that needs fewer than the others.
  const Tensors parameters{random_leaf({4}, f64), random_leaf({3}, f64)};
  const nn::RmsPropOptions momentum{.lr = 0.1, .momentum = 0.5}, centered{.lr = 0.1, .centered = true};
  nn::RmsProp grouped({{{parameters[0]}, momentum}, {{parameters[1]}, centered}});
  RmsPropRule rules[] = {{momentum, {}, {}, {}}, {centered, {}, {}, {}}};
  Values expected[] = {values_of(parameters[0]), values_of(parameters[1])};
  for (int step = 0; step < 3; ++step) {
    for (std::size_t i = 0; i < 2; ++i) {
      Tensor p = parameters[i];
      p.set_grad(randn_like(p));
      rules[i].step(expected[i], values_of(p.grad()), 0.1);
    }
    grouped.step();
  }
  for (std::size_t i = 0; i < 2; ++i) CHECK(close(values_of(parameters[i]), expected[i], f64));
}

TEST_CASE("the proximal step of l1 makes small weights exactly 0, with every optimiser") {
  manual_seed(9);
  const auto three = [] { return Tensors{random_leaf({3, 7}, f64), random_leaf({5}, f64), random_leaf({}, f64)}; };
  const auto zeros_in = [](const Tensors& parameters) {
    const Values v = values_of(parameters[0]);
    return std::count(v.begin(), v.end(), 0.0);
  };
  const auto check = [&](nn::Optimizer& optimizer, const auto& rule, const Tensors& parameters) {
    compare(optimizer, Proximal<std::decay_t<decltype(rule)>>{rule, 4}, parameters, 0.05);
    CHECK(zeros_in(parameters) > 0);
  };
  for (const double momentum : {0.0, 0.8})
    for (const bool nesterov : {false, true}) {
      if (nesterov && momentum == 0) continue;
      const nn::SgdOptions options{.lr = 0.05, .momentum = momentum, .nesterov = nesterov, .l1 = 4};
      const Tensors parameters = three();
      nn::Sgd sgd(parameters, options);
      check(sgd, SgdRule{options, {}}, parameters);
    }
  const Tensors a = three(), b = three(), c = three(), d = three();
  nn::Adam adam(a, {.lr = 0.05, .l1 = 4});
  check(adam, AdamRule{{.lr = 0.05}, false, 0, {}, {}}, a);
  nn::AdamW adamw(b, {.lr = 0.05, .weight_decay = 0, .l1 = 4});
  check(adamw, AdamRule{{.lr = 0.05}, true, 0, {}, {}}, b);
  nn::RmsProp rms_prop(c, {.lr = 0.05, .momentum = 0.5, .l1 = 4});
  check(rms_prop, RmsPropRule{{.lr = 0.05, .momentum = 0.5}, {}, {}, {}}, c);
  nn::Adagrad adagrad(d, {.lr = 0.05, .l1 = 4});
  check(adagrad, AdagradRule{{.lr = 0.05}, 0, {}}, d);
  CHECK_THROWS_AS(nn::Sgd(three(), {.l1 = -1}), Error);
}

TEST_CASE("parameters large enough for several threads") {
  manual_seed(4);
  const Tensors parameters{random_leaf({100003}, f32), random_leaf({65536}, f32)};
  const nn::SgdOptions options{.lr = 0.1, .momentum = 0.9, .weight_decay = 0.1, .nesterov = true};
  nn::Sgd sgd(parameters, options);
  compare(sgd, SgdRule{options, {}}, parameters, 0.1);
  nn::AdamW adamw(parameters, {.lr = 0.01});
  compare(adamw, AdamRule{{0.01, 0.9, 0.999, 1e-8, 1e-2}, true, 0, {}, {}}, parameters, 0.01);
}

TEST_CASE("each group goes by its own options") {
  manual_seed(5);
  const Tensors parameters{random_leaf({4}, f64), random_leaf({3}, f64), random_leaf({2}, f64)};
  const nn::SgdOptions sgd_options[] = {{.lr = 0.1, .momentum = 0.9, .nesterov = true},
                                        {.lr = 0.02, .weight_decay = 0.5}};
  const nn::AdamOptions adam_options[] = {{.lr = 0.1, .beta1 = 0.5, .eps = 0.1},
                                          {.lr = 0.02, .beta2 = 0.5, .weight_decay = 0.5}};
  nn::Sgd sgd({{{parameters[0], parameters[1]}, sgd_options[0]}, {{parameters[2]}, sgd_options[1]}});
  nn::Adam adam({{{parameters[0], parameters[1]}, adam_options[0]}, {{parameters[2]}, adam_options[1]}});
  nn::AdamW adamw({{{parameters[0], parameters[1]}, {.lr = 0.1, .weight_decay = 0.4}},
                   {{parameters[2]}, {.lr = 0.02, .weight_decay = 0.1}}});
  const auto run = [&](nn::Optimizer& optimizer, auto rules) {
    std::vector<Values> expected;
    for (const Tensor& p : parameters) expected.push_back(values_of(p));
    double lrs[] = {0.1, 0.1, 0.02};
    for (int step = 0; step < 4; ++step) {
      if (step == 2) {
        optimizer.set_lr(lrs[2] = 0.07, 1);
        optimizer.set_momentum(0.25, 0);
        rules[0].set_momentum(0.25);
        rules[1].set_momentum(0.25);
      }
      for (std::size_t i = 0; i < 3; ++i) {
        Tensor p = parameters[i];
        p.set_grad(randn_like(p));
        rules[i].rule.step(expected[i], values_of(p.grad()), lrs[i]);
      }
      optimizer.step();
    }
    for (std::size_t i = 0; i < 3; ++i) CHECK(close(values_of(parameters[i]), expected[i], f64));
  };
  struct Sgd {
    SgdRule rule;
    void set_momentum(double m) { rule.o.momentum = m; }
  };
  struct Adam {
    AdamRule rule;
    void set_momentum(double m) { rule.o.beta1 = m; }
  };
  run(sgd, std::array<Sgd, 3>{Sgd{{sgd_options[0], {}}}, Sgd{{sgd_options[0], {}}}, Sgd{{sgd_options[1], {}}}});
  const auto adam_rule = [](const nn::AdamOptions& o, bool decoupled) { return Adam{{o, decoupled, 0, {}, {}}}; };
  run(adam, std::array<Adam, 3>{adam_rule(adam_options[0], false), adam_rule(adam_options[0], false),
                                adam_rule(adam_options[1], false)});
  const nn::AdamOptions first{.lr = 0.1, .weight_decay = 0.4}, second{.lr = 0.02, .weight_decay = 0.1};
  run(adamw, std::array<Adam, 3>{adam_rule(first, true), adam_rule(first, true), adam_rule(second, true)});
}

namespace {

// Gradients that depend on the step alone.
void steps(nn::Optimizer& optimizer, int from, int to) {
  for (int step = from; step < to; ++step) {
    Generator generator(static_cast<std::uint64_t>(step));
    for (std::size_t i = 0; i < optimizer.parameters().size(); ++i) {
      Tensor p = optimizer.parameters()[i];
      const Tensor g = randn_like(p, generator);
      p.set_grad((step + static_cast<int>(i)) % 3 == 0 ? Tensor() : g);
    }
    optimizer.step();
  }
}

template <class T, class Options>
void check_resumed(const Options& first, const Options& second, DType dtype) {
  manual_seed(6);
  const auto grouped = [&](const Tensors& p) { return T({{{p[0]}, first}, {{p[1], p[2]}, second}}); };
  const auto copied = [](const Tensors& from) {
    Tensors copies;
    for (const Tensor& p : from) copies.push_back(parameter(p.detach().clone()));
    return copies;
  };
  const Tensors parameters{random_leaf({6}, dtype), random_leaf({2, 3}, dtype), random_leaf({1}, dtype)};
  T whole = grouped(parameters);
  steps(whole, 0, 5);
  whole.set_lr(0.033, 1);
  const double momentum = whole.momentum(0) > 0 ? 0.6 : 0;
  if (momentum > 0) whole.set_momentum(momentum, 0);
  const Tensors others = copied(parameters), values = copied(parameters);
  T resumed = grouped(others);
  steps(resumed, 20, 24);  // a past of its own, which is forgotten
  {
    const NoGrad off;
    for (std::size_t i = 0; i < 3; ++i) Tensor(others[i]).copy_(values[i]);
  }
  resumed.load_state(whole.state());
  CHECK(resumed.lr(0) == whole.lr(0));
  CHECK(resumed.lr(1) == 0.033);
  CHECK(resumed.momentum(0) == momentum);
  CHECK(resumed.momentum(1) == whole.momentum(1));
  // One after the other: neither writes to the state of the other.
  steps(whole, 5, 11);
  steps(resumed, 5, 11);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(values_of(others[i]) == values_of(parameters[i]));
    CHECK(values_of(others[i]) != values_of(values[i]));
  }
}

}  // namespace

TEST_CASE("a loaded optimiser goes on bit for bit, groups and pauses included") {
  for (const DType dtype : {f32, f64}) {
    using nn::SgdOptions;
    check_resumed<nn::Sgd>(SgdOptions{.lr = 0.1, .momentum = 0.9, .nesterov = true},
                           SgdOptions{.lr = 0.2, .momentum = 0.5, .weight_decay = 0.1, .dampening = 0.3}, dtype);
    using nn::AdamOptions;
    check_resumed<nn::Adam>(AdamOptions{.lr = 0.1}, AdamOptions{.lr = 0.2, .beta1 = 0.5, .weight_decay = 0.1}, dtype);
    using nn::AdamWOptions;
    check_resumed<nn::AdamW>(AdamWOptions{.lr = 0.1}, AdamWOptions{.lr = 0.2, .beta2 = 0.5}, dtype);
    using nn::RmsPropOptions;
    check_resumed<nn::RmsProp>(RmsPropOptions{.lr = 0.1, .momentum = 0.5}, RmsPropOptions{.lr = 0.2, .centered = true},
                               dtype);
    using nn::AdagradOptions;
    check_resumed<nn::Adagrad>(AdagradOptions{.lr = 0.1, .lr_decay = 0.1}, AdagradOptions{.lr = 0.2}, dtype);
  }
}

TEST_CASE("a parameter without a gradient stays as it is, weight decay and momentum or not") {
  manual_seed(7);
  const Tensors parameters{random_leaf({3}, f64), random_leaf({3}, f64)};
  nn::AdamW optimizer(parameters, {.lr = 0.1, .weight_decay = 0.5});
  for (int step = 0; step < 3; ++step) {
    const Values before = values_of(parameters[1]), moving = values_of(parameters[0]);
    Tensor(parameters[0]).set_grad(ones({3}, f64));
    Tensor(parameters[1]).set_grad(step == 0 ? ones({3}, f64) : Tensor());
    optimizer.step();
    CHECK(values_of(parameters[0]) != moving);
    CHECK((values_of(parameters[1]) == before) == (step > 0));
    optimizer.zero_grad();
    CHECK(!parameters[0].grad().defined());
  }
}

TEST_CASE("a shared parameter is stepped once, by the sum of its gradients") {
  struct Tied : nn::Module {
    nn::Child<nn::Linear> layer{this, "layer", 3, 3, {.bias = false}};
    nn::Child<nn::Linear> again{this, "again", layer.ptr()};
    nn::Param alias{this, "alias", layer->weight};
    Tensor forward(const Tensor& x) override { return sum(layer(x)) + 2.0 * sum(again(x)) + 3.0 * sum(alias); }
  } net;
  REQUIRE(net.parameters().size() == 1);
  const Values before = values_of(net.layer->weight);
  nn::Sgd optimizer(net.parameters(), {.lr = 0.5});
  net(ones({1, 3})).backward();
  optimizer.step();
  const Values after = values_of(net.layer->weight);
  for (std::size_t i = 0; i < 9; ++i) CHECK(after[i] == doctest::Approx(before[i] - 0.5 * 6).epsilon(1e-6));
}
