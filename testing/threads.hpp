#pragma once
// The number of threads of a check.
#include <weft/engine/threads.hpp>

namespace weft::testing {

/// Lets tensor operations use n threads for as long as it lives.
class Threads {
 public:
  explicit Threads(int n) : before_(num_threads()) { set_num_threads(n); }
  ~Threads() { set_num_threads(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

}  // namespace weft::testing
