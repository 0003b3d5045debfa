#pragma once
// What one run of a net does: its ops, and the values between them.
#include <weft/engine/fields.hpp>
#include <weft/nn/addons/onnx/save.hpp>

#include <string>
#include <vector>

namespace weft::onnx::detail {

/// A size: a number, or so many times the batch.
struct Dim {
  std::int64_t fixed = 0, per_batch = 0;
  bool operator==(const Dim&) const = default;
};
using Dims = std::vector<Dim>;

struct TracedValue {
  enum Kind : std::uint8_t { input, parameter, buffer, constant, computed };
  Kind kind = computed;
  Tensor tensor;          // of all but what is computed
  std::string name = {};  // of parameters and buffers
  Shape shape = {};       // with the example
  DType dtype = f32;
  Dims dims = {};
};

/// An op that was called. Its inputs and outputs are numbers of values, -1 where there is none.
struct TracedOp {
  std::string name, path;  // the path with slashes
  Fields fields;
  std::vector<int> inputs, outputs;
  std::vector<std::string> changed = {};  // fields that are others with another batch

  int in(std::size_t i) const { return i < inputs.size() ? inputs[i] : -1; }
  int out() const { return outputs[0]; }
  // Its fields; whole is a flag's too. Throws Error if there is none of that name: it is an op of somebody else's.
  bool has(const char* field) const;
  std::int64_t whole(const char* field) const { return field_of(field).whole; }
  double real(const char* field) const { return field_of(field).real; }
  const std::vector<std::int64_t>& list(const char* field) const { return field_of(field).list; }
  const std::string& text(const char* field) const { return field_of(field).text; }
  const Field& field_of(const char* field) const;
};

struct Trace {
  std::vector<TracedValue> values;
  std::vector<TracedOp> ops;  // those that outputs depend on
  std::vector<int> inputs, outputs;
};

/// Runs the net in evaluation and puts its modes back. With a symbolic batch it is run a second time. Throws Error
/// where the two runs differ in more than sizes.
Trace trace(nn::Module& net, const Forward& forward, const Tensors& examples, bool symbolic_batch);

}  // namespace weft::onnx::detail
