// Modules: registration, names, modes, hooks, layers, containers, shortcuts, ready nets, summary.
#include <weft/weft.hpp>

#include <doctest/doctest.h>
#include <tests/support/message_of.hpp>

#include <cmath>

using namespace weft;

namespace {

template <class T>
constexpr bool can_add_to = requires(T& t, const Tensor& other) {
  t += other;
  t += 1.0;
};

struct SkipMlp : nn::Module {
  nn::Child<nn::Linear> hidden{this, "hidden", 3, 16};
  nn::Param scale{this, "scale", ones({2})};
  nn::Child<nn::Linear> output{this, "output", 16, 2};
  nn::Buffer seen{this, "seen", zeros({1})};
  Tensor forward(const Tensor& x) override { return output(tanh(hidden(x))) * scale; }
};

struct Forgetful : nn::Module {
  nn::Linear forgotten{3, 2};
  nn::Child<nn::Linear> known{this, "known", 2, 2};
  Tensor forward(const Tensor& x) override { return known(forgotten(x)); }
};

struct WithOptions : nn::Module {
  nn::Child<nn::Linear> linear{this, "linear", 3, 4, {.bias = false}};
  nn::Child<nn::Conv2d> conv{this, "conv", 3, 4, nn::Conv2dOptions{.kernel = 1}};
  nn::Child<nn::BatchNorm> norm{this, "norm", 4, {.eps = 0.5}};
  nn::Child<nn::MaxPool2d> pool{this, "pool", {.kernel = 3}};
};

struct Tied : nn::Module {
  nn::Child<nn::Linear> first{this, "first", 4, 4};
  nn::Child<nn::Linear> second{this, "second", first.ptr()};
  Tensor forward(const Tensor& x) override { return second(first(x)); }
};

struct Twice : Op<Twice> {
  static constexpr const char* name = "twice";
  static Tensor forward(Context&, const Tensor& x) { return 2 * x; }
  static Tensor backward(Context&, const Tensor& g) { return 2 * g; }
};

struct TwoInputs : nn::Module {
  Tensor forward(const Tensor& a, const Tensor& b) { return a + b; }
  using nn::Module::forward;
};

struct Owner : nn::Module {
  nn::Child<TwoInputs> both{this, "both"};
  Tensor forward(const Tensor& x) override { return both(x, x); }
};

double gap(const Tensor& a, const Tensor& b) { return max(abs(a - b)).item(); }

bool has_gradient(const Tensor& p) {
  const double size = p.grad().defined() ? sum(abs(p.grad())).item() : 0;
  return std::isfinite(size) && size > 0;
}

}  // namespace

TEST_CASE("names come in the order of declaration") {
  SkipMlp net;
  std::vector<std::string> names;
  for (const auto& [name, p] : net.named_parameters()) names.push_back(name);
  CHECK(names == std::vector<std::string>{"hidden.weight", "hidden.bias", "scale", "output.weight", "output.bias"});
  REQUIRE(net.named_buffers().size() == 1);
  CHECK(net.named_buffers()[0].first == "seen");
  const auto modules = net.named_modules();
  REQUIRE(modules.size() == 3);
  CHECK(modules[0].first.empty());
  CHECK(modules[2].first == "output");
  CHECK(&net.at("output") == &*net.output);
  CHECK(message_of([&] { net.at("output.nothing"); }).find("\"nothing\"") != std::string::npos);
}

TEST_CASE("a moved module is whole") {
  SkipMlp net;
  const Tensor x = randn({4, 3});
  const Tensor y = net(x);
  std::vector<SkipMlp> nets;
  nets.push_back(std::move(net));
  nets.push_back(SkipMlp());
  CHECK(gap(nets[0](x), y) == 0);
  CHECK(nets[0].parameters().size() == 5);
  sum(nets[0](x)).backward();
  for (const Tensor& p : nets[0].parameters()) CHECK(has_gradient(p));
  CHECK(nn::unregistered_leaves(nets[0], nets[0](x)).empty());
  static_assert(std::is_nothrow_move_constructible_v<SkipMlp>);  // else a growing vector would copy it
  static_assert(can_add_to<Tensor> && !can_add_to<nn::Buffer> && !can_add_to<nn::Param>);
}

TEST_CASE("shared children count once") {
  Tied net;
  CHECK(net.parameters().size() == 2);
  CHECK(net.named_modules().size() == 2);
  CHECK(net.named_parameters()[0].first == "first.weight");
  const Tensor x = randn({2, 4});
  CHECK(gap(net(x), (*net.first)((*net.first)(x))) == 0);
}

