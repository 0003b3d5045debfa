// Observers, an op's fields, and the profile that stands on them.
#include <doctest/doctest.h>
#include <tests/support/temp_dir.hpp>
#include <weft/weft.hpp>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

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

// Writes its letter when it is told, with others on one sheet.
struct Voice : Observer {
  Voice(char of, std::string& on) : letter(of), sheet(on) {}
  char letter;
  std::string& sheet;

  void before(const OpCall&) override { sheet += letter; }
  void after(const OpCall&) override { sheet.append("/") += letter; }
};

struct FailsBackward : Op<FailsBackward> {
  static constexpr const char* name = "fails_backward";
  static Tensor forward(Context&, const Tensor& x) { return x + 1.0; }
  static Tensor backward(Context&, const Tensor&) { fail("fails_backward: does"); }
};

// Does something with a profile in the middle of a call.
struct Inside {
  static constexpr const char* name = "inside";
  std::function<void()> look;
  Tensor forward(Context&, const Tensor& x) const {
    look();
    return x.detach();
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

TEST_CASE("observers are told in the order in which they came, as long as they live") {
  std::string sheet;
  const Tensor x = ones({1});
  Voice a('a', sheet), b('b', sheet);
  const Observe first(a);
  {
    const Observe second(b);
    exp(x);
    CHECK(sheet == "ab/a/b");
  }
  sheet.clear();
  exp(x);
  CHECK(sheet == "a/a");
}

TEST_CASE("an observer is told of the end of a backward that fails") {
  const Tensor y = apply<FailsBackward>(parameter(ones({2})));
  Witness witness;
  const Observe observe(witness);
  CHECK_THROWS_AS(y.backward(ones({2})), Error);
  CHECK(witness.depth == 0);
  REQUIRE(ops_of(witness) == std::vector<std::string>{"fails_backward"});
  CHECK(witness.calls[0].pass == Pass::backward);
  CHECK(witness.calls[0].outputs.empty());
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
}

TEST_CASE("a profile's runs stand in the order in which they began, inner ones inside") {
  const Tensor x = parameter(ones({2, 3})), w = parameter(ones({3, 4}));
  Profile profile;
  {
    const Scope part("encoder");
    sum(matmul(x, w), 0).backward(ones({4}));
  }
  profile.stop();
  const std::vector<ProfileRun> runs = profile.runs();
  REQUIRE(runs.size() > 4);
  CHECK(runs[0].op == "matmul");
  CHECK(runs[0].module == "encoder");
  CHECK(runs[0].shapes == "{2, 3}, {3, 4} -> {2, 4}");
  CHECK(runs[0].begin == 0);
  CHECK(runs[0].bytes == (6 + 12 + 8) * 4);
  CHECK(runs[1].fields.find("axes = {0}") != std::string::npos);
  bool inner = false, backward = false;
  for (std::size_t i = 1; i < runs.size(); ++i) {
    CHECK(runs[i].begin >= runs[i - 1].begin);
    CHECK(runs[i].seconds >= 0);
    backward = backward || (runs[i].op == "matmul" && runs[i].pass == Pass::backward && runs[i].depth == 0);
    if (runs[i].depth == 0) continue;
    inner = true;
    std::size_t outer = i;
    while (runs[outer].depth >= runs[i].depth) --outer;
    CHECK(runs[outer].begin <= runs[i].begin);
    CHECK(runs[i].begin + runs[i].seconds <= runs[outer].begin + runs[outer].seconds + 1e-9);
  }
  CHECK(inner);
  CHECK(backward);
  double seconds = 0, outermost = 0;
  for (const ProfileRow& row : profile.rows()) seconds += row.seconds;
  for (const ProfileRun& run : runs) outermost += run.depth == 0 ? run.seconds : 0;
  CHECK(seconds == doctest::Approx(outermost));
}

TEST_CASE("a profile's table is its rows") {
  const Tensor x = parameter(ones({100}, f64));
  Profile profile;
  {
    const Scope part("encoder");
    for (int i = 0; i < 3; ++i) sum(exp(x) * x).backward();
  }
  profile.stop();
  const std::vector<ProfileRow> rows = profile.rows();
  REQUIRE(rows.size() == 6);
  std::istringstream text(profile.table());
  std::string line;
  std::getline(text, line);
  CHECK(line.rfind("op ", 0) == 0);
  double percents = 0, milliseconds = 0;
  for (const ProfileRow& row : rows) {
    std::string op, pass;
    std::int64_t calls = 0;
    double ms = 0, percent = 0, us_a_call = 0, rate = 0;
    text >> op >> pass >> calls >> ms >> percent >> us_a_call >> rate;
    CHECK(op == row.op);
    CHECK(pass == (row.pass == Pass::forward ? "forward" : "backward"));
    CHECK(calls == 3);
    // Each as exact as it is printed.
    CHECK(std::abs(ms - row.seconds * 1e3) < 0.00051);
    CHECK(std::abs(us_a_call - row.seconds * 1e6 / 3) < 0.0051);
    CHECK(std::abs(rate - static_cast<double>(row.bytes) / row.seconds * 1e-9) < 0.051);
    percents += percent;
    milliseconds += row.seconds * 1e3;
  }
  CHECK(std::abs(percents - 100) < 6 * 0.051);
  double all = 0;
  text >> all >> line;
  CHECK(std::abs(all - milliseconds) < 0.00051);
  CHECK(line == "ms");
  const std::string by_module = profile.table(true);
  CHECK(by_module.rfind("module ", 0) == 0);
  CHECK(by_module.find("\nencoder  exp ") != std::string::npos);
}

TEST_CASE("calls that have begun before a profile, or not ended yet, are not its") {
  const Tensor x = ones({2});
  Witness outer;
  const Observe observe(outer);
  std::optional<Profile> profile;
  apply(Inside{[&] { profile.emplace(); }}, x);
  CHECK(profile->rows().empty());
  exp(x);
  std::size_t meanwhile = 0;
  apply(Inside{[&] { meanwhile = profile->rows().size(); }}, x);
  CHECK(meanwhile == 1);
  CHECK(profile->rows().size() == 2);
}

TEST_CASE("a profile as a trace for Chrome") {
  const TempDir dir;
  const std::string path = dir / "trace.json";
  Profile profile;
  const Tensor x = parameter(ones({4, 2}, f64));
  {
    const Scope part("caf\xe9");  // no UTF-8
    sum(permute(x, {1, 0})).backward();
  }
  grad(sum(matmul(ones({3, 4}, f64), x)), {x});
  split(x, 1);
  profile.write_chrome_trace(path);
  std::ifstream file(path);
  const auto events = nlohmann::json::parse(file)["traceEvents"];
  REQUIRE(events.size() >= 4);
  CHECK(events[0]["name"] == "permute");
  CHECK(events[0]["ph"] == "X");
  CHECK(events[0]["cat"] == "forward");
  CHECK(events[0]["args"]["fields"] == "order = {1, 0}");
  CHECK(events[0]["args"]["shapes"] == "{4, 2} -> {2, 4}");
  CHECK(events[0]["args"]["bytes"] == 128);
  CHECK(events[0]["args"]["module"] == "caf\ufffd");
  CHECK(events[0]["ts"] == 0);
  CHECK(events[2]["cat"] == "backward");
  std::vector<std::string> shapes;
  std::map<std::pair<std::string, std::string>, double> durations;
  double end = 0;  // of the last call that is not inside another one
  for (const auto& event : events) {
    const double begin = event["ts"], duration = event["dur"];
    CHECK(duration >= 0);
    if (event["name"] == "matmul" || event["name"] == "split") shapes.push_back(event["args"]["shapes"]);
    if (begin < end) {
      CHECK(begin + duration < end + 0.001);
    } else {
      end = begin + duration;
      durations[{event["name"], event["cat"]}] += duration;
    }
  }
  CHECK(shapes.at(0) == "{3, 4}, {4, 2} -> {3, 2}");
  CHECK(shapes.at(1) == "{3, 2} -> -, {4, 2}");
  CHECK(shapes.back() == "{4, 2} -> {4, 1}, {4, 1}");
  CHECK(durations.size() == profile.rows().size());
  for (const ProfileRow& row : profile.rows())
    CHECK(durations[{row.op, row.pass == Pass::forward ? "forward" : "backward"}] ==
          doctest::Approx(row.seconds * 1e6));
  CHECK_THROWS_WITH_AS(profile.write_chrome_trace(dir / "none/trace.json"), doctest::Contains("write_chrome_trace"),
                       Error);
}
