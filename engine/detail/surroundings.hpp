#pragma once
// What surrounds a function on its thread, and has to again where a checkpoint calls the function a second time.
#include <memory>
#include <vector>

namespace weft::detail {

/// Something that can be put in force on a thread.
class Surrounding {
 public:
  virtual ~Surrounding() = default;
  /// In force until the last copy of what this returns is gone.
  virtual std::shared_ptr<void> enter() const = 0;
};
using Surroundings = std::vector<std::shared_ptr<const Surrounding>>;

/// What is in force on this thread, the outermost first.
const Surroundings& surroundings();

/// Puts some in force for a scope, one inside another.
class Surrounded {
 public:
  explicit Surrounded(const Surroundings& by);
  ~Surrounded() { leave(); }
  Surrounded(const Surrounded&) = delete;
  Surrounded& operator=(const Surrounded&) = delete;

 private:
  void leave();
  std::vector<std::shared_ptr<void>> entered_;
};

}  // namespace weft::detail