TEST_CASE("forgotten leaves are named") {
  Forgetful net;
  const auto lines = nn::unregistered_leaves(net, net(randn({2, 3})));
  REQUIRE(lines.size() == 2);
  CHECK((lines[0] + lines[1]).find("{3, 2}") != std::string::npos);
}

TEST_CASE("a Param is an input like any other tensor") {
  SkipMlp net;
  const Tensor y = apply<Twice>(net.scale);
  REQUIRE(y.requires_grad());
  sum(y + fused([](auto x) { return x * x; })(net.scale)).backward();
  CHECK(net.scale.grad().at({0}) == doctest::Approx(4));
}

TEST_CASE("options of children in braces") {
  WithOptions m;
  CHECK(m.named_parameters().size() == 5);
  CHECK(m.conv->weight.shape() == Shape{1, 1, 3, 4});
  CHECK(m.norm->options.eps == 0.5);
  CHECK(m.pool(ones({1, 3, 3, 1})).shape() == Shape{1, 1, 1, 1});
  CHECK(nn::make<nn::Linear>(3, 4, {.bias = false})->parameters().size() == 1);
  CHECK(nn::make<nn::Linear>(3, 4, nn::LinearOptions{.bias = false})->parameters().size() == 1);
  CHECK(nn::make<nn::LayerNorm>(3, {.eps = 1})->parameters().size() == 2);
  CHECK(nn::make<nn::AvgPool2d>({.kernel = 3})->parameters().empty());
}

TEST_CASE("names are checked") {
  struct Twice : nn::Module {
    nn::Child<nn::ReLU> a{this, "a"}, b{this, "a"};
  };
  struct Dotted : nn::Module {
    nn::Child<nn::ReLU> a{this, "a.b"};
  };
  struct Slashed : nn::Module {
    nn::Param w{this, "optimizer/w", zeros({1})};
  };
  CHECK_THROWS_AS(Twice(), Error);
  CHECK_THROWS_AS(Dotted(), Error);
  CHECK_THROWS_AS(Slashed(), Error);
  nn::Sequential net(nn::make<nn::Linear>(2, 2));
  for (const char* path : {"0.", ".", ".0", "0..0"}) CHECK_THROWS_AS(net.at(path), Error);
  CHECK_THROWS_AS(nn::Residual(nullptr), Error);
  CHECK(message_of([] { Twice(); }).find("\"a\"") != std::string::npos);
}

TEST_CASE("modes, freezing and conversion reach everything below") {
  auto net = nn::resnet_cifar(8);
  CHECK(net->is_training());
  net->eval();
  for (auto& [name, module] : net->named_modules()) CHECK(!module->is_training());
  net->freeze();
  for (const Tensor& p : net->parameters()) CHECK(!p.requires_grad());
  net->freeze(false);
  const Tensors before = net->parameters();
  sum((*net)(randn({2, 8, 8, 3}))).backward();
  net->to(f64);
  for (const Tensor& p : before) {
    CHECK(p.dtype() == f64);
    CHECK(p.grad().dtype() == f64);
  }
  for (auto& [name, b] : net->named_buffers()) CHECK(b.dtype() == f64);
  CHECK((*net)(randn({2, 8, 8, 3}, f64)).dtype() == f64);
  net->zero_grad();
  for (const Tensor& p : before) CHECK(!p.grad().defined());
  CHECK_THROWS_AS(net->to(i64), Error);
}

TEST_CASE("conversion between forward and backward is refused") {
  struct Scale : nn::Module {
    nn::Param weight{this, "weight", ones({3})};  // never written: its storage is at version 0
    Tensor forward(const Tensor& x) override { return x * weight; }
  } layer;
  const Tensor y = sum(layer(parameter(randn({4, 3}))));
  layer.to(f64);
  CHECK_THROWS_WITH_AS(y.backward(), doctest::Contains("changed in place"), Error);
}

TEST_CASE("forward hooks see and replace outputs, by name") {
  auto net = nn::resnet_cifar(8);
  int calls = 0;
  auto handle = net->register_forward_hook("stage2.0.bn1", [&](nn::Module&, const Tensor&, const Tensor& y) {
    ++calls;
    CHECK(y.size(-1) == 32);
    return Tensor();
  });
  const Tensor x = randn({2, 8, 8, 3});
  (*net)(x);
  handle.remove();
  (*net)(x);
  CHECK(calls == 1);
  net->register_forward_hook("output", [](nn::Module&, const Tensor&, const Tensor& y) { return y * 0.0; });
  CHECK(sum(abs((*net)(x))).item() == 0);
  CHECK_THROWS_AS(net->register_forward_hook("stage9", [](auto&, auto&, auto&) { return Tensor(); }), Error);
}

