// A module called with other tensors in the place of its own: values, gradients of all orders, and nothing left behind.
#include <weft/weft.hpp>

#include <doctest/doctest.h>
#include <tests/support/message_of.hpp>

using namespace weft;

namespace {

struct Mlp : nn::Module {
  nn::Child<nn::Linear> hidden{this, "hidden", 2, 3};
  nn::Child<nn::Linear> output{this, "output", 3, 1};
  Mlp() { to(f64); }
  Tensor forward(const Tensor& x) override { return output(tanh(hidden(x))); }
};

// w x + b, where b is a buffer, and what forward saw.
struct Line : nn::Module {
  nn::Param w{this, "w", full({1}, 2.0, f64)};
  nn::Buffer b{this, "b", full({1}, 5.0, f64)};
  bool throws = false;
  Tensors seen;
  Tensor forward(const Tensor& x) override {
    seen = parameters();
    if (throws) fail("Line: thrown");
    return w * x + b;
  }
};

// One tensor under two names and a module in two places.
struct Tied : nn::Module {
  nn::Param a{this, "a", full({1}, 2.0, f64)};
  nn::Param b{this, "b", a};
  nn::Child<Line> first{this, "first"};
  nn::Child<Line> second{this, "second", first.ptr()};
  Tensor forward(const Tensor& x) override { return second(first(x)) * a * b; }
};

// x^n times w, by calling itself with w + 1 in the place of w: w (w + 1) (w + 2) ... x.
struct Recursive : nn::Module {
  nn::Param w{this, "w", full({1}, 2.0, f64)};
  int depth = 0;
  Tensor forward(const Tensor& x) override {
    if (depth == 0) return w * x;
    --depth;
    const Tensor inner = nn::functional_call(*this, {{"w", w + 1.0}}, x);
    ++depth;
    return inner * w;
  }
};

// Computes its inner layer a second time in backward.
struct Recomputed : nn::Module {
  nn::Child<nn::Linear> inner{this, "inner", 2, 2};
  Recomputed() { to(f64); }
  Tensor forward(const Tensor& x) override {
    return checkpoint([this](const Tensor& in) { return tanh(inner(in)); }, x);
  }
};

struct ByName : nn::Module {
  Tensor weight = parameter(ones({2}));
  ByName() { add_parameter("weight", weight); }
};

struct OfTwo : nn::Module {
  nn::Param w{this, "w", full({1}, 2.0, f64)};
  Tensor forward(const Tensor& x, const Tensor& y) { return w * x + y; }
  using nn::Module::forward;
};

Tensor number(double value) { return full({1}, value, f64); }

double gap(const Tensor& a, const Tensor& b) { return max(abs(a - b)).item(); }

nn::NamedTensors random_like(const nn::Module& module) {
  nn::NamedTensors tensors;
  for (const auto& [name, p] : module.named_parameters()) tensors.emplace_back(name, parameter(randn_like(p)));
  return tensors;
}

Tensors tensors_of(const nn::NamedTensors& named) {
  Tensors tensors;
  for (const auto& [name, t] : named) tensors.push_back(t);
  return tensors;
}

nn::NamedTensors named(const nn::Module& module, const Tensors& tensors) {
  nn::NamedTensors result;
  for (const auto& [name, p] : module.named_parameters()) result.emplace_back(name, tensors[result.size()]);
  return result;
}

}  // namespace

TEST_CASE("the given tensors stand for the module's own, for the time of the call") {
  Line line;
  const Tensor own = line.w, w = parameter(number(3)), x = number(10);
  CHECK(nn::functional_call(line, {{"w", w}}, x).item() == 35);
  CHECK(line.seen[0].impl() == w.impl());
  CHECK(nn::functional_call(line, {{"b", number(1)}, {"w", w}}, x).item() == 31);
  CHECK(nn::functional_call(line, {{"b", number(1)}}, x).item() == 21);
  CHECK(line.seen[0].impl() == own.impl());
  CHECK(nn::functional_call(line, {}, x).item() == 25);
  CHECK(line.w.impl() == own.impl());
  CHECK(line(x).item() == 25);
  CHECK(line.parameters()[0].impl() == own.impl());

  nn::functional_call(line, {{"w", w}}, x).backward();
  CHECK(w.grad().item() == 10);
  CHECK_FALSE(own.grad().defined());
  nn::functional_call(line, {{"b", number(1)}}, x).backward();
  CHECK(own.grad().item() == 10);
}

