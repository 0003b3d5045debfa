// Deep copies: nothing in common with the original but the values, sharing kept, types kept; and what cannot be copied.
#include <weft/weft.hpp>

#include <doctest/doctest.h>
#include <tests/support/message_of.hpp>

#include <optional>
#include <set>

using namespace weft;

namespace {

struct Net : nn::Module {
  nn::Child<nn::Linear> hidden{this, "hidden", 3, 4};
  nn::Child<nn::BatchNorm> norm{this, "norm", 4};
  nn::Param scale{this, "scale", ones({4})};
  nn::Child<nn::Linear> output{this, "output", 4, 2};
  nn::Buffer calls{this, "calls", zeros({1})};
  std::string label = "net";
  Tensor forward(const Tensor& x) override {
    const NoGrad off;
    calls.add_(1.0);
    const EnableGrad on;
    return output(relu(norm(hidden(x)) * scale));
  }
};

// One tensor under two names, one module in two places, and one tensor in two modules.
struct Head : nn::Module {
  nn::Param own, other;
  nn::Child<nn::Linear> linear;
  Head(const Tensor& shared, std::shared_ptr<nn::Linear> module)
      : own{this, "own", shared}, other{this, "other", own}, linear{this, "linear", std::move(module)} {}
  Tensor forward(const Tensor& x) override { return linear(x * own) + x * other; }
};
struct Tied : nn::Module {
  nn::Param table{this, "table", ones({4})};
  nn::Child<nn::Linear> first{this, "first", 4, 4};
  nn::Child<Head> head{this, "head", table, first.ptr()};
  Tensor forward(const Tensor& x) override { return head(first(x) * table); }
};

// Members in containers, and a module that is a member by itself.
struct Scattered : nn::Module {
  std::vector<nn::Param> scales;
  std::vector<nn::Child<nn::Linear>> layers;
  std::optional<nn::Child<nn::Linear>> last;
  nn::Linear forgotten{3, 3};
  nn::Param shift{this, "shift", zeros({3})};
  Scattered() {
    for (int i = 0; i < 5; ++i) {
      const std::string number = std::to_string(i);
      scales.emplace_back(this, "scale" + number, rand({3}));
      layers.emplace_back(this, "layer" + number, 3, 3);
    }
    last.emplace(this, "last", 3, 2);
  }
  Tensor forward(const Tensor& x) override {
    Tensor y = forgotten(x);
    for (std::size_t i = 0; i < layers.size(); ++i) y = layers[i](y) * scales[i] + shift;
    return (*last)(y);
  }
};

struct Base : nn::Module {
  nn::Child<nn::Linear> linear{this, "linear", 2, 2};
  Tensor forward(const Tensor& x) override { return linear(x); }
};
struct Derived : Base {
  nn::Param gain{this, "gain", full({2}, 3.0)};
  Tensor forward(const Tensor& x) override { return Base::forward(x) * gain; }
};

struct Unique : nn::Module {
  std::unique_ptr<int> number = std::make_unique<int>(3);
  Tensor forward(const Tensor& x) override { return x; }
};
struct WithUnique : nn::Module {
  nn::Child<Unique> unique{this, "unique"};
  nn::Param weight{this, "weight", ones({1})};
};
struct ByName : nn::Module {
  Tensor weight = parameter(ones({2}));
  ByName() { add_parameter("weight", weight); }
};
struct Unsaid : nn::Module {
  nn::Child<nn::Linear> linear{this, "linear", 2, 2};
  Tensor forward(const Tensor& x) override { return linear(x); }
};

nn::NamedTensors handles(const nn::Module& module) {
  nn::NamedTensors all = module.named_parameters();
  for (const auto& buffer : module.named_buffers()) all.push_back(buffer);
  return all;
}

// Checks that a copy has the original's names and values, and none of its tensors and modules.
void check_copy(nn::Module& copy, nn::Module& original) {
  const nn::NamedTensors ours = handles(original), theirs = handles(copy);
  REQUIRE(ours.size() == theirs.size());
  std::set<const void*> known;
  for (const auto& [name, t] : ours) known.insert({t.impl(), t.impl()->storage.get()});
  for (std::size_t i = 0; i < ours.size(); ++i) {
    INFO(ours[i].first);
    const Tensor &a = ours[i].second, &b = theirs[i].second;
    CHECK(theirs[i].first == ours[i].first);
    CHECK(b.dtype() == a.dtype());
    CHECK(allclose(b, a, 0, 0));
    CHECK(b.requires_grad() == a.requires_grad());
    CHECK(b.name() == a.name());
    CHECK_FALSE(b.grad().defined());
    CHECK(known.count(b.impl()) == 0);
    CHECK(known.count(b.impl()->storage.get()) == 0);
  }
  auto our_modules = original.named_modules(), their_modules = copy.named_modules();
  REQUIRE(our_modules.size() == their_modules.size());
  for (std::size_t i = 0; i < our_modules.size(); ++i) {
    CHECK(their_modules[i].first == our_modules[i].first);
    CHECK(their_modules[i].second != our_modules[i].second);
    const nn::Module &ours_at = *our_modules[i].second, &theirs_at = *their_modules[i].second;
    CHECK(typeid(theirs_at) == typeid(ours_at));
    CHECK(theirs_at.is_training() == ours_at.is_training());
  }
}

// Checks that what a copy computes comes from its own parameters, all of them.
void check_independent(nn::Module& copy, nn::Module& original, const Tensor& x) {
  original.eval();
  copy.eval();
  const Tensor before = original(x).detach();
  CHECK(allclose(copy(x), before, 0, 0));
  sum(square(copy(x))).backward();
  for (const auto& [name, p] : original.named_parameters()) CHECK_FALSE(p.grad().defined());
  CHECK(nn::unregistered_leaves(copy, copy(x)) == std::vector<std::string>{});
  const NoGrad off;
  for (Tensor& p : copy.parameters()) {
    CHECK(p.grad().defined());
    p.add_(0.25);
  }
  for (auto& [name, b] : copy.named_buffers()) b.add_(0.25);
  CHECK(allclose(original(x), before, 0, 0));
  CHECK_FALSE(allclose(copy(x), before, 1e-3, 1e-3));
}

}  // namespace

