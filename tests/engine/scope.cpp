// Where in a net a thread is: paths of names, the places of modules, errors with a path. Modules: see nn/scope.cpp.
#include <doctest/doctest.h>
#include <weft/engine/backward.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/graph.hpp>
#include <weft/engine/op.hpp>
#include <weft/engine/scope.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/unary.hpp>

#include <functional>
#include <stdexcept>
#include <string>

using namespace weft;
using weft::detail::ScopeName;

namespace {

struct Special : Error {
  using Error::Error;
};

// The message of what f throws on its way through rethrow_with_path().
template <class E>
std::string message_with_path(const std::function<void()>& f) {
  try {
    try {
      f();
    } catch (...) {
      detail::rethrow_with_path();
    }
  } catch (const E& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("parts nest, and end in any way") {
  CHECK(scope_path().empty());
  {
    const Scope outer("outer");
    {
      const Scope middle("middle");
      { const Scope inner("inner"); }
      CHECK(scope_path() == "outer.middle");
    }
    CHECK(scope_path() == "outer");
    try {
      const Scope failing("failing");
      throw std::runtime_error("no");
    } catch (const std::runtime_error&) {
      CHECK(scope_path() == "outer");
    }
    const Scope beside("middle");  // the same name again
    CHECK(scope_path() == "outer.middle");
  }
  CHECK(scope_path().empty());
}

TEST_CASE("a path has one number, and paths that end alike have different ones") {
  const std::uint32_t a = detail::scope_below(0, "a"), b = detail::scope_below(0, "b");
  const std::uint32_t below_a = detail::scope_below(a, "c"), below_b = detail::scope_below(b, "c");
  CHECK(detail::scope_below(0, "a") == a);
  CHECK(detail::scope_below(a, "c") == below_a);
  CHECK(below_a != below_b);
  CHECK(detail::path_of_scope(below_a) == "a.c");
  CHECK(detail::path_of_scope(below_b) == "b.c");
  CHECK(detail::path_of_scope(0).empty());
}

TEST_CASE("a name follows what it stands under, and keeps its first place") {
  const auto root = std::make_shared<ScopeName>(), part = std::make_shared<ScopeName>();
  const auto path = [](const ScopeName& name) { return detail::path_of_scope(name.scope()); };
  ScopeName leaf;
  CHECK(path(leaf).empty());
  leaf.place("leaf", part);
  CHECK(path(leaf) == "leaf");
  part->place("part", root);
  CHECK(path(leaf) == "part.leaf");
  CHECK(path(leaf) == "part.leaf");
  leaf.place("other", root);
  CHECK(path(leaf) == "part.leaf");
}

TEST_CASE("an Error gets the path once, and others stay as they are") {
  const auto fails = [] { throw Error("no"); };
  CHECK(message_with_path<Error>(fails) == "no");
  const Scope outer("outer");
  {
    const Scope inner("inner");
    CHECK(message_with_path<Error>(fails) == "outer.inner: no");
    CHECK(message_with_path<Special>([] { throw Special("mine"); }) == "mine");
    CHECK(message_with_path<std::runtime_error>([] { throw std::runtime_error("foreign"); }) == "foreign");
  }
  const std::string twice = message_with_path<Error>([&] {
    const Scope inner("inner");
    message_with_path<Special>(fails);
  });
  CHECK(twice == "outer.inner: no");
}

TEST_CASE("backward is where each op was recorded, and then again where it was called") {
  const Tensor x = parameter(ones({2}));
  Tensor y;
  std::string seen;
  {
    const Scope part("encoder");
    y = exp(x);
    y.register_hook([&](const Tensor&) { seen = scope_path(); });
  }
  CHECK(print_tape(y).find(", in encoder\n") != std::string::npos);
  const Tensor z = sum(y);
  const Scope here("training");
  z.backward();
  CHECK(seen == "encoder");
  CHECK(scope_path() == "training");
  CHECK_THROWS_WITH_AS(y.backward(ones({2})), doctest::Contains("encoder: backward: the graph of exp"), Error);
  CHECK(scope_path() == "training");
}
