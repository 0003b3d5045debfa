#include <weft/nn/train/optimizer.hpp>

#include <weft/engine/create.hpp>
#include <weft/engine/grad_mode.hpp>
#include <weft/nn/detail/checks.hpp>
#include <weft/nn/detail/matched.hpp>

namespace weft::nn {

void Optimizer::add_slots(std::vector<std::string> names) {
  check_parameters();
  for (const Tensor& p : parameters()) {
    Tensors& slots = slots_.emplace_back();
    for (std::size_t i = 0; i < names.size(); ++i) slots.push_back(zeros_like(p));
  }
  slot_names_ = std::move(names);
  steps_.resize(parameters().size());
}

void Optimizer::step() {
  const NoGrad off;
  for (const Tensor& p : parameters()) {
    const Tensor g = p.grad();
    if (g.defined()) detail::check_same_dtype(kind(), p, g);
  }
  for (std::size_t i = 0; i < parameters().size(); ++i) {
    Tensor p = parameters()[i];
    const Tensor g = p.grad();
    if (!g.defined()) continue;
    for (std::size_t s = 0; s < slots_[i].size(); ++s) slots_[i][s] = slot(i, s);
    update_in_group(group_of(i), rates(group_of(i)), p, g, slots_[i], ++steps_[i]);
  }
}

// A state tensor in the dtype of its parameter, whose module may have been converted since.
Tensor Optimizer::slot(std::size_t parameter, std::size_t number) const {
  return slots_[parameter][number].to(parameters()[parameter].dtype());
}

NamedTensors Optimizer::state() const {
  const NoGrad off;
  NamedTensors result = rates_state();
  result.emplace_back("steps",
                      from_buffer(std::span<const std::int64_t>(steps_), {static_cast<std::int64_t>(steps_.size())}));
  for (std::size_t s = 0; s < slot_names_.size(); ++s)
    for (std::size_t i = 0; i < parameters().size(); ++i)
      result.emplace_back(slot_names_[s] + "." + std::to_string(i), slot(i, s));
  return result;
}

std::function<void()> Optimizer::prepare_load(const NamedTensors& saved) {
  const NoGrad off;
  const Tensors found = detail::matched(std::string(kind()) + ": the saved state", saved, state());  // as in state()
  std::function<void()> load_rates = prepare_rates(found[0], found[1]);
  const auto steps = found[2].data<std::int64_t>();
  for (const std::int64_t count : steps) detail::check_steps(kind(), count);
  std::vector<Tensors> slots(parameters().size());
  std::size_t next = 3;
  for (std::size_t s = 0; s < slot_names_.size(); ++s)
    for (Tensors& of_parameter : slots) of_parameter.push_back(found[next++].clone());
  return [this, load_rates = std::move(load_rates), slots = std::move(slots),
          counts = std::vector<std::int64_t>(steps.begin(), steps.end())]() mutable {
    load_rates();
    slots_ = std::move(slots);
    steps_ = std::move(counts);
  };
}

}  // namespace weft::nn
