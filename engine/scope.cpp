#include <weft/engine/scope.hpp>

#include <deque>
#include <map>
#include <mutex>
#include <typeinfo>

#include <weft/engine/detail/thread_state.hpp>
#include <weft/engine/error.hpp>

namespace weft {

Scope::Scope(std::string_view name) : Scope(detail::scope_below(detail::this_thread.scope, name)) {}
Scope::Scope(std::uint32_t scope) : before_(detail::this_thread.scope) { detail::this_thread.scope = scope; }
Scope::~Scope() { detail::this_thread.scope = before_; }

std::string scope_path() { return detail::path_of_scope(detail::this_thread.scope); }

namespace detail {
namespace {

struct Paths {
  struct Path {
    std::uint32_t outer;
    std::string name;
  };
  std::mutex mutex;
  std::deque<Path> all;  // number n at n - 1
  std::map<std::pair<std::uint32_t, std::string>, std::uint32_t> numbers;
};

Paths& paths() {
  static auto* const paths = new Paths;  // never destroyed: graphs in static storage may be looked at late
  return *paths;
}

// Its text begins with a path.
class LocatedError : public Error {
 public:
  using Error::Error;
};

}  // namespace

std::uint32_t scope_below(std::uint32_t outer, std::string_view name) {
  Paths& known = paths();
  const std::lock_guard lock(known.mutex);
  const auto next = static_cast<std::uint32_t>(known.all.size() + 1);
  const auto [at, fresh] = known.numbers.try_emplace({outer, std::string(name)}, next);
  if (fresh) known.all.push_back({outer, std::string(name)});
  return at->second;
}

std::string path_of_scope(std::uint32_t scope) {
  Paths& known = paths();
  const std::lock_guard lock(known.mutex);
  std::string path;
  for (; scope != 0; scope = known.all[scope - 1].outer) {
    const std::string& name = known.all[scope - 1].name;
    path = path.empty() ? name : name + "." + path;
  }
  return path;
}

void ScopeName::place(std::string name, std::shared_ptr<const ScopeName> outer) {
  if (outer_) return;
  name_ = std::move(name);
  outer_ = std::move(outer);
}

std::uint32_t ScopeName::scope() const {
  if (!outer_) return 0;
  const std::uint32_t outer = outer_->scope();
  const std::uint64_t last = last_.load(std::memory_order_relaxed);
  if (last != 0 && last >> 32U == outer) return static_cast<std::uint32_t>(last);
  const std::uint32_t here = scope_below(outer, name_);
  last_.store(std::uint64_t{outer} << 32U | here, std::memory_order_relaxed);
  return here;
}

void rethrow_with_path() {
  try {
    throw;
  } catch (const Error& error) {
    const std::string path = scope_path();
    if (path.empty() || typeid(error) != typeid(Error)) throw;  // an error of a type of its own stays what it is
    throw LocatedError(path + ": " + error.what());
  }
}

}  // namespace detail
}  // namespace weft
