// What can be seen of the tape: drawings, listings, counts of nodes and bytes, and where a gradient went wrong.
#include <doctest/doctest.h>
#include <tests/support/message_of.hpp>
#include <tests/support/sanitized.hpp>
#include <weft/engine/backward.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/graph.hpp>
#include <weft/engine/memory.hpp>
#include <weft/engine/op.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/reshape.hpp>
#include <weft/ops/unary.hpp>

#include <cmath>
#include <sstream>

using namespace weft;

namespace {

// Where an op is recorded that goes wrong in backward.
Tensor root_of(const Tensor& x) { return sqrt(x); }
struct Rooting {
  template <class T>
  Tensor operator()(const T& x) const {
    return root_of(x);
  }
};

struct SavesAbsent : Op<SavesAbsent> {
  static constexpr const char* name = "saves_absent";
  static Tensor forward(Context& context, const Tensor& x) {
    context.save(Tensor());
    context.save(x);
    return x + 1.0;
  }
  static Tensor backward(Context&, const Tensor& g) { return g; }
};

std::vector<std::string> lines(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> out;
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}
std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}
bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("print_tape: a line for each op, oldest first") {
  Tensor x = parameter(ones({2, 3}, f64)), w = parameter(ones({3}, f64)), b = parameter(ones({3}, f64));
  w.set_name("weight");
  const Tensor scaled = x * w + ones({2, 3}, f64);
  const Tensors halves = split(scaled + b + b, 2);
  const Tensor y = sum(tanh(halves[1]));
  sum(halves[0]);  // leads nowhere
  const std::vector<std::string> text = lines(print_tape(y));
  REQUIRE(text.size() == 7);
  CHECK(text[0] == "#0      mul                 (leaf 0 {2, 3}, weight {3}) -> f64 {2, 3}, saved 128 bytes");
  CHECK(text[1] == "#1      add                 (#0 {2, 3}, constant {2, 3}) -> f64 {2, 3}");
  CHECK(text[2] == "#2      add                 (#1 {2, 3}, leaf 1 {3}) -> f64 {2, 3}");
  CHECK(text[3] == "#3      add                 (#2 {2, 3}, leaf 1 {3}) -> f64 {2, 3}");
  CHECK(text[4] == "#4      split               (#3 {2, 3}) -> f64 {2, 2}, f64 {2, 1} [axis = 1, sizes = {2, 1}]");
  CHECK(text[5] == "#5      tanh                (#4[1] {2, 1}) -> f64 {2, 1}, saved 64 bytes");
  CHECK(text[6] == "#6      sum                 (#5 {2, 1}) -> f64 {} [axes = {0, 1}, keepdims = false]");
  y.backward();
  const std::vector<std::string> after = lines(print_tape(y));
  REQUIRE(after.size() == 7);
  CHECK(after[0] == "#0      mul                 (leaf 0 {2, 3}, weight {3}) -> f64 {2, 3}, freed");
  CHECK(after[5] == "#5      tanh                (#4[1] {2, 1}) -> f64 {2, 1}, freed");
  CHECK(print_tape(x) == "nothing recorded\n");
}

TEST_CASE("to_dot: every op, leaf and edge once") {
  Tensor x = parameter(ones({2, 3}, f64)), w = parameter(ones({3}, f64));
  const Tensor h = x * w, y = sum(h + x * 2.0);
  w.set_name("own");
  const std::string text = to_dot(y, {{"input", x}, {"hidden", h}, {"absent", Tensor()}});
  const std::vector<std::string> all = lines(text);
  CHECK(all.front() == "digraph tape {");
  CHECK(all.back() == "}");
  CHECK(count(text, "shape=box") == 2);
  CHECK(count(text, "fillcolor=lightblue") == 2);
  CHECK(count(text, "label=\"input\\n{2, 3}\"") == 1);
  CHECK(count(text, "label=\"own\\n{3}\"") == 1);
  CHECK(count(text, "label=\"hidden\\nmul\\nf64 {2, 3}\"") == 1);
  CHECK(count(text, "label=\"mul\\nscalar = 2\\nf64 {2, 3}\"") == 1);
  CHECK(count(text, "label=\"add\\nf64 {2, 3}\"") == 1);
  CHECK(count(text, "label=\"sum\\naxes = {0, 1}, keepdims = false\\nf64 {}\"") == 1);
  CHECK(count(text, " -> ") == 6);
  // Numbers follow the order of appearance: op2 is the product, its leaves 0 and 1.
  for (const char* edge :
       {"leaf0 -> op2 [label=\"{2, 3}\"]", "leaf1 -> op2 [label=\"{3}\"]", "leaf0 -> op3 [label=\"{2, 3}\"]",
        "op2 -> op4 [label=\"{2, 3}\"]", "op3 -> op4 [label=\"{2, 3}\"]", "op4 -> op5 [label=\"{2, 3}\"]"}) {
    INFO(std::string(edge));
    CHECK(count(text, edge) == 1);
  }
  // A given name goes before the tensor's own; outputs of one op share its place.
  const Tensors halves = split(w, 2);
  const std::string named = to_dot(concat(halves), {{"say \"w\"", w}, {"left", halves[0]}, {"right", halves[1]}});
  CHECK(count(named, "label=\"say \\\"w\\\"\\n{3}\"") == 1);
  CHECK(count(named, "label=\"left, right\\nsplit\\n") == 1);
  CHECK(count(to_dot(x), "shape=box") == 1);
  CHECK(count(to_dot(x.detach()), "label=") == 0);
}

