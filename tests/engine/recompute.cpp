// What is made again in backward instead of being kept: the same bits, less memory, at any order and on several
// threads.
#include <doctest/doctest.h>
#include <tests/support/in_threads.hpp>
#include <tests/support/message_of.hpp>
#include <tests/support/same.hpp>
#include <weft/weft.hpp>

using namespace weft;

namespace {

struct Block : nn::Module {
  nn::Child<nn::BatchNorm> norm1{this, "norm1", 16}, norm2{this, "norm2", 16};
  nn::Child<nn::Conv2d> conv1{this, "conv1", 16, 16, nn::Conv2dOptions{.padding = 1}},
      conv2{this, "conv2", 16, 16, nn::Conv2dOptions{.padding = 1}};
  bool in_one_pass = false;
  Tensor forward(const Tensor& x) override {
    if (in_one_pass) return conv2(norm2->relu(conv1(norm1->relu(x)))) + x;
    return conv2(relu(norm2(conv1(relu(norm1(x)))))) + x;
  }
};

nn::ModulePtr make_net(bool in_one_pass = false) {
  manual_seed(1);
  const auto net = std::make_shared<nn::Sequential>();
  for (int i = 0; i < 3; ++i) {
    const auto block = std::make_shared<Block>();
    block->in_one_pass = in_one_pass;
    net->append(block);
  }
  return net;
}

Tensor loss_of(nn::Module& net, const Tensor& x, bool cheap) {
  std::optional<Recompute> guard;
  if (cheap) guard.emplace();
  return mean(square(net(x)));
}

void check_same(const Tensors& a, const Tensors& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(same_bits(a[i], b[i]));
}

Tensors gradients_of(nn::Module& net) {
  Tensors all;
  for (const Tensor& p : net.parameters()) all.push_back(p.grad());
  for (const auto& [name, t] : nn::state(net)) all.push_back(t);
  return all;
}

}  // namespace

TEST_CASE("gradients have the same bits, and half of the memory is kept") {
  manual_seed(2);
  const Tensor x = randn({4, 16, 16, 16});
  for (const auto& [training, in_one_pass] : {std::pair(true, false), {false, false}, {true, true}, {false, true}}) {
    const nn::ModulePtr plain = make_net(), cheap = make_net(in_one_pass);
    plain->train(training);
    cheap->train(training);
    const Tensor loss = loss_of(*plain, x, false), again = loss_of(*cheap, x, true);
    CHECK(same_bits(loss.detach(), again.detach()));
    CHECK(tape_stats(again).bytes * 10 < tape_stats(loss).bytes * 6);
    loss.backward({.retain_graph = true});
    again.backward({.retain_graph = true});
    check_same(gradients_of(*plain), gradients_of(*cheap));
    loss.backward();  // what was made again is made once more
    again.backward();
    check_same(gradients_of(*plain), gradients_of(*cheap));
  }
}

TEST_CASE("gradients of gradients go through what is made again") {
  manual_seed(3);
  const Tensor x0 = randn({2, 8, 8, 16}, f64);
  const auto second = [&](bool cheap, bool in_one_pass = false) {
    const nn::ModulePtr net = make_net(in_one_pass);
    net->to(f64);
    Tensors leaves = net->parameters();
    leaves.push_back(parameter(x0));
    const Tensors first = grad(loss_of(*net, leaves.back(), cheap), leaves, {.create_graph = true});
    Tensor norm = zeros({}, f64);
    for (const Tensor& g : first) norm = norm + sum(square(g));
    return grad(norm, leaves);
  };
  check_same(second(false), second(true));
  check_same(second(false, true), second(true, true));
}

TEST_CASE("only gradients that are wanted make values again, and only once") {
  manual_seed(4);
  const Tensor x = parameter(randn({2, 8, 8, 16})), weight = parameter(ones({16})), bias = parameter(zeros({16}));
  const Recompute cheap;
  const Tensor y = relu(batch_norm(x, weight, bias, {.training = true}));
  const Tensor a = y * y, b = exp(y);  // the value is saved in several places
  const Tensors got = grad({sum(a) + sum(b)}, {x, weight});
  const Tensor plain = where(y.detach() > 0.0, 2.0 * y.detach() + exp(y.detach()), 0.0);
  CHECK(allclose(got[1], sum(plain * ((x - mean(x, {0, 1, 2})) / sqrt(var(x, {0, 1, 2}, false, 0) + 1e-5)), {0, 1, 2}),
                 1e-3, 1e-2));
}

TEST_CASE("a change in place of what a value is made from is an error") {
  manual_seed(5);
  Tensor x = randn({2, 8, 8, 16});
  const Tensor weight = parameter(ones({16})), bias = parameter(zeros({16})), w = parameter(randn({3, 3, 16, 8}));
  Tensor loss;
  {
    const Recompute cheap;
    loss = sum(conv2d(relu(batch_norm(x, weight, bias, {.training = true})), w));
  }
  x.mul_(2.0);
  CHECK(
      message_of([&] { loss.backward(); }) ==
      "backward: an input of batch_norm of shape {2, 8, 8, 16} was changed in place after it was used, and its result "
      "is to be computed again");
  CHECK_FALSE(w.grad().defined());
}

TEST_CASE("a value that is changed in place itself is kept as any other") {
  manual_seed(6);
  const Tensor x = randn({2, 8, 8, 16}), w = parameter(randn({3, 3, 16, 8}));
  const Tensor weight = parameter(ones({16})), bias = parameter(zeros({16}));
  const auto run = [&](bool cheap) {
    std::optional<Recompute> guard;
    if (cheap) guard.emplace();
    Tensor y = batch_norm(x, weight, bias, {.training = true});
    {
      const NoGrad off;
      y.add_(1.0);
    }
    return grad(sum(conv2d(y, w)), {w})[0];
  };
  CHECK(same_bits(run(false), run(true)));
}

TEST_CASE("several threads differentiate a graph whose values are made again") {
  manual_seed(7);
  const Tensor x = randn({2, 8, 8, 16});
  const nn::ModulePtr net = make_net();
  const Tensor loss = loss_of(*net, x, true);
  const Tensors wanted = grad(loss, net->parameters(), {.retain_graph = true});
  test::in_threads(4, [&](int) {
    const Tensors got = grad(loss, net->parameters(), {.retain_graph = true});
    for (std::size_t i = 0; i < wanted.size(); ++i)
      if (!same_bits(got[i], wanted[i])) return false;
    return true;
  });
}
