// Losses, optimisers, schedules: what they refuse, and figures by hand or PyTorch's.
#include <weft/weft.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using namespace weft;

namespace {

double gap(const Tensor& a, const Tensor& b) { return max(abs(a - b)).item(); }

Tensor leaf(std::initializer_list<double> values) {
  return parameter(tensor(values, {static_cast<std::int64_t>(values.size())}, f64));
}

// A few steps on the sum of cubes, whose gradient changes with the parameter.
void run(nn::Optimizer& optimizer, const Tensor& p, int steps) {
  for (int i = 0; i < steps; ++i) {
    optimizer.zero_grad();
    sum(p * p * p).backward();
    optimizer.step();
  }
}

}  // namespace

TEST_CASE("losses by hand") {
  const Tensor p = tensor({1, 2, 4, 8}, {2, 2}, f64), t = tensor({1, 0, 1, 9}, {2, 2}, f64);
  CHECK(nn::mse(p, t).item() == doctest::Approx(14.0 / 4));
  CHECK(nn::l1(p, t, nn::Reduction::sum).item() == doctest::Approx(6));
  CHECK(nn::l1(p, t, nn::Reduction::none).shape() == Shape{2, 2});
  const Tensor logits = tensor({1, 2, 3, 0, 0, 0}, {2, 3}, f64), labels = tensor({2, 0}, {2}, i64);
  const double first = std::log(1 + std::exp(-1.0) + std::exp(-2.0)), second = std::log(3.0);
  CHECK(nn::cross_entropy(logits, labels).item() == doctest::Approx((first + second) / 2));
  CHECK(nn::cross_entropy(logits, labels, {.ignore_index = 0}).item() == doctest::Approx(first));
  CHECK(nn::cross_entropy(logits, labels, nn::Reduction::sum).item() == doctest::Approx(first + second));
  CHECK(nn::nll(log_softmax(logits), labels, nn::Reduction::none).at({0}) == doctest::Approx(first));
  CHECK(nn::nll(log_softmax(logits, -1), labels).item() == doctest::Approx((first + second) / 2));
  CHECK(nn::nll(log_softmax(logits, -1), labels, {.ignore_index = 2}).item() == doctest::Approx(second));
  const Tensor probabilities = tensor({0, 0, 1, 1, 0, 0}, {2, 3}, f64);
  for (const double s : {0.0, 0.1})
    CHECK(nn::cross_entropy(logits, labels, {.label_smoothing = s}).item() ==
          doctest::Approx(nn::cross_entropy(logits, probabilities, {.label_smoothing = s}).item()));
  CHECK(nn::cross_entropy(reshape(logits, {1, 2, 3}), reshape(labels, {1, 2}), {.reduction = nn::Reduction::none})
            .shape() == Shape{1, 2});
  const Tensor z = tensor({0.5, -800, 800}, {3}, f64), y = tensor({0.25, 0, 1}, {3}, f64);
  CHECK(nn::bce_with_logits(z, y, nn::Reduction::sum).item() == doctest::Approx(std::log1p(std::exp(0.5)) - 0.125));
}

TEST_CASE_TEMPLATE("an ignored label's scores count for nothing, whatever they are", T, float, double) {
  const DType dtype = std::is_same_v<T, float> ? f32 : f64;
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  Tensor scores = parameter(tensor({nan, inf, -inf, -1, -2, -3, nan, nan, nan}, {3, 3}, dtype));
  constexpr std::int64_t huge = std::numeric_limits<std::int64_t>::max();  // no double is this number
  for (const std::int64_t ignored : {std::int64_t{-100}, std::int64_t{1}, huge}) {
    const std::int64_t label[] = {ignored, 2, ignored};
    const Tensor labels = from_buffer(std::span<const std::int64_t>(label), {3});
    const Tensor each = nn::nll(scores, labels, {.reduction = nn::Reduction::none, .ignore_index = ignored});
    CHECK(gap(each, tensor({0, 3, 0}, {3}, dtype)) == 0);
    scores.zero_grad();
    const Tensor mean = nn::nll(scores, labels, {.ignore_index = ignored});
    CHECK(mean.item() == 3);
    mean.backward();
    CHECK(gap(scores.grad(), tensor({0, 0, 0, 0, 0, -1, 0, 0, 0}, {3, 3}, dtype)) == 0);
  }
}

