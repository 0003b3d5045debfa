#include <weft/nn/files/checkpoint.hpp>

#include <set>
#include <string_view>

#include <weft/nn/detail/matched.hpp>
#include <weft/nn/detail/module_access.hpp>
#include <weft/nn/detail/text.hpp>
#include <weft/nn/files/safetensors.hpp>

namespace weft::nn {
namespace {

// Stands between a part's name and the names in its state. No module's name holds a slash: names are identifiers joined
// by dots.
constexpr char part_separator = '/';
constexpr const char *optimizer_name = "optimizer", *schedule_name = "schedule";

void check_names(const char* op, const StatefulParts& parts) {
  std::set<std::string_view> names;
  for (const auto& [name, part] : parts) {
    if (name.empty() || name.find(part_separator) != std::string::npos)
      fail(op, ": got ", detail::in_quotes(name), " as a part's name, needs one without slashes");
    if (!names.insert(name).second) fail(op, ": got two parts ", detail::in_quotes(name), ", needs names that differ");
  }
}

void append_state(NamedTensors& tensors, const std::string& part, const NamedTensors& state) {
  for (const auto& [name, t] : state) tensors.emplace_back(part + part_separator + name, t);
}

// A part's tensors in a file, by the names in its state.
NamedTensors saved_of(const NamedTensors& file, const std::string& part) {
  const std::string prefix = part + part_separator;
  NamedTensors state;
  for (const auto& [name, t] : file)
    if (name.starts_with(prefix)) state.emplace_back(name.substr(prefix.size()), t);
  return state;
}

// The tensors that may be the module's.
NamedTensors without_parts(const NamedTensors& file, const std::string& prefix) {
  NamedTensors tensors;
  for (const auto& [name, t] : file)
    if (name.starts_with(prefix) && name.find(part_separator, prefix.size()) == std::string::npos)
      tensors.emplace_back(name, t);
  return tensors;
}

// In quotes, in order.
std::string part_names(const NamedTensors& file) {
  std::set<std::string> names;
  for (const auto& [name, t] : file)
    if (const std::size_t end = name.find(part_separator); end != std::string::npos) names.insert(name.substr(0, end));
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + detail::in_quotes(name);
  return text.empty() ? "none" : text;
}

}  // namespace

void save(const std::string& path, const Module& module, const StatefulParts& parts, const Notes& notes) {
  check_names("save", parts);
  NamedTensors tensors = ModuleAccess::tensors_to_save("save", module);
  for (const auto& [name, part] : parts) append_state(tensors, name, part->state());
  write_safetensors(path, tensors, notes);
}

void save(const std::string& path, const Module& module, const Stateful* optimizer, const Stateful* schedule,
          const Notes& notes) {
  NamedTensors tensors = ModuleAccess::tensors_to_save("save", module);
  if (optimizer != nullptr) append_state(tensors, optimizer_name, optimizer->state());
  if (schedule != nullptr) append_state(tensors, schedule_name, schedule->state());
  write_safetensors(path, tensors, notes);
}

LoadReport load(const std::string& path, Module& module, const StatefulParts& parts, const LoadOptions& options) {
  check_names("load", parts);
  TensorFile file = read_safetensors(path);
  detail::Match match = detail::match("load: " + path, without_parts(file.tensors, options.prefix),
                                      ModuleAccess::tensors(module), options);
  std::vector<std::function<void()>> take_over;
  for (const auto& [name, part] : parts) {
    const NamedTensors saved = saved_of(file.tensors, name);
    if (saved.empty() && !part->state().empty())
      fail("load: ", path, " has no part ", detail::in_quotes(name), ", has ", part_names(file.tensors));
    try {
      take_over.push_back(part->prepare_load(saved));
    } catch (const Error& e) {
      fail("load: ", path, ": ", detail::in_quotes(name), ": ", e.what());
    }
  }
  // From here on nothing is refused.
  for (const auto& one : take_over) one();
  match.load();
  match.report.notes = std::move(file.notes);
  return std::move(match.report);
}

LoadReport load(const std::string& path, Module& module, Stateful* optimizer, Stateful* schedule,
                const LoadOptions& options) {
  StatefulParts parts;
  if (optimizer != nullptr) parts.emplace_back(optimizer_name, optimizer);
  if (schedule != nullptr) parts.emplace_back(schedule_name, schedule);
  return load(path, module, parts, options);
}

}  // namespace weft::nn
