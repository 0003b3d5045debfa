#pragma once
// The one table of operators: how each of weft's ops is written, and how each of ONNX's and each function of ours is
// read. A family of ops stands in a source of its own, both directions side by side.
#include <weft/nn/addons/onnx/detail/reader.hpp>
#include <weft/nn/addons/onnx/detail/writer.hpp>

#include <map>
#include <string>

namespace weft::onnx::detail {

struct Operators {
  std::map<std::string, WriteOp> write;     // by weft's name
  std::map<std::string, ReadOp> read;       // by ONNX's
  std::map<std::string, ReadOp> functions;  // by weft's, in our domain
};

/// All of them.
const Operators& operators();

void add_elementwise(Operators& all);
void add_comparisons(Operators& all);
void add_losses(Operators& all);
void add_reductions(Operators& all);
void add_shapes(Operators& all);
void add_arrangements(Operators& all);
void add_indices(Operators& all);
void add_images(Operators& all);
void add_products(Operators& all);
void add_normalizations(Operators& all);
void add_attention(Operators& all);
void add_recurrences(Operators& all);

}  // namespace weft::onnx::detail