TEST_CASE("losses check shapes, dtypes and labels") {
  CHECK_THROWS_AS(nn::mse(zeros({2, 1}), zeros({2})), Error);
  CHECK_THROWS_AS(nn::cross_entropy(zeros({2, 3}), zeros({3}, i64)), Error);
  CHECK_THROWS_AS(nn::cross_entropy(zeros({2, 3}), tensor({0, 3}, {2}, i64)), Error);
  CHECK_THROWS_AS(nn::nll(zeros({2, 3}), tensor({0, -1}, {2}, i64)), Error);
  CHECK_THROWS_WITH_AS(nn::cross_entropy(zeros({2, 3}), zeros({2}, f32)),
                       "cross_entropy: got labels of f32 {2}, needs i64 (see to())", Error);
}

TEST_CASE("losses have the right gradients, twice") {
  manual_seed(2);
  const Tensor x = randn({3, 4}, f64), t = rand({3, 4}, f64), labels = tensor({1, 3, 0}, {3}, i64);
  const std::vector<std::function<Tensor(const Tensors&)>> losses = {
      [](const Tensors& in) { return nn::mse(in[0], in[1]); },
      [](const Tensors& in) { return nn::bce_with_logits(in[0], in[1]); },
      [](const Tensors& in) { return nn::cross_entropy(in[0], in[1], {.label_smoothing = 0.1}); },
      [&](const Tensors& in) { return nn::cross_entropy(in[0], labels, {.label_smoothing = 0.1}) + 0.0 * sum(in[1]); },
      [&](const Tensors& in) {
        return nn::nll(log_softmax(in[0], -1), labels, {.ignore_index = 3}) + 0.0 * sum(in[1]);
      },
  };
  for (const auto& loss : losses) {
    const auto result = gradcheck(loss, {x, t}, {.order = 2});
    INFO(result.message);
    CHECK(result.ok);
  }
}

TEST_CASE("Sgd by hand") {
  Tensor p = leaf({1, -2});
  nn::Sgd optimizer({p}, {.lr = 0.1, .momentum = 0.5, .weight_decay = 0.01, .dampening = 0.25});
  double value = 1, buffer = 0;
  for (int i = 0; i < 3; ++i) {
    const double g = 3 * value * value + 0.01 * value;
    buffer = i == 0 ? g : 0.5 * buffer + 0.75 * g;
    value -= 0.1 * buffer;
  }
  run(optimizer, p, 3);
  CHECK(p.at({0}) == doctest::Approx(value).epsilon(1e-14));
  CHECK_THROWS_AS(nn::Sgd({p}, {.lr = -1}), Error);
  CHECK_THROWS_AS(nn::Sgd({p}, {.lr = 0.1, .nesterov = true}), Error);
  CHECK_THROWS_AS(nn::Sgd(Tensors{p, p}), Error);
  CHECK_THROWS_AS(nn::Sgd(Tensors{}), Error);
}

TEST_CASE("Adam and AdamW by hand") {
  for (const bool decoupled : {false, true}) {
    Tensor p = leaf({1, -2});
    nn::Adam adam({p}, {.lr = 0.01, .weight_decay = 0.1});
    Tensor q = leaf({1, -2});
    nn::AdamW adamw({q}, {.lr = 0.01, .weight_decay = 0.1});
    double value = 1, m = 0, v = 0;
    for (int i = 1; i <= 3; ++i) {
      const double g = 3 * value * value + (decoupled ? 0 : 0.1 * value);
      m = 0.9 * m + 0.1 * g;
      v = 0.999 * v + 0.001 * g * g;
      if (decoupled) value *= 1 - 0.01 * 0.1;
      value -= 0.01 * m / (1 - std::pow(0.9, i)) / (std::sqrt(v / (1 - std::pow(0.999, i))) + 1e-8);
    }
    nn::Optimizer& optimizer = decoupled ? static_cast<nn::Optimizer&>(adamw) : adam;
    run(optimizer, decoupled ? q : p, 3);
    CHECK((decoupled ? q : p).at({0}) == doctest::Approx(value).epsilon(1e-13));
  }
}

