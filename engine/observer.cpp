#include <weft/engine/observer.hpp>

#include <weft/engine/detail/thread_state.hpp>
#include <weft/engine/op.hpp>
#include <weft/engine/scope.hpp>

namespace weft {

const char* OpCall::op() const { return kind_.name; }

Fields OpCall::fields() const { return kind_.describe != nullptr ? kind_.describe(op_) : Fields{}; }

std::string OpCall::module() const { return detail::path_of_scope(scope_); }

Observe::Observe(Observer& observer) : observer_(observer), outer_(detail::this_thread.observers) {
  detail::this_thread.observers = this;
}

Observe::~Observe() { detail::this_thread.observers = outer_; }

void Observe::tell(void (Observer::*what)(const OpCall&), const OpCall& call) const {
  if (outer_ != nullptr) outer_->tell(what, call);
  (observer_.*what)(call);
}

namespace {

// Nobody is told while one is being told.
class Unobserved {
 public:
  Unobserved() : observers(std::exchange(detail::this_thread.observers, nullptr)) {}
  ~Unobserved() { detail::this_thread.observers = observers; }
  Unobserved(const Unobserved&) = delete;
  Unobserved& operator=(const Unobserved&) = delete;

  const Observe* const observers;
};

}  // namespace

void Observe::tell_before(const OpCall& call) {
  const Unobserved during;
  if (during.observers != nullptr) during.observers->tell(&Observer::before, call);
}

void Observe::tell_after(const OpCall& call) {
  const Unobserved during;
  if (during.observers != nullptr) during.observers->tell(&Observer::after, call);
}

}  // namespace weft
