// Writes every row of the op table and every ready net that ONNX has a counterpart for, with inputs and what weft gives
// for them: what run.mjs holds another runtime against. usage: onnx_write_cases DIRECTORY
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include <tests/addons/onnx/cases.hpp>

using namespace weft;
using namespace weft::test;

namespace {

// As it is in the file: images have their channels first.
Tensor as_in_file(const Tensor& t, const OnnxCase& one) {
  return t.rank() == 4 && !one.options.channels_last ? permute(t, {0, 3, 1, 2}) : t;
}

nlohmann::json put(const std::string& stem, const Tensors& tensors, const OnnxCase& one) {
  nlohmann::json list = nlohmann::json::array();
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const Tensor t = as_in_file(tensors[i], one);
    const std::string file = stem + std::to_string(i) + ".bin";
    weft::detail::visit_dtype(t.dtype(), [&](auto zero) {
      const auto data = t.data<decltype(zero)>();
      std::ofstream(file, std::ios::binary)
          .write(reinterpret_cast<const char*>(data.data()), static_cast<std::streamsize>(data.size_bytes()));
    });
    list.push_back({{"file", file},
                    {"dtype", name_of(t.dtype())},
                    {"shape", std::vector<std::int64_t>(t.shape().begin(), t.shape().end())}});
  }
  return list;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::cerr << "usage: onnx_write_cases DIRECTORY\n", 1;
  const std::string directory = argv[1];
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory);
  std::vector<OnnxCase> cases = row_cases(f32);
  for (const OnnxCase& net : net_cases())
    for (const bool functions : {true, false}) {
      cases.push_back(net);
      cases.back().options.functions = functions;
      if (!functions) cases.back().name += ", without functions";
    }
  nlohmann::json index = nlohmann::json::array();
  for (OnnxCase& one : cases) {
    const std::string stem = directory + "/" + std::to_string(index.size());
    one.options.symbolic_batch = one.has_batch;
    try {
      onnx::save(stem + ".onnx", *one.net, one.forward, one.inputs, one.options);
    } catch (const Error&) {
      continue;  // what has no counterpart: the doctests say which
    }
    // With another batch than the file was written with.
    if (one.has_batch) one.inputs[0] = concat({one.inputs[0], flip(one.inputs[0], 1)}, 0);
    const NoGrad off;
    index.push_back({{"name", one.name},
                     {"model", stem + ".onnx"},
                     {"inputs", put(stem + "_in", one.inputs, one)},
                     {"outputs", put(stem + "_out", one.forward(one.inputs), one)}});
  }
  std::ofstream(directory + "/index.json") << index;
  std::cout << index.size() << " models in " << directory << "\n";
}
