// Every row of the op table to ONNX and back, and what of ONNX stands for each op.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include <tests/addons/onnx/cases.hpp>
#include <tests/addons/onnx/model.hpp>
#include <tests/support/message_of.hpp>
#include <tests/support/temp_dir.hpp>

using namespace weft;
using namespace weft::test;

namespace {

// The largest difference, relative to values above 1; infinite where shapes or dtypes differ.
double gap(const Tensors& a, const Tensors& b) {
  double largest = a.size() == b.size() ? 0 : HUGE_VAL;
  for (std::size_t i = 0; i < a.size() && largest < HUGE_VAL; ++i) {
    if (a[i].shape() != b[i].shape() || a[i].dtype() != b[i].dtype()) return HUGE_VAL;
    const Tensor x = a[i].to(f64), y = b[i].to(f64);
    for (std::size_t k = 0; k < x.data<double>().size(); ++k) {
      const double p = x.data<double>()[k], q = y.data<double>()[k];
      if (p == q || (std::isnan(p) && std::isnan(q))) continue;
      const double difference = std::abs(p - q) / std::max(1.0, std::abs(q));
      largest = std::isnan(difference) ? HUGE_VAL : std::max(largest, difference);
    }
  }
  return largest;
}

// The operators of a graph, each once: "`Gemm`", and "function `gelu`" for one of ours. What turns layouts and types
// counts only where there is nothing else.
std::string operators_of(const ::onnx::ModelProto& model) {
  std::string text;
  std::set<std::string> seen;
  const std::set<std::string> turning{"Transpose", "Cast", "Identity"};
  const auto turns = [&](const auto& node) { return turning.contains(node.op_type()); };
  const bool more = !std::all_of(model.graph().node().begin(), model.graph().node().end(), turns);
  for (const auto& node : model.graph().node()) {
    if (more && turns(node)) continue;
    const std::string name = (node.domain() == "weft" ? "function `" : "`") + node.op_type() + "`";
    if (seen.insert(name).second) text += (text.empty() ? "" : ", ") + name;
  }
  return text.empty() ? "nothing: the operand itself" : text;
}

// A product whose operands einsum takes transposed, which have no function of their own, may be rounded another way.
bool is_exact(const OnnxCase& one) { return one.op != "einsum"; }

}  // namespace

TEST_CASE("rows come back to the bit, in f32 and f64, with functions") {
  const TempDir dir;
  const std::string path = dir / "row.onnx";
  int written = 0;
  for (const DType floating : {f32, f64})
    for (const OnnxCase& one : row_cases(floating, true)) {
      CAPTURE(one.name);
      if (!message_of([&] { weft::onnx::save(path, *one.net, one.forward, one.inputs, one.options); }).empty())
        continue;
      ++written;
      Tensors again;
      CHECK(message_of([&] { again = weft::onnx::load(path)->run(one.inputs); }) == "");
      const Tensors expected = one.forward(one.inputs);
      if (is_exact(one))
        CHECK(same_bits(again, expected));
      else
        CHECK(gap(again, expected) < (floating == f32 ? 1e-6 : 1e-14));
    }
  CHECK(written > 2500);
}

TEST_CASE("rows written without functions are read as their parts") {
  const TempDir dir;
  const std::string path = dir / "row.onnx";
  int written = 0;
  for (const DType floating : {f32, f64})
    for (OnnxCase& one : row_cases(floating)) {
      CAPTURE(one.name);
      one.options.functions = false;
      if (!message_of([&] { weft::onnx::save(path, *one.net, one.forward, one.inputs, one.options); }).empty())
        continue;
      const ::onnx::ModelProto model = read_model(path);
      CHECK(model.functions_size() == 0);
      if (count_nodes(model, "Scan") > 0) continue;  // the recurrences are read as functions only
      ++written;
      Tensors again;
      CHECK(message_of([&] { again = weft::onnx::load(path)->run(one.inputs); }) == "");
      CHECK(gap(again, one.forward(one.inputs)) < (floating == f32 ? 1e-5 : 1e-12));
    }
  CHECK(written > 800);
}

TEST_CASE("what stands for an op is what docs/ops.md says") {
  const TempDir dir;
  const std::string path = dir / "row.onnx";
  nlohmann::ordered_json found;
  for (const OnnxCase& one : row_cases(f32, true)) {
    const bool refused =
        !message_of([&] { weft::onnx::save(path, *one.net, one.forward, one.inputs, one.options); }).empty();
    auto& op = found[one.op];
    if (op.is_null()) op = {{"cases", 0}, {"written", 0}, {"as", ""}};
    op["cases"] = op["cases"].get<int>() + 1;
    if (refused) continue;
    op["written"] = op["written"].get<int>() + 1;
    // Of the ways to call an op the first that does something.
    if (op["as"] == "" || op["as"] == "`Identity`") op["as"] = operators_of(read_model(path));
  }
  if (const char* to = std::getenv("WEFT_ONNX_OPS")) std::ofstream(to) << found.dump(1) << "\n";
  std::ifstream file(WEFT_SOURCE_DIR "/tests/figures/onnx_ops.json");
  REQUIRE_MESSAGE(file.good(), "WEFT_ONNX_OPS=tests/figures/onnx_ops.json test_onnx_rows writes it");
  const auto known = nlohmann::ordered_json::parse(file);
  for (const auto& op : found.items()) {
    CAPTURE(op.key());
    CHECK_MESSAGE(known.value(op.key(), nlohmann::ordered_json()) == op.value(),
                  "WEFT_ONNX_OPS=tests/figures/onnx_ops.json test_onnx_rows writes it anew");
  }
  CHECK(known.size() == found.size());
}