TEST_CASE("the module is as it was after an error, in forward or before") {
  Line line;
  const Tensor own = line.w, b = line.b;
  line.throws = true;
  CHECK_THROWS_WITH_AS(nn::functional_call(line, {{"w", number(3)}, {"b", number(4)}}, number(1)), "Line: thrown",
                       Error);
  CHECK(line.w.impl() == own.impl());
  CHECK(line.b.impl() == b.impl());
  CHECK(line.parameters()[0].impl() == own.impl());
  line.throws = false;
  CHECK(line(number(10)).item() == 25);

  const auto refused = [&](nn::Module& module, const nn::NamedTensors& tensors) {
    line.seen.clear();
    const std::string message = message_of([&] { nn::functional_call(module, tensors, number(1)); });
    CHECK(line.seen.empty());
    CHECK(line.w.impl() == own.impl());
    return message;
  };
  CHECK(refused(line, {{"w", number(3)}, {"v", number(3)}}) ==
        "functional_call: this Line has no parameter or buffer \"v\"");
  CHECK(refused(line, {{"w.v", number(3)}}) == "functional_call: this Line has no parameter or buffer \"w.v\"");
  CHECK(refused(line, {{"w", ones({2}, f64)}}) == "functional_call: got \"w\" as f64 {2}, needs f64 {1}");
  CHECK(refused(line, {{"b", ones({1})}}) == "functional_call: got \"b\" as f32 {1}, needs f64 {1}");
  CHECK(refused(line, {{"w", Tensor()}}) == "functional_call: got an undefined tensor for \"w\"");
  Tied tied;
  CHECK(refused(tied, {{"a", number(1)}, {"b", number(2)}}) ==
        "functional_call: got different tensors for \"a\" and \"b\", which are one in this Tied");
  CHECK(refused(tied, {{"first", number(1)}}) == "functional_call: this Tied has no parameter or buffer \"first\"");
  ByName by_name;
  CHECK(refused(by_name, {{"weight", ones({2})}}) ==
        "functional_call: ByName has registered \"weight\" without a Param, needs one as its member");
  CHECK(refused(by_name, {{"weight", ones({3})}}).find("needs f32 {2}") != std::string::npos);
  CHECK(message_of([] { nn::functional_call(nn::ModulePtr(), {}, number(1)); }) ==
        "functional_call: got a null module");
}

TEST_CASE("what a module shares is exchanged in all places, under any of its names") {
  Tied tied;
  const Tensor x = number(10);
  // first and second: w x + 5, twice; then times a b.
  CHECK(tied(x).item() == (2 * (2 * 10 + 5) + 5) * 4);
  CHECK(nn::functional_call(tied, {{"a", number(3)}}, x).item() == 55 * 9);
  CHECK(nn::functional_call(tied, {{"b", number(3)}}, x).item() == 55 * 9);
  const Tensor both = number(3);
  CHECK(nn::functional_call(tied, {{"a", both}, {"b", both}}, x).item() == 55 * 9);
  CHECK(nn::functional_call(tied, {{"first.w", number(1)}}, x).item() == 20 * 4);
  CHECK(nn::functional_call(tied, {{"second.w", number(1)}}, x).item() == 20 * 4);
  const Tensor w = parameter(number(1));
  const Tensor y = nn::functional_call(tied, {{"second.w", w}}, x);
  CHECK(grad(y, {w})[0].item() == (10 + 10 + 5) * 4);  // of (w (w x + 5) + 5) 4
  CHECK(tied(x).item() == 220);
}

TEST_CASE("all derivatives through the given tensors are those of the net itself") {
  manual_seed(1);
  Mlp net;
  const Tensor x = randn({5, 2}, f64), y = randn({5, 1}, f64);
  const nn::NamedTensors given = random_like(net);
  const FunctionOfSeveral f = [&](const Tensors& p) { return nn::mse(nn::functional_call(net, named(net, p), x), y); };
  CHECK(gradcheck(f, tensors_of(given), {.order = 2}));

  // The same values in the net: what it computes, its gradient and its Hessian.
  Mlp twin;
  nn::load_state(twin, given);
  const FunctionOfSeveral loss = [&](const Tensors&) { return nn::mse(twin(x), y); };
  CHECK(gap(f(tensors_of(given)), loss({})) == 0);
  const std::vector<Tensors> h = hessian(f, tensors_of(given)), expected = hessian(loss, twin.parameters());
  for (std::size_t i = 0; i < h.size(); ++i)
    for (std::size_t j = 0; j < h.size(); ++j) CHECK(gap(h[i][j], expected[i][j]) <= 1e-14);
  for (const Tensor& p : net.parameters()) CHECK_FALSE(p.grad().defined());
}