TEST_CASE("a forward hook that returns nothing only looks") {
  SkipMlp net;
  Shape seen;
  net.register_forward_hook("hidden", [&](nn::Module&, const Tensor&, const Tensor& y) { seen = y.shape(); });
  CHECK(net(ones({5, 3})).shape() == Shape{5, 2});
  CHECK(seen == Shape{5, 16});
}

TEST_CASE("children with other inputs are called alike") {
  Owner net;
  const Tensor x = randn({2, 2});
  CHECK(gap(net(x), x + x) == 0);
  TwoInputs both;
  CHECK(message_of([&] { both(x); }).find("TwoInputs") != std::string::npos);
}

TEST_CASE("layers check their input and options") {
  CHECK(message_of([] { nn::Linear(3, 4)(zeros({2, 5})); }) == "Linear: got {2, 5}, needs {..., 3}");
  CHECK(message_of([] { nn::Conv2d(3, 4)(zeros({2, 8, 8, 1})); }).find("{2, 8, 8, 1}") != std::string::npos);
  CHECK_THROWS_AS(nn::Linear(0, 4), Error);
  CHECK_THROWS_AS(nn::Conv2d(4, 6, {.groups = 4}), Error);
  CHECK_THROWS_AS(nn::BatchNorm(-1), Error);
  CHECK_THROWS_AS(nn::BatchNorm(3)(zeros({2, 4})), Error);
  CHECK_THROWS_AS(nn::Dropout(1.0), Error);
  CHECK_THROWS_AS(nn::ZeroPad(4, 3), Error);
}

TEST_CASE("layers are the functions they name") {
  const Tensor x = randn({2, 6, 6, 4});
  nn::Conv2d conv(4, 6, {.kernel = 3, .stride = 2, .padding = 1, .groups = 2});
  CHECK(conv.weight.shape() == Shape{3, 3, 2, 6});
  CHECK(gap(conv(x), conv2d(x, conv.weight, {.stride = 2, .padding = 1, .groups = 2}) + conv.bias) == 0);
  nn::BatchNorm norm(4);
  norm(x);
  CHECK(gap(norm.running_mean, mean(x, {0, 1, 2}) * 0.1) < 1e-6);
  norm.eval();
  CHECK(gap(norm(x), (x - norm.running_mean) / sqrt(norm.running_var + 1e-5)) < 1e-5);
  CHECK(nn::Flatten()(x).shape() == Shape{2, 144});
  CHECK(nn::MaxPool2d()(x).shape() == Shape{2, 3, 3, 4});
  CHECK(gap(nn::AvgPool2d({.kernel = 6})(x), reshape(nn::GlobalAvgPool()(x), {2, 1, 1, 4})) < 1e-6);
  CHECK(gap(nn::Gelu()(x), gelu(x)) == 0);
  nn::Dropout drop(0.5);
  drop.eval();
  CHECK(gap(drop(x), x) == 0);
  CHECK(std::abs(mean(nn::LayerNorm(4)(x)).item()) < 1e-6);
}

TEST_CASE("shortcuts") {
  const Tensor image = randn({2, 5, 5, 3});
  const Tensor padded = nn::ZeroPad(3, 5, 2)(image);
  CHECK(padded.shape() == Shape{2, 3, 3, 5});
  CHECK(padded.at({1, 2, 1, 2}) == image.at({1, 4, 2, 2}));
  CHECK(sum(abs(slice(padded, 3, 3, 5))).item() == 0);
  CHECK(nn::ZeroPad(3, 5)(randn({7, 3})).shape() == Shape{7, 5});

  nn::Projection projection(3, 5, {.stride = 2});
  const Tensor kernel = reshape(projection.weight, {1, 1, 3, 5});
  CHECK(gap(projection(image), conv2d(image, kernel, {.stride = 2})) < 1e-6);
  CHECK(nn::Projection(3, 5)(randn({7, 3})).shape() == Shape{7, 5});

  nn::Residual wrong(nn::make<nn::Linear>(3, 4));
  const std::string message = message_of([&] { wrong(randn({8, 3})); });
  CHECK(message.find("{8, 4}") != std::string::npos);
  CHECK(message.find("{8, 3}") != std::string::npos);
  CHECK_THROWS_AS(nn::Residual(nn::make<nn::Linear>(3, 1))(randn({8, 3})), Error);  // would broadcast
}

