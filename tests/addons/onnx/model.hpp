#pragma once
// An ONNX file as its messages, and back.
#include <google/protobuf/stubs/logging.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <fstream>
#include <string>

inline ::onnx::ModelProto read_model(const std::string& path) {
  ::onnx::ModelProto model;
  std::ifstream file(path, std::ios::binary);
  model.ParseFromIstream(&file);
  return model;
}

inline void write_model(const ::onnx::ModelProto& model, const std::string& path) {
  std::ofstream file(path, std::ios::binary);
  model.SerializeToOstream(&file);
}

/// How many nodes of a kind there are.
inline std::ptrdiff_t count_nodes(const ::onnx::ModelProto& model, const std::string& type) {
  return std::count_if(model.graph().node().begin(), model.graph().node().end(),
                       [&](const auto& node) { return node.op_type() == type; });
}