TEST_CASE("the gradient through a step of gradient descent is that of the composed function") {
  manual_seed(2);
  Mlp net;
  const Tensor x = randn({5, 2}, f64), y = randn({5, 1}, f64), x2 = randn({4, 2}, f64), y2 = randn({4, 1}, f64);
  const double rate = 0.3;
  const auto outer = [&] {
    nn::NamedTensors stepped;
    const Tensors g = grad(nn::mse(net(x), y), net.parameters(), {.create_graph = true});
    for (const auto& [name, p] : net.named_parameters()) stepped.emplace_back(name, p - rate * g[stepped.size()]);
    return nn::mse(nn::functional_call(net, stepped, x2), y2);
  };
  outer().backward();
  // Central differences of the outer loss, element by element.
  for (Tensor p : net.parameters()) {
    const Tensor g = p.grad();
    REQUIRE(g.defined());
    for (std::size_t e = 0; e < static_cast<std::size_t>(p.size()); ++e) {
      const double before = p.data<double>()[e], step = 1e-5;
      const auto at = [&](double value) {
        {
          const NoGrad off;
          p.mutable_data<double>()[e] = value;
        }
        return outer().item();
      };
      const double numeric = (at(before + step) - at(before - step)) / (2 * step);
      at(before);
      CHECK(std::abs(g.data<double>()[e] - numeric) < 1e-8);
    }
  }
}

TEST_CASE("gradients of each row, by grad and by functional_call, are backward's row by row") {
  manual_seed(3);
  Mlp net;
  const Tensor x = randn({6, 2}, f64), y = randn({6, 1}, f64);
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    const Tensor row = slice(x, 0, i, i + 1), target = slice(y, 0, i, i + 1);
    const Tensors g = grad(nn::mse(net(row), target), net.parameters());
    const Tensors copies = [&] {
      Tensors leaves;
      for (const auto& [name, t] : nn::state(net)) leaves.push_back(parameter(t));
      return leaves;
    }();
    const Tensors h = grad(nn::mse(nn::functional_call(net, named(net, copies), row), target), copies);
    net.zero_grad();
    nn::mse(net(row), target).backward();
    const Tensors parameters = net.parameters();
    for (std::size_t k = 0; k < parameters.size(); ++k) {
      CHECK(gap(g[k], parameters[k].grad()) == 0);
      CHECK(gap(h[k], parameters[k].grad()) == 0);
    }
  }
}

TEST_CASE("several states in one struct are several nets") {
  manual_seed(4);
  std::vector<Mlp> nets(3);
  const Tensor x = randn({5, 2}, f64);
  Mlp struct_of_all;
  for (Mlp& net : nets) CHECK(gap(nn::functional_call(struct_of_all, nn::state(net), x), net(x)) == 0);
}

TEST_CASE("batch norm's running statistics are written where they were given") {
  manual_seed(5);
  nn::BatchNorm norm(3), twin(3);
  const Tensor x = randn({8, 3}), mean = zeros({3}), variance = ones({3});
  const Tensor y = nn::functional_call(norm, {{"running_mean", mean}, {"running_var", variance}}, x);
  CHECK(gap(norm.running_mean, zeros({3})) == 0);
  CHECK(gap(norm.running_var, ones({3})) == 0);
  CHECK(gap(y, twin(x)) == 0);
  CHECK(gap(mean, twin.running_mean) == 0);
  CHECK(gap(variance, twin.running_var) == 0);
  nn::functional_call(norm, {{"weight", full({3}, 2.0)}}, x);
  CHECK(gap(norm.running_mean, twin.running_mean) == 0);
}

TEST_CASE("a change in place of a given tensor between the call and backward is noticed") {
  Line line;
  Tensor w = parameter(number(3)), x = parameter(number(10));
  const Tensor y = nn::functional_call(line, {{"w", w}}, x), z = nn::functional_call(line, {{"w", w}}, x);
  {
    const NoGrad off;
    Tensor(line.w).fill_(7);  // not part of what was recorded
  }
  CHECK(grad(y, {x})[0].item() == 3);
  const NoGrad off;
  w.fill_(4);
  CHECK_THROWS_WITH_AS(grad(z, {x}), doctest::Contains("was changed in place"), Error);
}