TEST_CASE("containers") {
  nn::ModuleList list(nn::make<nn::Linear>(2, 2), nn::make<nn::ReLU>());
  list.append(nn::make<nn::Linear>(2, 3));
  CHECK(list.size() == 3);
  CHECK(list.named_parameters()[2].first == "2.weight");
  CHECK_THROWS_AS(list[3], Error);
  CHECK_THROWS_AS(list(zeros({1, 2})), Error);
  CHECK(nn::Sequential()(zeros({1, 2})).shape() == Shape{1, 2});
  CHECK(nn::Sequential({nn::make<nn::Linear>(2, 3), nn::make<nn::ReLU>()}).size() == 2);
  CHECK(nn::Sequential{nn::make<nn::Linear>(2, 3)}.size() == 1);
}

TEST_CASE("summary counts parameters and multiply-adds") {
  auto net = nn::resnet_cifar(20);
  net->at("stage1").eval();
  const std::string table = nn::summary(*net, {1, 32, 32, 3});
  CHECK(table.find("269,722") != std::string::npos);
  CHECK(table.find("40,551,040") != std::string::npos);  // 40.5 million convolution multiply-adds, and 640 of the last
  CHECK(table.find("stage3.1.conv2") != std::string::npos);
  CHECK(table.find("{1, 8, 8, 64}") != std::string::npos);
  CHECK(net->is_training());
  CHECK(!net->at("stage1.0").is_training());
  CHECK_THROWS_AS(nn::summary(*net, {1, 32, 32, 4}), Error);
  CHECK(!net->at("stage1.0").is_training());
  Tied tied;
  CHECK(nn::summary(tied, {2, 4}).find("shared") != std::string::npos);
}

namespace {

// x w, with a gradient of w that is twice too large.
struct Steep : Op<Steep> {
  static constexpr const char* name = "steep";
  static Tensor forward(Context& ctx, const Tensor& x, const Tensor& w) {
    ctx.save(x);
    ctx.save(w);
    return x * w;
  }
  static Tensors backward(Context& ctx, const Tensor& g) { return {g * ctx.saved(1), 2.0 * g * ctx.saved(0)}; }
};
struct Scale : nn::Module {
  nn::Param w{this, "w", ones({3}, f64)};
  Tensor forward(const Tensor& x) override { return apply<Steep>(x, w); }
};

}  // namespace

TEST_CASE("gradcheck of a module's parameters") {
  manual_seed(4);
  nn::Sequential net(nn::make<nn::Linear>(3, 4), nn::make<nn::LayerNorm>(4), nn::make<nn::Linear>(4, 2));
  net.to(f64);
  const auto of = [](nn::Module& module) { return [&](const Tensors& in) { return module(in[0]); }; };
  const auto with = [](const Tensor& x, const nn::Module& module) {
    Tensors inputs{x};
    for (const Tensor& p : module.parameters()) inputs.push_back(p);
    return inputs;
  };
  const Tensor x = randn({5, 3}, f64), before = net.parameters()[0].detach().clone();
  for (const bool fast : {false, true}) {
    const GradcheckResult result = gradcheck(of(net), with(x, net), {.order = 2, .fast = fast});
    CHECK_MESSAGE(result.ok, result.message);
    CHECK(result.max_error > 0);
  }
  CHECK(allclose(net.parameters()[0], before, 0, 0));
  CHECK(!net.parameters()[0].grad().defined());

  Scale wrong;
  CHECK(gradcheck(of(wrong), {x}).ok);
  const GradcheckResult result = gradcheck(of(wrong), with(x, wrong));
  CHECK_FALSE(result.ok);
  CHECK(result.message.find("input 1 of shape {3}") != std::string::npos);
}

TEST_CASE("modules made on the spot, functions by name, optimisers of modules") {
  nn::Sequential net(nn::Linear(3, 4), nn::Lambda(relu), nn::make<nn::Linear>(4, 1));
  CHECK(net.named_parameters()[2].first == "2.weight");
  CHECK(net.parameters().size() == 4);
  CHECK(net(ones({2, 3})).shape() == Shape{2, 1});
  nn::ModuleList one(nn::Linear(2, 2));
  CHECK(one.size() == 1);
  const nn::ModulePtr chosen = one.size() == 1 ? nn::make<nn::Identity>() : nn::make<nn::Linear>(3, 4);
  CHECK(chosen->parameters().empty());

  const Tensor before = net.parameters()[0].detach().clone();
  nn::Adam adam(net, {.lr = 0.5});
  sum(net(ones({2, 3}))).backward();
  adam.step();
  CHECK(adam.parameters().size() == 4);
  CHECK_FALSE(allclose(net.parameters()[3], zeros({1})));
  nn::Lambda nothing(relu);
  CHECK_THROWS_WITH_AS(nn::Adam(nothing, {}), doctest::Contains("no parameters"), Error);
}
