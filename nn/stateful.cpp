#include <weft/nn/stateful.hpp>

#include <weft/engine/create.hpp>
#include <weft/engine/random.hpp>
#include <weft/nn/detail/matched.hpp>
#include <weft/nn/detail/module_access.hpp>

namespace weft::nn {
namespace {

Tensor bits_of(std::uint64_t word) {
  const auto bits = static_cast<std::int64_t>(word);
  return from_buffer(std::span<const std::int64_t>(&bits, 1), {});
}

class StatefulGenerator final : public Stateful {
 public:
  explicit StatefulGenerator(Generator& of) : generator_(of) {}
  NamedTensors state() const override {
    const GeneratorState now = generator_.state();
    return {{"seed", bits_of(now.seed)}, {"offset", bits_of(now.offset)}};
  }
  std::function<void()> prepare_load(const NamedTensors& saved) override {
    const Tensors found = detail::matched("Generator: the saved state", saved, state());
    const auto word = [&](std::size_t i) { return static_cast<std::uint64_t>(found[i].data<std::int64_t>()[0]); };
    return [this, then = GeneratorState{word(0), word(1)}] { generator_.set_state(then); };
  }

 private:
  Generator& generator_;
};

class StatefulModule final : public Stateful {
 public:
  explicit StatefulModule(Module& of) : module_(of) {}
  NamedTensors state() const override { return ModuleAccess::tensors(module_); }
  std::function<void()> prepare_load(const NamedTensors& saved) override {
    return [found = detail::match("the saved state", saved, state(), {})]() mutable { found.load(); };
  }

 private:
  Module& module_;
};

template <class T>
T& not_null(T* part) {
  if (part == nullptr) fail("StatefulPart: got a null pointer, needs something that has a state");
  return *part;
}

}  // namespace

StatefulPart::StatefulPart(Stateful* part) : part_(std::shared_ptr<void>(), &not_null(part)) {}
StatefulPart::StatefulPart(Generator* part) : part_(std::make_shared<StatefulGenerator>(not_null(part))) {}
StatefulPart::StatefulPart(Module* part) : part_(std::make_shared<StatefulModule>(not_null(part))) {}

}  // namespace weft::nn
