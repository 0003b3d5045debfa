#pragma once
// What is written as ONNX and read again: the op table's rows and the ready nets.
#include <weft/nn/addons/onnx/onnx.hpp>
#include <weft/weft.hpp>

#include <functional>
#include <string>
#include <vector>

namespace weft::test {

struct OnnxCase {
  std::string name;
  std::string op;  // of a row: its name
  nn::ModulePtr net;
  onnx::Forward forward;
  Tensors inputs;
  onnx::SaveOptions options = {};
  bool has_batch = false;  // the first axis of the first input may be longer
};

/// Every row on its largest case, or on every one that is not empty, in one floating dtype.
std::vector<OnnxCase> row_cases(DType floating, bool all = false);
/// Every kind of net, small, evaluating.
std::vector<OnnxCase> net_cases();

/// The same bits, with the same shapes and dtypes.
bool same_bits(const Tensors& a, const Tensors& b);

}  // namespace weft::test
