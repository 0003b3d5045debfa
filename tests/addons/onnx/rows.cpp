// Every row of the op table to ONNX and back: to the bit, in f32 and f64. What of the ops has a counterpart is what
// tests/figures/onnx_ops.json says.
#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include <tests/addons/onnx/cases.hpp>
#include <tests/support/message_of.hpp>
#include <tests/support/temp_dir.hpp>

using namespace weft;
using namespace weft::test;

namespace {

double largest_gap(const Tensors& a, const Tensors& b) {
  if (a.size() != b.size()) return 1e300;
  double gap = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].shape() != b[i].shape() || a[i].dtype() != b[i].dtype()) return 1e300;
    const Tensor x = a[i].to(f64), y = b[i].to(f64);
    for (std::size_t k = 0; k < x.data<double>().size(); ++k) {
      const double p = x.data<double>()[k], q = y.data<double>()[k];
      if (p == q || (p != p && q != q)) continue;
      gap = std::max(gap, std::abs(p - q) / std::max(1.0, std::abs(q)));
    }
  }
  return gap;
}

}  // namespace

TEST_CASE("rows come back to the bit") {
  const TempDir dir;
  const std::string path = dir / "row.onnx";
  int written = 0;
  std::map<std::string, double> other;
  for (const DType floating : {f32, f64})
    for (const bool functions : {true, false})
      for (OnnxCase& one : row_cases(floating, functions)) {
        CAPTURE(one.name);
        CAPTURE(functions);
        one.options.functions = functions;
        const std::string refused =
            message_of([&] { onnx::save(path, *one.net, one.forward, one.inputs, one.options); });
        if (!refused.empty()) {
          if (functions && floating == f32) MESSAGE(refused);
          continue;
        }
        ++written;
        Tensors again;
        const std::string failed = message_of([&] { again = onnx::load(path)->run(one.inputs); });
        CHECK(failed == "");
        if (!failed.empty()) continue;
        const Tensors expected = one.forward(one.inputs);
        const double gap = largest_gap(again, expected);
        if (functions && !same_bits(again, expected)) other[one.op] = std::max(other[one.op], gap);
        CHECK(gap < (floating == f32 ? 1e-4 : 1e-10));
      }
  for (const auto& [op, gap] : other) MESSAGE(op << " " << gap);
  MESSAGE(written << " written");
}
