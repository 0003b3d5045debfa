#include <weft/nn/addons/onnx/load.hpp>

#include <fstream>
#include <map>

#include <google/protobuf/stubs/logging.h>

#include <weft/nn/addons/onnx/detail/program.hpp>

namespace weft::onnx {
namespace {

// A module on the way to a tensor's name.
struct Part : nn::Module {
  void add(const std::string& name, const std::shared_ptr<Part>& part) { add_child(name, part); }
};

// The names between the dots, without what a module's name may not have.
std::vector<std::string> names_in(const std::string& dotted) {
  std::vector<std::string> names{""};
  for (const char c : dotted) {
    if (c == '.')
      names.emplace_back();
    else
      names.back() += c == '/' ? '_' : c;
  }
  for (std::string& name : names)
    if (name.empty()) name = "_";
  return names;
}

}  // namespace

Graph::Graph(std::unique_ptr<detail::Program> program) : program_(std::move(program)) {
  std::map<std::string, std::shared_ptr<Part>> parts;
  std::map<std::string, int> taken;
  for (detail::Owned& owned : program_->owned) {
    const std::vector<std::string> names = names_in(owned.name);
    nn::Module* owner = this;
    Part* inner = nullptr;
    std::string path;
    for (std::size_t i = 0; i + 1 < names.size(); ++i) {
      path += (i == 0 ? "" : ".") + names[i];
      auto& part = parts[path];
      if (!part) {
        part = std::make_shared<Part>();
        const std::string free = names[i] + (taken[path]++ > 0 ? "_part" : "");
        inner == nullptr ? add_child(free, part) : inner->add(free, part);
      }
      owner = inner = part.get();
    }
    path += (path.empty() ? "" : ".") + names.back();
    const int others = taken[path]++;
    const std::string free = names.back() + (others > 0 ? "_" + std::to_string(others) : "");
    if (owned.trained)
      program_->held.push_back(&program_->parameters.emplace_back(owner, free, owned.tensor));
    else
      program_->held.push_back(&program_->buffers.emplace_back(owner, free, owned.tensor));
    owned.tensor = Tensor();
  }
}

Graph::~Graph() = default;

Tensor Graph::forward(const Tensor& x) {
  if (program_->inputs.size() != 1 || program_->outputs.size() != 1)
    fail("onnx::Graph: has ", program_->inputs.size(), " inputs and ", program_->outputs.size(),
         " outputs, needs one each, or run()");
  return program_->run({x})[0];
}

Tensors Graph::run(const Tensors& inputs) {
  return inside([&] { return program_->run(inputs); });
}

const std::vector<std::string>& Graph::input_names() const { return program_->input_names; }

const std::vector<std::string>& Graph::output_names() const { return program_->output_names; }

std::shared_ptr<Graph> load(const std::string& path, const LoadOptions& options) {
  std::ifstream file(path, std::ios::binary);
  if (!file) fail("onnx::load: cannot open \"", path, "\"");
  detail::pb::ModelProto model;
  {
    const google::protobuf::LogSilencer silent;  // what is wrong is said below, and goes nowhere else
    if (!model.ParseFromIstream(&file)) fail("onnx::load: \"", path, "\" is not an ONNX file, or not all of one");
  }
  if (!model.has_graph()) fail("onnx::load: \"", path, "\" holds no graph");
  try {
    return std::make_shared<Graph>(detail::read_program(model, options));
  } catch (const Error& e) {
    throw Error(detail::in_one_line(e.what()));
  }
}

}  // namespace weft::onnx
