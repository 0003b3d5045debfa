#include <weft/nn/checkpoint_file.hpp>

#include <map>
#include <string_view>

#include <weft/engine/tape.hpp>
#include <weft/nn/module.hpp>
#include <weft/nn/optim.hpp>
#include <weft/nn/schedule.hpp>
#include <weft/nn/text.hpp>

namespace weft::nn {
namespace {

// No module's name holds a slash: names are identifiers joined by dots.
constexpr std::string_view optimizer_prefix = "optimizer/", schedule_prefix = "schedule/";

NamedTensors tensors_of(const Module& module) {
  NamedTensors tensors;
  for (const auto& [name, t] : module.named_parameters()) tensors.emplace_back(name, t);
  for (const auto& [name, t] : module.named_buffers()) tensors.emplace_back(name, t);
  return tensors;
}

void append(NamedTensors& tensors, std::string_view prefix, const NamedTensors& state) {
  for (const auto& [name, t] : state) tensors.emplace_back(std::string(prefix) + name, t);
}

// The file's tensors of that prefix, which is taken off.
NamedTensors with_prefix(const NamedTensors& tensors, std::string_view prefix) {
  NamedTensors state;
  for (const auto& [name, t] : tensors)
    if (name.starts_with(prefix)) state.emplace_back(name.substr(prefix.size()), t);
  return state;
}

struct Assignment {
  Tensor to, from;
};

// What goes where in the module; throws before anything is changed.
std::vector<Assignment> matched(const std::string& path, const NamedTensors& file, const Module& module, bool strict) {
  std::map<std::string_view, const Tensor*> left;
  for (const auto& [name, t] : file)
    if (!name.starts_with(optimizer_prefix) && !name.starts_with(schedule_prefix)) left.emplace(name, &t);
  std::vector<Assignment> assignments;
  for (const auto& [name, t] : tensors_of(module)) {
    const auto found = left.find(name);
    if (found == left.end()) {
      if (strict)
        fail("load: ", path, " has no tensor \"", name, "\", the module needs one of ", t.dtype(), " ", t.shape());
      continue;
    }
    const Tensor& from = *found->second;
    if (from.shape() != t.shape() || from.dtype() != t.dtype())
      fail("load: ", path, " has \"", name, "\" as ", from.dtype(), " ", from.shape(), ", the module needs ", t.dtype(),
           " ", t.shape());
    assignments.push_back({t, from});
    left.erase(found);
  }
  if (strict && !left.empty())
    fail("load: ", path, " has a tensor ", detail::quoted(left.begin()->first), ", the module has none");
  return assignments;
}

// Throws unless the saved state has just the tensors that the present one has.
void check_state(const std::string& path, std::string_view prefix, const NamedTensors& saved, const NamedTensors& now) {
  std::map<std::string_view, const Tensor*> left;
  for (const auto& [name, t] : saved) left.emplace(name, &t);
  for (const auto& [name, t] : now) {
    const auto found = left.find(name);
    if (found == left.end())
      fail("load: ", path, " has no tensor \"", prefix, name, "\", needed is ", t.dtype(), " ", t.shape());
    if (found->second->shape() != t.shape() || found->second->dtype() != t.dtype())
      fail("load: ", path, " has \"", prefix, name, "\" as ", found->second->dtype(), " ", found->second->shape(),
           ", needed is ", t.dtype(), " ", t.shape());
    left.erase(found);
  }
  if (!left.empty())
    fail("load: ", path, " has a tensor ", detail::quoted(std::string(prefix).append(left.begin()->first)),
         ", there is no place for it");
}

}  // namespace

void save(const std::string& path, const Module& module, const Optimizer* optimizer, const Schedule* schedule,
          const Notes& notes) {
  NamedTensors tensors = tensors_of(module);
  if (optimizer != nullptr) append(tensors, optimizer_prefix, optimizer->state());
  if (schedule != nullptr) append(tensors, schedule_prefix, schedule->state());
  write_safetensors(path, tensors, notes);
}

Notes load(const std::string& path, Module& module, Optimizer* optimizer, Schedule* schedule, LoadOptions options) {
  const NoGrad off;
  TensorFile file = read_safetensors(path);
  const auto assignments = matched(path, file.tensors, module, options.strict);
  const NamedTensors optimizer_state = with_prefix(file.tensors, optimizer_prefix);
  const NamedTensors schedule_state = with_prefix(file.tensors, schedule_prefix);
  if (optimizer != nullptr) check_state(path, optimizer_prefix, optimizer_state, optimizer->state());
  if (schedule != nullptr) check_state(path, schedule_prefix, schedule_state, schedule->state());
  try {
    if (optimizer != nullptr) optimizer->check_state(optimizer_state);
    if (schedule != nullptr) schedule->check_state(schedule_state);
  } catch (const Error& e) {
    fail("load: ", path, ": ", e.what());
  }
  // From here on nothing is refused.
  if (optimizer != nullptr) optimizer->load_state(optimizer_state);
  if (schedule != nullptr) schedule->load_state(schedule_state);
  for (auto [to, from] : assignments) to.copy_(from);
  return std::move(file.notes);
}

}  // namespace weft::nn