TEST_CASE("a clone has the original's values, modes and names, and tensors of its own") {
  manual_seed(1);
  Net net;
  net.to(f64);
  net.label = "mine";
  net.output->freeze();
  net.norm->eval();
  sum(net(randn({5, 3}, f64))).backward();
  const auto copy = nn::clone(net);
  static_assert(std::is_same_v<decltype(copy), const std::shared_ptr<Net>>);
  CHECK(copy->label == "mine");
  CHECK(copy->scale.impl() == copy->named_parameters()[4].second.impl());
  check_copy(*copy, net);
  net.zero_grad();
  net.output->freeze(false);
  const auto thawed = nn::clone(*nn::clone(net));  // a copy of a copy
  check_copy(*thawed, net);
  check_independent(*thawed, net, randn({5, 3}, f64));
}

TEST_CASE("copying the struct is the same deep copy, and moving it is not") {
  manual_seed(2);
  Net net;
  Net copy = net;
  check_copy(copy, net);
  check_independent(copy, net, randn({5, 3}));
  const nn::NamedTensors before = handles(net);
  Net moved = std::move(net);
  for (std::size_t i = 0; i < before.size(); ++i) CHECK(handles(moved)[i].second.impl() == before[i].second.impl());
  Net again;
  again = std::move(moved);
  CHECK(handles(again)[0].second.impl() == before[0].second.impl());
  const auto last = nn::clone(again);  // its registry still knows the members
  check_copy(*last, again);
  check_independent(*last, again, randn({5, 3}));
  static_assert(!std::is_copy_assignable_v<Net>);
}

