#include <weft/nn/train/lbfgs.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <weft/engine/create.hpp>
#include <weft/engine/grad_mode.hpp>
#include <weft/nn/detail/checks.hpp>
#include <weft/nn/detail/matched.hpp>
#include <weft/nn/train/detail/line_search.hpp>
#include <weft/nn/train/parameters_vector.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/dot.hpp>
#include <weft/ops/reduce.hpp>

namespace weft::nn {
namespace {

double product(const Tensor& a, const Tensor& b) { return dot(a, b).item(); }
double sum_of_sizes(const Tensor& t) { return norm(t, {}, false, 1).item(); }
double largest(const Tensor& t) { return norm(t, {}, false, std::numeric_limits<double>::infinity()).item(); }

}  // namespace

Lbfgs::Lbfgs(const Tensors& parameters, LbfgsOptions options) : ParameterGroups("Lbfgs"), options_(options) {
  if (options.max_iter <= 0) fail("Lbfgs: got max_iter ", options.max_iter, ", needs a positive number");
  if (options.max_eval < 0) fail("Lbfgs: got max_eval ", options.max_eval, ", needs a number from 0");
  if (options.history_size <= 0) fail("Lbfgs: got history_size ", options.history_size, ", needs a positive number");
  detail::check_not_negative("Lbfgs", "tolerance_grad", options.tolerance_grad);
  detail::check_not_negative("Lbfgs", "tolerance_change", options.tolerance_change);
  add_group(parameters, {options.lr, 0});
  check_parameters();
  std::int64_t count = 0;
  for (const Tensor& p : parameters) count += p.size();
  memory_.gradient = memory_.step = zeros({count}, dtype());
}

// Of all parameters, whose module may have been converted since.
DType Lbfgs::dtype() const {
  for (const Tensor& p : parameters()) detail::check_same_dtype("Lbfgs", parameters()[0], p);
  return parameters()[0].dtype();
}

// Throws away what does not show that the loss curves upwards along the step.
void Lbfgs::Memory::keep(const Tensor& of, const Tensor& change) {
  const double curvature = product(of, change);
  if (curvature > 1e-10) history.push_back({of, change, curvature});
}

Lbfgs::Memory Lbfgs::Memory::in(DType dtype) const {
  if (gradient.dtype() == dtype) return *this;
  Memory result{iterations, gradient.to(dtype), step.to(dtype)};
  for (const Pair& pair : history) result.keep(pair.step.to(dtype), pair.change.to(dtype));
  return result;
}

// Minus the gradient, times the inverse of the Hessian that the history speaks of (algorithm 7.4).
Tensor Lbfgs::Memory::direction(const Tensor& at) const {
  Tensor d = -at;
  if (history.empty()) return d;
  std::vector<double> taken;
  for (auto pair = history.rbegin(); pair != history.rend(); ++pair) {
    taken.push_back(product(pair->step, d) / pair->curvature);
    d.sub_(pair->change, taken.back());
  }
  const Pair& last = history.back();
  d.mul_(last.curvature / product(last.change, last.change));
  for (const Pair& pair : history) {
    d.add_(pair.step, taken.back() - product(pair.change, d) / pair.curvature);
    taken.pop_back();
  }
  return d;
}

Lbfgs::Point Lbfgs::evaluate(const Closure& closure) {
  zero_grad();
  Tensor loss;
  {
    const EnableGrad on;
    loss = closure();
  }
  if (!loss.defined()) fail("Lbfgs: the closure gave no loss");
  if (loss.size() != 1) fail("Lbfgs: the closure gave a loss of shape ", loss.shape(), ", needs one number");
  Tensors gradients;
  bool any = false;
  for (const Tensor& p : parameters()) {
    const Tensor g = p.grad();
    any = any || g.defined();
    gradients.push_back(g.defined() ? g : zeros_like(p));
  }
  if (!any) fail("Lbfgs: the closure left no gradient, needs backward() of the loss");
  return {loss, parameters_to_vector(gradients)};
}

Tensor Lbfgs::step(const Closure& closure) {
  if (!closure) fail("Lbfgs: got no closure");
  const NoGrad off;
  memory_ = memory_.in(dtype());
  const Point first = evaluate(closure);
  const std::int64_t most = options_.max_eval > 0 ? options_.max_eval : std::int64_t{options_.max_iter} * 5 / 4;
  std::int64_t evaluations = 1;
  detail::LinePoint here{0, first.loss.item(), 0, first.gradient};
  for (int i = 1; i <= options_.max_iter && largest(here.gradient) > options_.tolerance_grad; ++i) {
    // What the last step has taught is kept once, though the closure may throw below.
    memory_.keep(memory_.step, here.gradient - memory_.gradient);
    memory_.step = zeros_like(memory_.step);
    if (std::ssize(memory_.history) > options_.history_size) memory_.history.erase(memory_.history.begin());

    const Tensor d = memory_.direction(here.gradient), x = parameters_to_vector(parameters());
    here.t = 0;
    here.slope = product(here.gradient, d);
    const double t = memory_.iterations > 0 ? lr() : lr() * std::min(1.0, 1.0 / sum_of_sizes(here.gradient));
    if (!(std::isfinite(here.slope) && here.slope <= -options_.tolerance_change) || t == 0) break;

    const auto move = [&](double by) { vector_to_parameters(x.clone().add_(d, by), parameters()); };
    const std::function<detail::LinePoint(double)> f = [&](double at) -> detail::LinePoint {
      move(at);
      try {
        const Point there = evaluate(closure);
        ++evaluations;
        return {at, there.loss.item(), product(there.gradient, d), there.gradient};
      } catch (...) {
        vector_to_parameters(x, parameters());
        throw;
      }
    };
    detail::LinePoint next{t, here.value, here.slope, here.gradient};
    if (options_.line_search == LineSearch::strong_wolfe)
      next = detail::strong_wolfe(f, here, t, options_.tolerance_change / largest(d));
    else if (i < options_.max_iter)
      next = f(t);
    move(next.t);
    memory_.step = d * next.t;
    memory_.gradient = here.gradient;
    ++memory_.iterations;

    const bool changed = largest(memory_.step) > options_.tolerance_change &&
                         std::abs(next.value - here.value) >= options_.tolerance_change;
    if (!changed || evaluations >= most) break;
    here = std::move(next);
  }
  return first.loss;
}

// With the names of a saved state.
NamedTensors Lbfgs::named(const Memory& memory) const {
  const std::int64_t iterations[] = {memory.iterations};
  NamedTensors result = rates_state();
  result.emplace_back("iterations", from_buffer(std::span<const std::int64_t>(iterations), {}));
  result.emplace_back("gradient", memory.gradient);
  result.emplace_back("step", memory.step);
  for (std::size_t i = 0; i < memory.history.size(); ++i) {
    result.emplace_back("step." + std::to_string(i), memory.history[i].step);
    result.emplace_back("change." + std::to_string(i), memory.history[i].change);
  }
  return result;
}

NamedTensors Lbfgs::state() const {
  const NoGrad off;
  return named(memory_.in(dtype()));
}

std::function<void()> Lbfgs::prepare_load(const NamedTensors& saved) {
  const NoGrad off;
  Memory wanted = memory_.in(dtype());
  const Pair any{wanted.gradient, wanted.step, 0};
  const auto pairs =
      std::count_if(saved.begin(), saved.end(), [](const auto& t) { return t.first.starts_with("step."); });
  if (pairs > options_.history_size)
    fail("Lbfgs: the saved state remembers ", pairs, " steps, needs at most history_size ", options_.history_size);
  wanted.history.assign(static_cast<std::size_t>(pairs), any);
  const Tensors found = detail::matched("Lbfgs: the saved state", saved, named(wanted));  // as in named()
  std::function<void()> load_rates = prepare_rates(found[0], found[1]);
  Memory memory{found[2].data<std::int64_t>()[0], found[3].clone(), found[4].clone()};
  detail::check_steps("Lbfgs", memory.iterations);
  for (std::size_t i = 5; i < found.size(); i += 2) memory.keep(found[i].clone(), found[i + 1].clone());
  return [this, load_rates = std::move(load_rates), memory = std::move(memory)] {
    load_rates();
    memory_ = memory;
  };
}

}  // namespace weft::nn
