#include <weft/engine/grad_mode.hpp>

#include <weft/engine/detail/thread_state.hpp>

namespace weft {

thread_local constinit detail::ThreadState detail::this_thread;

bool grad_enabled() { return detail::this_thread.recording; }

detail::GradMode::GradMode(bool enabled) : before_(this_thread.recording) { this_thread.recording = enabled; }
detail::GradMode::~GradMode() { this_thread.recording = before_; }

Anomaly::Anomaly() : before_(detail::this_thread.checking_anomalies) { detail::this_thread.checking_anomalies = true; }
Anomaly::~Anomaly() { detail::this_thread.checking_anomalies = before_; }

}  // namespace weft