TEST_CASE("an update's bits do not hang on where in its parameter an element stands") {
  manual_seed(4);
  constexpr std::int64_t n = 37;  // whole vectors and a rest
  const Tensor start = randn({n}), slope = randn({n});
  const auto check = [&](auto make) {
    Tensor whole = parameter(start.clone());
    Tensors parts;
    for (std::int64_t i = 0; i < n; ++i) parts.push_back(parameter(slice(start, 0, i, i + 1)));
    const auto together = make(Tensors{whole}), apart = make(parts);
    for (int step = 0; step < 3; ++step) {
      whole.set_grad(slope.clone());
      for (std::int64_t i = 0; i < n; ++i) parts[static_cast<std::size_t>(i)].set_grad(slice(slope, 0, i, i + 1));
      together->step();
      apart->step();
    }
    for (std::int64_t i = 0; i < n; ++i) CHECK(whole.at({i}) == parts[static_cast<std::size_t>(i)].item());
    CHECK(gap(whole.detach(), start) > 0);
  };
  const nn::SgdOptions momentum{.lr = 0.1, .momentum = 0.9, .weight_decay = 0.01, .dampening = 0.1};
  const nn::SgdOptions nesterov{.lr = 0.1, .momentum = 0.9, .weight_decay = 0.01, .nesterov = true};
  check([](const Tensors& p) { return std::make_unique<nn::Sgd>(p, nn::SgdOptions{.weight_decay = 0.01}); });
  check([&](const Tensors& p) { return std::make_unique<nn::Sgd>(p, momentum); });
  check([&](const Tensors& p) { return std::make_unique<nn::Sgd>(p, nesterov); });
  check([](const Tensors& p) { return std::make_unique<nn::Adam>(p, nn::AdamOptions{.weight_decay = 0.01}); });
  check([](const Tensors& p) { return std::make_unique<nn::AdamW>(p); });
}

TEST_CASE("parameter groups have options of their own") {
  Tensor a = leaf({1}), b = leaf({1}), idle = leaf({5});
  nn::Sgd optimizer({{{a, idle}, {.lr = 0.1}}, {{b}, {.lr = 0.01}}});
  (a + b).backward(ones({1}, f64));
  optimizer.step();
  CHECK(a.item() == doctest::Approx(0.9));
  CHECK(b.item() == doctest::Approx(0.99));
  CHECK(idle.item() == 5);
  optimizer.set_lr(0.5, 1);
  CHECK(optimizer.lr(0) == 0.1);
  CHECK(optimizer.lr(1) == 0.5);
  CHECK_THROWS_AS(optimizer.lr(2), Error);
  optimizer.zero_grad();
  CHECK(!a.grad().defined());
}

TEST_CASE("optimisers and schedules check every number they are given") {
  const double inf = INFINITY;
  const Tensor p = leaf({1});
  for (const double bad : {-1.0, inf, std::nan("")}) {
    CHECK_THROWS_AS(nn::Sgd({p}, {.lr = bad}), Error);
    CHECK_THROWS_AS(nn::Sgd({p}, {.momentum = bad}), Error);
    CHECK_THROWS_AS(nn::Sgd({p}, {.weight_decay = bad}), Error);
    CHECK_THROWS_AS(nn::Adam({p}, {.lr = bad}), Error);
    CHECK_THROWS_AS(nn::Adam({p}, {.beta1 = bad}), Error);
    CHECK_THROWS_AS(nn::AdamW({p}, {.eps = bad}), Error);
  }
  CHECK_THROWS_AS(nn::Sgd({p}, {.dampening = inf}), Error);

  nn::Sgd sgd({p}, {.lr = 0.1, .momentum = 0.9});
  nn::Adam adam({p});
  CHECK_THROWS_AS(sgd.set_lr(inf), Error);
  CHECK_THROWS_AS(sgd.set_momentum(-5, 0), Error);
  CHECK_THROWS_AS(adam.set_momentum(1, 0), Error);
  CHECK_THROWS_AS(sgd.momentum(7), Error);
  CHECK_THROWS_AS(adam.momentum(-1), Error);
  CHECK_THROWS_AS(adam.set_momentum(0.5, 1), Error);
  nn::Sgd plain({p}, {.lr = 0.1});  // no buffer that momentum could act on
  plain.set_momentum(0.9, 0);
  CHECK(plain.momentum() == 0);

  CHECK_THROWS_AS(nn::CosineLr(sgd, {.total_steps = 4, .min_lr = -0.5}), Error);
  CHECK_THROWS_AS(nn::MultiStepLr(sgd, {.milestones = {}, .gamma = -1}), Error);
  CHECK_THROWS_AS(nn::OneCycleLr(sgd, {.max_lr = 0.1, .total_steps = 4, .start_divisor = 0}), Error);
  CHECK_THROWS_AS(nn::OneCycleLr(sgd, {.max_lr = 0.1, .total_steps = 4, .end_divisor = 0}), Error);
  CHECK_THROWS_AS(nn::OneCycleLr(sgd, {.max_lr = inf, .total_steps = 4}), Error);
  CHECK_THROWS_AS(nn::OneCycleLr(sgd, {.max_lr = 0.1, .total_steps = 4, .max_momentum = 1}), Error);
  CHECK(sgd.lr() == 0.1);
  CHECK(sgd.momentum() == 0.9);
  CHECK(adam.momentum() == 0.9);
}

