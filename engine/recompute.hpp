#pragma once
// Not keeping what is quickly made again.

namespace weft {

/// While it lives, what batch norm gives on this thread, and what relu makes of that, is not kept for backward but
/// computed again there, from what batch norm keeps anyway: memory for two quick passes. It is to live as long as the
/// forward pass:
///   Tensor loss = [&] { const Recompute cheap; return nn::cross_entropy(net(x), y); }();
///   loss.backward();
/// Gradients have the same bits. (checkpoint() makes any function again, convolutions and all.)
class Recompute {
 public:
  [[nodiscard]] Recompute();
  ~Recompute();
  Recompute(const Recompute&) = delete;
  Recompute& operator=(const Recompute&) = delete;

 private:
  bool before_;
};

}  // namespace weft
