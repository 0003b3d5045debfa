#include <weft/nn/detail/matched.hpp>

#include <map>

#include <weft/engine/grad_mode.hpp>
#include <weft/nn/detail/text.hpp>

namespace weft::detail {
namespace {

// What is looked at, by the name that it is wanted under: the number of the saved tensor.
std::map<std::string, std::size_t> renamed(const std::string& who, const std::vector<Described>& saved,
                                           const nn::LoadOptions& options) {
  std::map<std::string, std::size_t> result;
  for (std::size_t i = 0; i < saved.size(); ++i) {
    const std::string& name = saved[i].name;
    if (!name.starts_with(options.prefix)) continue;
    std::string wanted = name.substr(options.prefix.size());
    if (options.rename && (wanted = options.rename(wanted)).empty()) continue;
    const auto [at, fresh] = result.try_emplace(std::move(wanted), i);
    if (!fresh)
      fail(who, " has ", in_quotes(saved[at->second].name), " and ", in_quotes(name), ", which are both ",
           in_quotes(at->first));
  }
  return result;
}

// Where the whole net was saved as a part of something: the prefix that would find it.
std::string prefix_hint(const std::vector<Described>& saved, const std::string& wanted) {
  for (const Described& s : saved)
    if (s.name.size() > wanted.size() && s.name.ends_with("." + wanted))
      return "; " + in_quotes(s.name) +
             " needs .prefix = " + in_quotes(s.name.substr(0, s.name.size() - wanted.size()));
  return {};
}

std::vector<Described> descriptions(const nn::NamedTensors& tensors) {
  std::vector<Described> result;
  for (const auto& [name, t] : tensors) result.push_back({name, t.dtype(), t.shape()});
  return result;
}

bool are_alike(const Described& saved, const Described& wanted) {
  return saved.shape == wanted.shape && saved.dtype == wanted.dtype;
}

}  // namespace

Pairing pair_up(const std::string& who, const std::vector<Described>& saved, const std::vector<Described>& wanted,
                const nn::LoadOptions& options, bool (*fits)(const Described& saved, const Described& wanted)) {
  std::map<std::string, std::size_t> left = renamed(who, saved, options);
  Pairing result;
  nn::LoadReport& report = result.report;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto& [name, dtype, shape] = wanted[i];
    const auto at = left.find(name);
    if (at == left.end()) {
      if (options.strict)
        fail(who, " has no tensor ", in_quotes(name), ", needs one of ", dtype, " ", shape, prefix_hint(saved, name));
      report.missing.push_back(name);
      continue;
    }
    const Described& found = saved[at->second];
    if (!fits(found, wanted[i])) {
      if (options.strict)
        fail(who, " has ", in_quotes(found.name), " as ", found.dtype, " ", found.shape, ", needs ", dtype, " ", shape);
      report.misshapen.push_back(name);
    } else {
      report.loaded.push_back(name);
      report.sources.push_back(found.name);
      result.pairs.emplace_back(at->second, i);
    }
    left.erase(at);
  }
  for (const auto& [name, unused] : left) {
    if (options.strict) fail(who, " has a tensor ", in_quotes(saved[unused].name), ", there is no place for it");
    report.unexpected.push_back(saved[unused].name);
  }
  if (result.pairs.empty() && !(saved.empty() && wanted.empty()))
    fail(who, " has nothing to load: of the module's ", wanted.size(), " tensors ", report.missing.size(),
         " are missing and ", report.misshapen.size(), " of another shape or dtype");
  return result;
}

Match match(const std::string& who, const nn::NamedTensors& saved, const nn::NamedTensors& wanted,
            const nn::LoadOptions& options) {
  for (const auto& [name, t] : saved)
    if (!t.defined()) fail(who, " has ", in_quotes(name), " as an undefined tensor, needs a value");
  Pairing pairing = pair_up(who, descriptions(saved), descriptions(wanted), options, are_alike);
  Match result;
  for (const auto& [from, to] : pairing.pairs) {
    result.from.push_back(saved[from].second);
    result.to.push_back(wanted[to].second);
  }
  result.report = std::move(pairing.report);
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