TEST_CASE("calls stand inside each other") {
  Recursive net;
  net.depth = 3;
  const Tensor own = net.w, x = number(10), w = parameter(number(1));
  CHECK(net(x).item() == 2 * 3 * 4 * 5 * 10);
  CHECK(net.w.impl() == own.impl());
  const Tensor y = nn::functional_call(net, {{"w", w}}, x);
  CHECK(y.item() == 1 * 2 * 3 * 4 * 10);
  CHECK(grad(y, {w})[0].item() == 500);  // of w (w + 1) (w + 2) (w + 3) 10 at 1
  CHECK(net.w.impl() == own.impl());

  Tied tied;  // a child, inside a call of the whole: the inner one counts, and what it leaves out stays
  const auto hook = tied.register_forward_hook("", [&](nn::Module&, const Tensor& in, const Tensor& out) {
    return out + nn::functional_call(*tied.first, {{"w", number(7)}}, in);
  });
  const Tensor z = nn::functional_call(tied, {{"first.w", number(1)}, {"first.b", number(0)}}, x);
  CHECK(z.item() == 10 * 4 + 70);
  CHECK(tied.first->w.item() == 2);
}

TEST_CASE("what is computed again in backward sees the given tensors again") {
  manual_seed(6);
  Recomputed net;
  const Tensor x = parameter(randn({3, 2}, f64));
  const nn::NamedTensors given = random_like(net);
  const Tensors leaves = tensors_of(given);
  const auto plain = [&] { return tanh(linear(x, leaves[0], leaves[1])); };
  const Tensors inputs{leaves[0], leaves[1], x};
  Tensor y;
  {
    const nn::NamedTensors gone = given;
    y = sum(square(nn::functional_call(net, gone, x)));
  }
  const Tensor w = net.inner->weight;
  const Tensors first = grad(y, inputs, {.create_graph = true});
  const Tensors expected = grad(sum(square(plain())), inputs, {.create_graph = true});
  for (std::size_t i = 0; i < inputs.size(); ++i) CHECK(gap(first[i], expected[i]) <= 1e-14);
  const Tensors second = grad(sum(first[0]) + sum(first[2]), inputs);
  const Tensors expected_second = grad(sum(expected[0]) + sum(expected[2]), inputs);
  for (std::size_t i = 0; i < inputs.size(); ++i) CHECK(gap(second[i], expected_second[i]) <= 1e-13);
  CHECK(net.inner->weight.impl() == w.impl());
}

TEST_CASE("forward of several inputs, modules that have been moved, and nets known as ModulePtr") {
  OfTwo of_two;
  CHECK(nn::functional_call(of_two, {{"w", number(3)}}, number(10), number(1)).item() == 31);
  Line line;
  Line moved = std::move(line);
  CHECK(nn::functional_call(moved, {{"w", number(3)}}, number(10)).item() == 35);
  std::vector<Line> lines(2);
  lines.push_back(std::move(moved));
  lines.emplace_back();
  CHECK(nn::functional_call(lines[2], {{"w", number(3)}}, number(10)).item() == 35);
  CHECK(lines[2](number(10)).item() == 25);
  const auto copy = nn::clone(lines[2]);
  CHECK(nn::functional_call(*copy, {{"w", number(4)}}, number(10)).item() == 45);

  const nn::ModulePtr net = nn::resnet_cifar(8);
  const nn::ModulePtr other = nn::clone(net);
  for (auto& [name, p] : other->named_parameters())
    if (p.rank() == 4) nn::kaiming_(p);
  net->eval();
  other->eval();
  const Tensor x = randn({1, 8, 8, 3});
  CHECK(gap((*net)(x), (*other)(x)) > 0);
  CHECK(gap(nn::functional_call(net, nn::state(*other), x), (*other)(x)) == 0);
  CHECK(message_of([&] { nn::functional_call(net, {}, ones({2, 3})); }).starts_with("conv: "));
}

TEST_CASE("a clone made during a call has the given values") {
  Line line;
  std::shared_ptr<Line> copy;
  const auto hook =
      line.register_forward_hook("", [&](nn::Module&, const Tensor&, const Tensor&) { copy = nn::clone(line); });
  nn::functional_call(line, {{"w", number(3)}}, number(1));
  CHECK(copy->w.item() == 3);
  CHECK(copy->parameters()[0].item() == 3);
  CHECK(line.w.item() == 2);
}
