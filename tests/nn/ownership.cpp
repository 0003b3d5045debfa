// Who owns what: modules that were moved, shared, forgotten or given to themselves.
#include <doctest/doctest.h>
#include <weft/weft.hpp>

#include <algorithm>
#include <iostream>
#include <sstream>

using namespace weft;

namespace {

struct SkipMlp : nn::Module {
  nn::Child<nn::Linear> hidden{this, "hidden", 3, 16};
  nn::Child<nn::Linear> output{this, "output", 16, 2};
  Tensor forward(const Tensor& x) override { return output(tanh(hidden(x))); }
};

struct Forgetful : nn::Module {
  nn::Linear forgotten{3, 2};
  nn::Child<nn::Linear> known{this, "known", 2, 2};
  Tensor forward(const Tensor& x) override { return known(forgotten(x)); }
};

}  // namespace

TEST_CASE("weights are not exchanged behind the module's back") {
  static_assert(!std::is_copy_assignable_v<nn::Param>);
  static_assert(!std::is_assignable_v<nn::Param&, const Tensor&>);
  static_assert(!std::is_copy_assignable_v<nn::Buffer>);
  static_assert(std::is_move_assignable_v<nn::Linear>);  // whole modules may be moved
}

TEST_CASE("a module that nobody owns is noticed when it is called") {
  const auto said = [](auto&& f) {
    std::ostringstream text;
    std::streambuf* const before = std::cerr.rdbuf(text.rdbuf());
    f();
    std::cerr.rdbuf(before);
    return text.str();
  };
  Forgetful net;
  const Tensor x = ones({1, 3});
  const std::string first = said([&] { net(x); });
  CHECK(first.find("a Linear is called in the forward of Forgetful") != std::string::npos);
  CHECK(std::count(first.begin(), first.end(), '\n') == 1);
  CHECK(said([&] { net(x); }).empty());  // once
  SkipMlp whole;
  CHECK(said([&] { whole(x); }).empty());
  Forgetful frozen;
  frozen.forgotten.freeze();
  CHECK(said([&] { frozen(x); }).empty());
  CHECK(said([&] { nn::Linear(2, 2)(nn::Linear(3, 2)(x)); }).empty());  // not one in the other
}

TEST_CASE("modules that are not there, were moved away or hold themselves") {
  nn::Linear from(3, 2);
  nn::Linear to = std::move(from);
  CHECK(to(ones({1, 3})).shape() == Shape{1, 2});
  CHECK_THROWS_WITH_AS(from(ones({1, 3})), doctest::Contains("Linear: the module has been moved from"), Error);
  SkipMlp owner;
  CHECK_THROWS_AS((nn::Child<nn::Module>{&owner, "none", nn::ModulePtr()}), Error);
  SkipMlp net;
  const nn::Child<nn::Linear> taken = std::move(net.hidden);
  CHECK_THROWS_WITH_AS(net.hidden->weight.size(), doctest::Contains("moved from"), Error);

  const auto list = std::make_shared<nn::Sequential>();
  CHECK_THROWS_WITH_AS(list->append(list), doctest::Contains("is or holds the module itself"), Error);
  const auto outer = std::make_shared<nn::Sequential>(list);
  CHECK_THROWS_AS(list->append(outer), Error);
  CHECK(list->size() == 0);
}
