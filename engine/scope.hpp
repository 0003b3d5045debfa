#pragma once
// Where in a net a thread is. Every recorded op keeps it: errors, Anomaly, print_tape and Profile say it.
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace weft {

/// While it lives, the thread is in a part of that name, inside the part where it was: `Scope part("attention")`. A
/// module's forward is in such a part by itself.
class Scope {
 public:
  [[nodiscard]] explicit Scope(std::string_view name);
  /// The thread is where the number says (see scope_below).
  [[nodiscard]] explicit Scope(std::uint32_t scope);
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  std::uint32_t before_;
};

/// The dotted path of where the thread is, "stage2.0.conv1"; empty outside.
std::string scope_path();

namespace detail {

/// The number of the path `outer` with one more name. Numbers are given once and stay; 0 is the empty path.
std::uint32_t scope_below(std::uint32_t outer, std::string_view name);
std::string path_of_scope(std::uint32_t scope);

/// A module's place in the tree of names. It belongs to the module but stays where it is when that is moved.
class ScopeName {
 public:
  /// Takes its place, unless it has one: a shared module has its first name.
  void place(std::string name, std::shared_ptr<const ScopeName> outer);
  bool has_outer() const { return outer_ != nullptr; }
  /// The number of the path to here.
  std::uint32_t scope() const;

 private:
  std::string name_;
  std::shared_ptr<const ScopeName> outer_;
  // The number of outer_ (upper half) at the last call, and what followed: in one word, as threads may share the net.
  mutable std::atomic<std::uint64_t> last_{0};
};

/// To be called while an exception is handled: throws it on, an Error with the path of where the thread is before its
/// text, unless a path stands there already.
[[noreturn]] void rethrow_with_path();

}  // namespace detail
}  // namespace weft
