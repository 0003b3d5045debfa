#pragma once
// Being told of every op that a thread runs: profiles, traces and drawings stand on it.
#include <weft/engine/fields.hpp>
#include <weft/engine/tensor.hpp>

namespace weft {

namespace detail {
struct OpKind;
}

enum class Pass : std::uint8_t { forward, backward };

/// One run of an op's forward or backward. What it refers to lives for the time of the call.
class OpCall {
 public:
  OpCall(const detail::OpKind& kind, const void* op, Pass pass, std::uint32_t scope,
         std::span<const Tensor* const> inputs)
      : kind_(kind), op_(op), scope_(scope), pass_(pass), inputs_(inputs) {}

  const char* op() const;
  Pass pass() const { return pass_; }
  /// The op's own fields by name.
  Fields fields() const;
  /// The dotted path of the module in which the op was called; empty outside of modules.
  std::string module() const;
  /// What it is given: inputs, or in backward the gradients of the outputs. Some may be undefined.
  std::span<const Tensor* const> inputs() const { return inputs_; }
  /// What it gave (empty until it has): outputs, or in backward the gradients of the inputs. Some may be undefined.
  std::span<const Tensor> outputs() const { return outputs_; }
  void set_outputs(std::span<const Tensor> outputs) { outputs_ = outputs; }

 private:
  const detail::OpKind& kind_;
  const void* op_;
  std::uint32_t scope_;
  Pass pass_;
  std::span<const Tensor* const> inputs_;
  std::span<const Tensor> outputs_;
};

/// Base of what is told. Ops may run inside others (in backward nearly always): calls nest. What an observer does
/// itself is not observed.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void before(const OpCall& call) = 0;
  /// The call has ended; if by an exception, without outputs.
  virtual void after(const OpCall& call) = 0;
};

/// While it lives, the observer is told of every op that this thread runs, after those that were there before.
class Observe {
 public:
  [[nodiscard]] explicit Observe(Observer& observer);
  ~Observe();
  Observe(const Observe&) = delete;
  Observe& operator=(const Observe&) = delete;

  /// Internal to the engine: tells all observers of this thread.
  static void tell_before(const OpCall& call);
  static void tell_after(const OpCall& call);

 private:
  void tell(void (Observer::*what)(const OpCall&), const OpCall& call) const;
  Observer& observer_;
  const Observe* outer_;
};

}  // namespace weft
