#include <weft/nn/detail/matched.hpp>

#include <map>
#include <string_view>

#include <weft/engine/grad_mode.hpp>
#include <weft/nn/detail/text.hpp>

namespace weft::detail {
namespace {

struct Stored {
  std::string_view name;  // in full
  const Tensor* tensor;
};

// What is looked at, by the name that it is wanted under.
std::map<std::string, Stored> renamed(const std::string& who, const nn::NamedTensors& saved,
                                      const nn::LoadOptions& options) {
  std::map<std::string, Stored> result;
  for (const auto& [name, t] : saved) {
    if (!t.defined()) fail(who, " has ", in_quotes(name), " as an undefined tensor, needs a value");
    if (!name.starts_with(options.prefix)) continue;
    std::string wanted = name.substr(options.prefix.size());
    if (options.rename && (wanted = options.rename(wanted)).empty()) continue;
    const auto [at, fresh] = result.try_emplace(std::move(wanted), Stored{name, &t});
    if (!fresh)
      fail(who, " has ", in_quotes(at->second.name), " and ", in_quotes(name), ", which are both ",
           in_quotes(at->first));
  }
  return result;
}

}  // namespace

Match match(const std::string& who, const nn::NamedTensors& saved, const nn::NamedTensors& wanted,
            const nn::LoadOptions& options) {
  std::map<std::string, Stored> left = renamed(who, saved, options);
  Match result;
  nn::LoadReport& report = result.report;
  for (const auto& [name, t] : wanted) {
    const auto at = left.find(name);
    if (at == left.end()) {
      if (options.strict) fail(who, " has no tensor ", in_quotes(name), ", needs one of ", t.dtype(), " ", t.shape());
      report.missing.push_back(name);
      continue;
    }
    const Stored found = at->second;
    left.erase(at);
    if (found.tensor->shape() != t.shape() || found.tensor->dtype() != t.dtype()) {
      if (options.strict)
        fail(who, " has ", in_quotes(found.name), " as ", found.tensor->dtype(), " ", found.tensor->shape(), ", needs ",
             t.dtype(), " ", t.shape());
      report.misshapen.push_back(name);
      continue;
    }
    report.loaded.push_back(name);
    result.from.push_back(*found.tensor);
    result.to.push_back(t);
  }
  for (const auto& [name, unused] : left) {
    if (options.strict) fail(who, " has a tensor ", in_quotes(unused.name), ", there is no place for it");
    report.unexpected.emplace_back(unused.name);
  }
  if (result.from.empty() && !(saved.empty() && wanted.empty()))
    fail(who, " has nothing to load: of the module's ", wanted.size(), " tensors ", report.missing.size(),
         " are missing and ", report.misshapen.size(), " of another shape or dtype");
  return result;
}

void Match::load() {
  const NoGrad off;
  for (std::size_t i = 0; i < to.size(); ++i) to[i].copy_(from[i]);
}

Tensors matched(const std::string& who, const nn::NamedTensors& saved, const nn::NamedTensors& wanted) {
  return match(who, saved, wanted, {}).from;
}

}  // namespace weft::detail
