#pragma once
// The tape as TensorFlow's GraphDef.
#include <weft/nn/named_tensors.hpp>
#include <weft/nn/train/detail/protobuf.hpp>

namespace weft::detail {

/// What EventFile::graph says. Throws Error if nothing was recorded.
ProtoMessage graph_def_of(const Tensor& result, const nn::NamedTensors& names);

}  // namespace weft::detail
