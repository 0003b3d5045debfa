// Observers, an op's fields, and the profile that stands on them.
#include <doctest/doctest.h>
#include <tests/support/temp_dir.hpp>
#include <weft/weft.hpp>

#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

using namespace weft;

namespace {

struct Seen {
  std::string op, module;
  Pass pass;
  Fields fields;
  std::vector<Shape> inputs, outputs;
};

// Writes down the calls that are not inside others.
struct Witness : Observer {
  std::vector<Seen> calls;
  int depth = 0, deepest = 0;

  void before(const OpCall& call) override {
    deepest = std::max(deepest, ++depth);
    CHECK(call.outputs().empty());
  }
  void after(const OpCall& call) override {
    if (--depth > 0) return;
    Seen seen{call.op(), call.module(), call.pass(), call.fields(), {}, {}};
    for (const Tensor* t : call.inputs()) seen.inputs.push_back(t->shape());
    for (const Tensor& t : call.outputs()) seen.outputs.push_back(t.defined() ? t.shape() : Shape{-1});
    calls.push_back(seen);
    exp(ones({1}));  // what an observer does itself is not observed
  }
};

std::vector<std::string> ops_of(const Witness& witness) {
  std::vector<std::string> names;
  for (const Seen& seen : witness.calls) names.push_back(seen.op);
  return names;
}

}  // namespace

TEST_CASE("an observer is told of ops, fields, inputs and outputs, forward and backward") {
  const Tensor x = parameter(ones({2, 3})), w = parameter(ones({3, 4}));
  Witness witness;
  Tensor y;
  {
    const Observe observe(witness);
    y = permute(matmul(x, w), {1, 0});
    (void)argmax(y, 0);
  }
  (void)exp(x);  // after the scope
  REQUIRE(ops_of(witness) == std::vector<std::string>{"matmul", "permute", "argmax"});
  CHECK(witness.calls[0].inputs == std::vector<Shape>{{2, 3}, {3, 4}});
  CHECK(witness.calls[0].outputs == std::vector<Shape>{{2, 4}});
  CHECK(witness.calls[1].fields == Fields{{"order", Axes{1, 0}}});
  CHECK(to_text(witness.calls[1].fields) == "order = {1, 0}");
  CHECK(to_text(witness.calls[2].fields) == "axes = {0}, keepdims = false");
  for (const Seen& seen : witness.calls) CHECK(seen.pass == Pass::forward);

  witness = {};
  {
    const Observe observe(witness);
    grad(y, {w}, {.grad_outputs = {ones({4, 2})}});
  }
  REQUIRE(ops_of(witness) == std::vector<std::string>{"permute", "matmul"});
  CHECK(witness.calls[0].pass == Pass::backward);
  CHECK(witness.calls[0].inputs == std::vector<Shape>{{4, 2}});
  CHECK(witness.calls[1].outputs == std::vector<Shape>{{-1}, {3, 4}});  // x's gradient was not wanted
  CHECK(witness.deepest == 2);                                          // the ops that backward calls
}

TEST_CASE("observers: what is not recorded, several at once, an op that fails") {
  Witness outer, inner;
  const Observe observe(outer);
  {
    const Observe both(inner);
    const NoGrad off;
    CHECK_THROWS_AS(add(ones({2}), ones({3})), Error);
    exp(ones({2}));
  }
  log(ones({2}));
  CHECK(ops_of(inner) == std::vector<std::string>{"add", "exp"});
  CHECK(ops_of(outer) == std::vector<std::string>{"add", "exp", "log"});
  CHECK(inner.calls[0].outputs.empty());
  CHECK(outer.depth == 0);
}

TEST_CASE("fields print themselves by their kind") {
  const Fields fields{{"whole", 3}, {"part", 0.5}, {"flag", true}, {"list", Shape{2, 3}}, {"text", "left"}};
  CHECK(to_text(fields) == "whole = 3, part = 0.5, flag = true, list = {2, 3}, text = left");
  CHECK(to_text(Fields{}).empty());
  CHECK(print_tape(clamp(parameter(ones({2})), -1, 0.5)).find("[low = -1, high = 0.5]") != std::string::npos);
}

TEST_CASE("a profile: calls and bytes by op, passes apart, by module too") {
  struct Net : nn::Module {
    nn::Child<nn::Linear> first{this, "first", 3, 3}, second{this, "second", 3, 3};
    Tensor forward(const Tensor& x) override { return second(tanh(first(x))); }
  } net;
  const Tensor x = ones({5, 3});
  Profile profile;
  for (int i = 0; i < 2; ++i) sum(net(x)).backward();
  profile.stop();
  net(x);

  const auto row = [&](const std::string& op, Pass pass, const std::string& module, bool by_module) {
    for (const ProfileRow& r : profile.rows(by_module))
      if (r.op == op && r.pass == pass && r.module == module) return r;
    return ProfileRow{};
  };
  CHECK(row("linear", Pass::forward, "", false).calls == 4);
  CHECK(row("linear", Pass::backward, "", false).calls == 4);
  CHECK(row("linear", Pass::forward, "first", true).calls == 2);
  CHECK(row("linear", Pass::backward, "second", true).calls == 2);
  CHECK(row("tanh", Pass::forward, "", true).bytes == 2 * 2 * 15 * 4);
  CHECK(row("matmul", Pass::forward, "", false).calls == 0);  // inside linear's backward
  double before = INFINITY;
  for (const ProfileRow& r : profile.rows()) {
    CHECK((r.seconds > 0 && r.seconds <= before));
    before = r.seconds;
  }
  const std::string table = profile.table(true);
  CHECK(table.find("linear ") != std::string::npos);
  CHECK(table.find("second") != std::string::npos);
}

TEST_CASE("a profile as a trace for Chrome") {
  const TempDir dir;
  const std::string path = dir / "trace.json";
  Profile profile;
  const Tensor x = parameter(ones({4, 2}));
  {
    const Scope part("caf\xe9");  // no UTF-8
    sum(permute(x, {1, 0})).backward();
  }
  profile.write_chrome_trace(path);
  std::ifstream file(path);
  const auto events = nlohmann::json::parse(file)["traceEvents"];
  REQUIRE(events.size() >= 4);
  CHECK(events[0]["name"] == "permute");
  CHECK(events[0]["ph"] == "X");
  CHECK(events[0]["cat"] == "forward");
  CHECK(events[0]["args"]["fields"] == "order = {1, 0}");
  CHECK(events[0]["args"]["shapes"] == "{4, 2} -> {2, 4}");
  CHECK(events[0]["args"]["bytes"] == 64);
  CHECK(events[2]["cat"] == "backward");
  for (const auto& event : events) CHECK((event["ts"] >= 0 && event["dur"] >= 0));
  CHECK_THROWS_WITH_AS(profile.write_chrome_trace(dir / "none/trace.json"), doctest::Contains("write_chrome_trace"),
                       Error);
}
