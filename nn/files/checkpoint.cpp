#include <weft/nn/files/checkpoint.hpp>

#include <string_view>

#include <weft/nn/detail/matched.hpp>
#include <weft/nn/detail/module_access.hpp>
#include <weft/nn/files/safetensors.hpp>
#include <weft/nn/stateful.hpp>

namespace weft::nn {
namespace {

// No module's name holds a slash: names are identifiers joined by dots.
constexpr std::string_view optimizer_prefix = "optimizer/", schedule_prefix = "schedule/";

void append(NamedTensors& tensors, std::string_view prefix, const NamedTensors& state) {
  for (const auto& [name, t] : state) tensors.emplace_back(std::string(prefix) + name, t);
}

// A file's tensors by what they belong to, the prefixes taken off.
struct Parts {
  NamedTensors module, optimizer, schedule;
};

Parts parts_of(const NamedTensors& file) {
  Parts parts;
  for (const auto& [name, t] : file) {
    if (name.starts_with(optimizer_prefix))
      parts.optimizer.emplace_back(name.substr(optimizer_prefix.size()), t);
    else if (name.starts_with(schedule_prefix))
      parts.schedule.emplace_back(name.substr(schedule_prefix.size()), t);
    else
      parts.module.emplace_back(name, t);
  }
  return parts;
}

}  // namespace

void save(const std::string& path, const Module& module, const Stateful* optimizer, const Stateful* schedule,
          const Notes& notes) {
  NamedTensors tensors = ModuleAccess::tensors_to_save("save", module);
  if (optimizer != nullptr) append(tensors, optimizer_prefix, optimizer->state());
  if (schedule != nullptr) append(tensors, schedule_prefix, schedule->state());
  write_safetensors(path, tensors, notes);
}

LoadReport load(const std::string& path, Module& module, Stateful* optimizer, Stateful* schedule,
                const LoadOptions& options) {
  TensorFile file = read_safetensors(path);
  const Parts saved = parts_of(file.tensors);
  detail::Match match = detail::match("load: " + path, saved.module, ModuleAccess::tensors(module), options);
  std::function<void()> load_optimizer, load_schedule;
  try {
    if (optimizer != nullptr) load_optimizer = optimizer->prepare_load(saved.optimizer);
    if (schedule != nullptr) load_schedule = schedule->prepare_load(saved.schedule);
  } catch (const Error& e) {
    fail("load: ", path, ": ", e.what());
  }
  // From here on nothing is refused.
  if (load_optimizer) load_optimizer();
  if (load_schedule) load_schedule();
  match.load();
  match.report.notes = std::move(file.notes);
  return std::move(match.report);
}

}  // namespace weft::nn