TEST_CASE("tape_stats counts what this result keeps, each buffer once") {
  const Tensor x = parameter(ones({100}, f64));
  const std::int64_t buffer = 832;  // 800 bytes in whole lines of 64
  const Tensor y = x * x;           // keeps x, twice
  CHECK(tape_stats(y).nodes == 1);
  CHECK(tape_stats(y).bytes == buffer);
  const Tensor z = exp(y * x);  // and y, and its own result
  CHECK(tape_stats(z).nodes == 3);
  CHECK(tape_stats(z).bytes == 3 * buffer);
  CHECK(tape_stats(y).bytes == buffer);
  const Tensor s = sum(z + 1.0);
  CHECK(tape_stats(s).nodes == 5);
  CHECK(tape_stats(s).bytes == 3 * buffer);
  s.backward();
  CHECK(tape_stats(s).nodes == 5);
  CHECK(tape_stats(s).bytes == 0);
  CHECK(tape_stats(x).nodes == 0);
  CHECK(tape_stats(Tensor()).bytes == 0);
  CHECK(tape_stats(apply<SavesAbsent>(x)).bytes == buffer);
}

TEST_CASE("memory_stats counts nodes, buffers and bytes, up and down") {
  const MemoryStats before = memory_stats();
  reset_peak_bytes();
  {
    const Tensor x = parameter(zeros({1 << 16}, f64));
    const Tensor same = x.detach();
    MemoryStats now = memory_stats();
    CHECK(now.nodes == before.nodes);
    CHECK(now.storages == before.storages + 1);
    CHECK(now.bytes == before.bytes + (8 << 16));
    const Tensor y = reshape(exp(x), {256, 256});
    now = memory_stats();
    CHECK(now.nodes == before.nodes + 2);
    CHECK(now.storages == before.storages + 2);
    CHECK(now.bytes > before.bytes + 2 * (8 << 16));
    CHECK(now.bytes < before.bytes + 2 * (8 << 16) + 1024);  // nodes are small
    CHECK(now.peak_bytes >= now.bytes);
    { const Tensor passing = zeros({1 << 17}, f64); }
    CHECK(memory_stats().bytes == now.bytes);
    CHECK(memory_stats().peak_bytes >= now.bytes + (8 << 17));
    reset_peak_bytes();
    CHECK(memory_stats().peak_bytes < now.bytes + (8 << 17));
  }
  const MemoryStats after = memory_stats();
  CHECK(after.nodes == before.nodes);
  CHECK(after.storages == before.storages);
  CHECK(after.bytes == before.bytes);
  if (!test::sanitized) CHECK(after.cached_bytes >= 8 << 16);  // large blocks, kept for the next
}

TEST_CASE("Anomaly names op, input, element and value, of the first op that goes wrong only") {
  Tensor x = parameter(tensor({4, 0, 1}, {3}, f64));
  const auto fails = [&] { return message_of([&] { sum(sqrt(x * 2.0) * 3.0).backward(); }); };
  CHECK(fails().empty());  // without it nobody minds
  CHECK(x.grad().at({1}) == INFINITY);
  x.zero_grad();
  {
    const Anomaly on;
    const std::string infinite = fails();
    CHECK(has(infinite, "anomaly: backward of sqrt gave inf in the gradient of input 0 (shape {3}, element 1)"));
    CHECK(has(infinite, "recorded at "));
    CHECK_FALSE(x.grad().defined());
    // Of two inputs either may be the one; the gradient of the other is finite.
    Tensor a = parameter(tensor({0, 1}, {2}, f64)), b = parameter(tensor({1, INFINITY}, {2}, f64));
    CHECK(has(message_of([&] { sum((a + 1.0) * b).backward(); }),
              "backward of mul gave inf in the gradient of input 0 (shape {2}, element 1)"));
    CHECK(has(message_of([&] { sum(b * (a + 1.0)).backward(); }),
              "backward of mul gave inf in the gradient of input 1 (shape {2}, element 1)"));
    CHECK(has(message_of([&] { grad(sum(a * b), {a}); }), "backward of mul"));
    CHECK(message_of([&] { grad(sum(a * b), {b}); }).empty());  // the wrong one is not wanted
    CHECK(has(message_of([&] { (a * 1.0).backward(tensor({NAN, 1}, {2}, f64)); }), "gave nan"));
    { const Anomaly again; }
    CHECK_FALSE(fails().empty());
  }
  {
    const Anomaly on;
    const Tensor zero = parameter(scalar(0.0));
    const auto calls = [&zero] { return Rooting()(zero); };
    const std::string text = message_of([&] { calls().backward(); });
    CHECK(has(text,
              "; recorded at (anonymous namespace)::root_of < (anonymous namespace)::Rooting::operator()<weft::Te"));
    CHECK(has(text, "{lambda"));
    CHECK_FALSE(has(text, "< weft::"));
    CHECK_FALSE(has(text, "< std::"));
  }
  CHECK(fails().empty());
  // Recorded without it: the message says what to do.
  x.zero_grad();
  const Tensor y = sum(sqrt(x));
  const Anomaly late;
  CHECK(has(message_of([&] { y.backward(); }), "record under Anomaly to see where"));
}
