#pragma once
// What a thread records: everything by default, nothing in a NoGrad scope, and where it was under Anomaly.

namespace weft {

/// Whether operations on this thread are being recorded.
bool grad_enabled();

namespace detail {
/// Sets that state for a scope.
class GradMode {
 public:
  explicit GradMode(bool enabled);
  ~GradMode();
  GradMode(const GradMode&) = delete;
  GradMode& operator=(const GradMode&) = delete;
  bool before() const { return before_; }

 private:
  bool before_;
};
}  // namespace detail

/// While it lives, nothing is recorded on this thread, and tensors may be changed in place.
class NoGrad : detail::GradMode {
 public:
  [[nodiscard]] NoGrad() : GradMode(false) {}
};

/// Turns recording on again inside a NoGrad scope.
class EnableGrad : detail::GradMode {
 public:
  [[nodiscard]] EnableGrad() : GradMode(true) {}
};

/// While it lives, backward on this thread stops with an Error at the op whose gradient first turns nan or infinite: in
/// which module and, if recorded under Anomaly too, by which functions (inlined ones are missing; of a stripped program
/// without -rdynamic these are offsets for addr2line, which gives lines with -g). Slow: for finding mistakes.
class Anomaly {
 public:
  [[nodiscard]] Anomaly();
  ~Anomaly();
  Anomaly(const Anomaly&) = delete;
  Anomaly& operator=(const Anomaly&) = delete;

 private:
  bool before_;
};

}  // namespace weft