TEST_CASE("a loaded optimiser goes on bit for bit") {
  Tensor p = leaf({1, -2, 0.5});
  nn::Adam first({p}, {.lr = 0.01});
  run(first, p, 3);
  Tensor q = parameter(p.detach().clone());
  nn::Adam second({q}, {.lr = 0.5});
  second.load_state(first.state());
  run(first, p, 3);
  run(second, q, 3);
  CHECK(gap(p.detach(), q.detach()) == 0);

  auto wrong = first.state();
  wrong.back().second = zeros({2}, f64);
  const double before = second.lr();
  CHECK_THROWS_WITH_AS(second.load_state(wrong), doctest::Contains("square.0"), Error);
  wrong.pop_back();
  CHECK_THROWS_WITH_AS(second.load_state(wrong), doctest::Contains("square.0"), Error);
  auto more = first.state();
  more.emplace_back("stranger", zeros({1}));
  CHECK_THROWS_WITH_AS(second.load_state(more), doctest::Contains("stranger"), Error);
  CHECK(second.lr() == before);
}

// torch.optim.lr_scheduler 1.13's own numbers.
TEST_CASE("schedules are PyTorch's") {
  Tensor p = leaf({1});
  nn::Sgd optimizer({p}, {.lr = 0.1, .momentum = 0.9});
  nn::OneCycleLr cycle(optimizer, {.max_lr = 0.2, .total_steps = 10});
  const double lrs[] = {0.008000000000000007,
                        0.10400000000000001,
                        0.2,
                        0.19009692640269477,
                        0.1623491307899526,
                        0.12225240438725786,
                        0.07774839561274215,
                        0.0376516692100474,
                        0.009903873597305258,
                        8e-07};
  const double momenta[] = {0.95,
                            0.8999999999999999,
                            0.85,
                            0.854951556604879,
                            0.8688255099070633,
                            0.8888739533021842,
                            0.9111260466978157,
                            0.9311744900929366,
                            0.945048443395121,
                            0.95};
  for (int i = 0; i < 10; ++i, cycle.step()) {
    CHECK(optimizer.lr() == doctest::Approx(lrs[i]).epsilon(1e-12));
    CHECK(optimizer.momentum() == doctest::Approx(momenta[i]).epsilon(1e-12));
  }
  CHECK(optimizer.lr() == doctest::Approx(lrs[9]));

  nn::Sgd deep({p}, {.lr = 0.1, .momentum = 0.9});  // momentum that reaches 0 rises again
  nn::OneCycleLr down(deep, {.max_lr = 0.2, .total_steps = 10, .anneal = nn::Anneal::linear, .base_momentum = 0});
  for (const double m : {0.95, 0.475, 0.0, 0.95 / 7, 1.9 / 7}) {
    CHECK(deep.momentum() == doctest::Approx(m).epsilon(1e-12));
    down.step();
  }

  nn::Sgd other({p}, {.lr = 0.1});
  nn::CosineLr cosine(other, {.total_steps = 4, .min_lr = 0.01});
  const double waves[] = {0.1,  0.08681980515339464, 0.05500000000000001, 0.023180194846605363,
                          0.01, 0.023180194846605363};
  for (int i = 0; i < 6; ++i, cosine.step()) CHECK(other.lr() == doctest::Approx(waves[i]).epsilon(1e-12));

  nn::Sgd third({p}, {.lr = 1.0});
  nn::MultiStepLr steps(third, {.milestones = {2, 3}, .gamma = 0.5});
  for (const double lr : {1.0, 1.0, 0.5, 0.25, 0.25}) {
    CHECK(third.lr() == doctest::Approx(lr));
    steps.step();
  }
  nn::Sgd fourth({p}, {.lr = 7.0});
  nn::MultiStepLr resumed(fourth, {.milestones = {2, 3}, .gamma = 0.5});
  resumed.load_state(steps.state());
  CHECK(fourth.lr() == third.lr());
  CHECK(resumed.steps() == 5);
  CHECK_THROWS_AS(resumed.load_state({}), Error);
  CHECK_THROWS_AS(nn::OneCycleLr(other, {.max_lr = 0.1}), Error);
}
