#include <weft/nn/train/optimizer.hpp>

#include <algorithm>

#include <weft/engine/create.hpp>
#include <weft/engine/detail/rows.hpp>
#include <weft/engine/grad_mode.hpp>
#include <weft/nn/detail/checks.hpp>
#include <weft/nn/detail/matched.hpp>

namespace weft::nn {
namespace {

// The rows that a gradient has, sorted, if these are few.
std::vector<std::int64_t> few_rows(const Tensor& g) {
  const Tensor noted = detail::noted_rows(g);
  if (!noted.defined() || noted.size() * 2 > g.size(0)) return {};
  const auto given = noted.data<std::int64_t>();
  std::vector<std::int64_t> rows(given.begin(), given.end());
  std::sort(rows.begin(), rows.end());
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  return rows;
}

// Of two tensors alike but for the number of rows: the i-th row of one, and row rows[i] of the other.
void copy_rows(const Tensor& from, Tensor& to, const std::vector<std::int64_t>& rows, bool scatter) {
  detail::visit_floating(from.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* const source = from.data<T>().data();
    T* const target = to.mutable_data<T>().data();
    const std::int64_t width = from.size() / from.size(0);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::int64_t packed = static_cast<std::int64_t>(i) * width, loose = rows[i] * width;
      std::copy_n(source + (scatter ? packed : loose), width, target + (scatter ? loose : packed));
    }
  });
}

Tensor rows_of(const Tensor& t, const std::vector<std::int64_t>& rows) {
  Shape shape = t.shape();
  shape[0] = static_cast<std::int64_t>(rows.size());
  Tensor part = empty(shape, t.dtype());
  copy_rows(t, part, rows, false);
  return part;
}

}  // namespace

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
    update(group_of(i), p, g, slots_[i], ++steps_[i]);
  }
}

void Optimizer::update(int group, Tensor& p, const Tensor& g, Tensors& slots, std::int64_t step) const {
  const std::vector<std::int64_t> rows =
      leaves_zeros(group, rates(group), step) ? few_rows(g) : std::vector<std::int64_t>{};
  if (rows.empty()) return update_in_group(group, rates(group), p, g, slots, step);
  Tensor part = rows_of(p, rows);
  Tensors parts_of_slots;
  for (const Tensor& slot : slots) parts_of_slots.push_back(rows_of(slot, rows));
  update_in_group(group, rates(group), part, rows_of(g, rows), parts_of_slots, step);
  copy_rows(part, p, rows, true);
  for (std::size_t s = 0; s < slots.size(); ++s) copy_rows(parts_of_slots[s], slots[s], rows, true);
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
