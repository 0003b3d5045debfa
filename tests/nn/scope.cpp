// Where in the net something happened: errors, anomalies and the printed tape say it.
#include <doctest/doctest.h>
#include <tests/support/message_of.hpp>
#include <weft/weft.hpp>

using namespace weft;

namespace {

struct Block : nn::Module {
  nn::Child<nn::Linear> inner{this, "inner", 3, 3};
  bool root = false;
  Tensor forward(const Tensor& x) override { return inner(root ? sqrt(x - x) * x : x); }
};

struct Net : nn::Module {
  nn::Child<nn::ModuleList> stages{this, "stages", std::vector<nn::ModulePtr>{nn::make<Block>(), nn::make<Block>()}};
  nn::Child<nn::Sequential> head{this, "head", nn::make<nn::ReLU>(), nn::make<nn::Linear>(3, 2)};
  Tensor forward(const Tensor& x) override {
    Tensor y = x;
    for (const nn::ModulePtr& stage : *stages) y = (*stage)(y);  // no module's forward between this and the stage
    return head(y);
  }
};

}  // namespace

TEST_CASE("an error says in which module it was thrown, once") {
  Net net;
  const std::string text = message_of([&] { net(ones({2, 4})); });
  CHECK(text.rfind("stages.0.inner: Linear: got", 0) == 0);
  CHECK(message_of([&] { net.head(ones({2, 4})); }).rfind("head.1: Linear: got", 0) == 0);
  CHECK(scope_path().empty());
  // Outside of modules, and in one without a name, nothing is added.
  CHECK(message_of([&] { nn::Linear(3, 2)(ones({2, 4})); }).rfind("Linear: got", 0) == 0);
  // Shared modules have their first name, moved ones keep theirs.
  const auto shared = nn::make<nn::Linear>(3, 3);
  nn::Sequential first(shared), second(nn::make<nn::ReLU>(), shared);
  CHECK(message_of([&] { second(ones({2, 4})); }).rfind("0: Linear", 0) == 0);
  nn::Sequential moved = std::move(first);
  CHECK(message_of([&] { moved(ones({2, 4})); }).rfind("0: Linear", 0) == 0);
}

TEST_CASE("errors of other types stay what they are") {
  struct Special : Error {
    using Error::Error;
  };
  nn::Sequential net(nn::make<nn::Lambda>([](const Tensor&) -> Tensor { throw Special("mine"); }),
                     nn::make<nn::Lambda>([](const Tensor&) -> Tensor { throw std::runtime_error("foreign"); }));
  CHECK_THROWS_WITH_AS(net[0](ones({1})), "mine", Special);
  CHECK_THROWS_WITH_AS(net[1](ones({1})), "foreign", std::runtime_error);
}

TEST_CASE("a module's forward of other arguments knows its place too") {
  struct Pair : nn::Module {
    Tensor forward(const Tensor& a, const Tensor& b) { return a + b; }
    using Module::forward;
  };
  struct Outer : nn::Module {
    nn::Child<Pair> pair{this, "pair"};
    Tensor forward(const Tensor& x) override { return pair(x, ones({7})); }
  } outer;
  CHECK(message_of([&] { outer(ones({2})); }).rfind("pair: add:", 0) == 0);
}

TEST_CASE("backward, anomalies and the printed tape know the module") {
  Net net;
  const Tensor x = parameter(ones({2, 3}));
  const Tensor loss = sum(net(x));
  const std::string tape = print_tape(loss);
  CHECK(tape.find(", in stages.1.inner\n") != std::string::npos);
  CHECK(tape.find(", in head.0\n") != std::string::npos);
  loss.backward();
  CHECK(message_of([&] { loss.backward(); }).find("already differentiated") != std::string::npos);

  dynamic_cast<Block&>((*net.stages)[1]).root = true;
  const Anomaly anomaly;
  const std::string text = message_of([&] { sum(net(x)).backward(); });
  CHECK(text.rfind("stages.1: anomaly: backward of ", 0) == 0);
  CHECK(scope_path().empty());
}

TEST_CASE("a part of plain code may be named") {
  const Tensor x = parameter(ones({2}));
  Tensor y;
  {
    const Scope outer("encoder");
    const Scope inner("gate");
    y = exp(x);
    CHECK(scope_path() == "encoder.gate");
  }
  CHECK(print_tape(y).find(", in encoder.gate") != std::string::npos);
}