TEST_CASE("nets known as ModulePtr are copied whole, with the types of all their parts") {
  manual_seed(3);
  const Tensor images = randn({2, 8, 8, 3});
  const nn::ModulePtr c = nn::resnet_cifar(8, nn::ShortcutOption::C),
                      a = nn::resnet_cifar(8, nn::ShortcutOption::A, true), dense = nn::densenet(10, 4, true, 0.5);
  for (const nn::ModulePtr& net : {c, a, dense}) {
    (*net)(images);  // running statistics of its own
    const nn::ModulePtr copy = nn::clone(net);
    check_copy(*copy, *net);
    check_independent(*copy, *net, images);
  }
  CHECK(message_of([&] { (*nn::clone(c))(ones({2, 3})); }) == message_of([&] { (*c)(ones({2, 3})); }));
  CHECK(message_of([&] { (*nn::clone(c))(ones({2, 3})); }).starts_with("conv: "));
}

TEST_CASE("what is shared in the original is shared in the copy, and only there") {
  manual_seed(4);
  Tied net;
  const auto copy = nn::clone(net);
  check_copy(*copy, net);
  CHECK(copy->head->own.impl() == copy->table.impl());
  CHECK(copy->head->other.impl() == copy->table.impl());
  CHECK(copy->head->linear.ptr() == copy->first.ptr());
  CHECK(copy->parameters().size() == 3);
  check_independent(*copy, net, randn({2, 4}));
}

TEST_CASE("members in containers are copied, and modules that are members by themselves") {
  manual_seed(5);
  Scattered net;
  const auto copy = nn::clone(net);
  check_copy(*copy, net);
  CHECK(copy->forgotten.weight.impl() != net.forgotten.weight.impl());
  CHECK(allclose(copy->forgotten.weight, net.forgotten.weight, 0, 0));
  CHECK(copy->forgotten.parameters()[0].impl() == copy->forgotten.weight.impl());
  const Tensor x = randn({2, 3});
  CHECK(allclose((*copy)(x), net(x), 0, 0));
  sum((*copy)(x)).backward();
  for (const Tensor& p : net.parameters()) CHECK_FALSE(p.grad().defined());
  for (const Tensor& p : copy->parameters()) CHECK(p.grad().defined());
}

TEST_CASE("a clone through a base class is no slice") {
  manual_seed(6);
  Derived derived;
  Base& base = derived;
  CHECK(message_of([&] { nn::clone(base); }).find("Derived") != std::string::npos);  // nobody knows how
  const nn::ModulePtr made = nn::make<Derived>();
  const auto copy = nn::clone(dynamic_cast<Base&>(*made));
  static_assert(std::is_same_v<decltype(copy), const std::shared_ptr<Base>>);
  check_copy(*copy, *made);
  const auto body = std::make_shared<nn::Sequential>();
  body->append(std::make_shared<Derived>());
  body->append(nn::make<Derived>());
  const auto appended = nn::clone(nn::ModulePtr(body));
  check_copy(*appended, *body);
  check_independent(*appended, *body, randn({2, 2}));
}

TEST_CASE("handles that were copied alone stay the original's") {
  Net net;
  const nn::Param scale = net.scale;
  const nn::Child<nn::Linear> hidden = net.hidden;
  const auto copy = nn::clone(net);
  const nn::Param after = net.scale;
  CHECK(scale.impl() == net.scale.impl());
  CHECK(after.impl() == net.scale.impl());
  CHECK(hidden.ptr() == net.hidden.ptr());
}

TEST_CASE("what cannot be copied is named, and copying works again after it") {
  static_assert(!std::is_copy_constructible_v<Unique>);
  const Unique unique;
  CHECK(message_of([&] { nn::clone(unique); }) ==
        "clone: got a Unique of which no copying is known, needs a copy constructor (a std::unique_ptr among the "
        "members leaves it without) and to be made by make<Unique> or Child<Unique>");
  WithUnique holder;
  CHECK(message_of([&] { nn::clone(holder); }).find("got a Unique") != std::string::npos);
  CHECK(message_of([&] { nn::clone(ByName()); }) ==
        "clone: ByName has registered \"weight\" without a Param, needs one as its member");
  const nn::Residual residual(std::make_shared<Unsaid>());
  CHECK(message_of([&] { nn::clone(residual); }).find("made by make<Unsaid>") != std::string::npos);
  CHECK(message_of([] { nn::clone(nn::ModulePtr()); }) == "clone: got a null module");
  Net net;
  check_copy(*nn::clone(net), net);
}
