// Gradients: beside differences, and the same however they are asked for.
#include <algorithm>
#include <cmath>

#include <weft/engine/checkpoint.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/grad_mode.hpp>
#include <weft/engine/gradcheck.hpp>
#include <weft/ops/reshape.hpp>
#include <weft/testing/detail/check.hpp>

namespace weft::testing::detail {

Tensors Check::weights_of(const Tensors& outputs) {
  Tensors weights;
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    const DType dtype = is_wanted(outputs[k]) ? outputs[k].dtype() : f64;
    weights.push_back(make_inputs({{outputs[k].shape(), around_zero}}, dtype, k + 5)[0]);
  }
  return weights;
}

Check::Result Check::run(const std::function<Tensors(const Tensors&)>& f, const Tensors& inputs, const Tensors& weights,
                         const std::set<std::size_t>* wanted, bool record) {
  Tensors leaves, asked;
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    const bool want = is_wanted(inputs[k]) && (wanted == nullptr || wanted->count(k) == 1);
    leaves.push_back(want ? parameter(inputs[k].clone()) : inputs[k]);
    if (want) asked.push_back(leaves.back());
  }
  Result result{f(leaves), Tensors(asked.size())};
  Tensors outputs, given;
  for (std::size_t k = 0; k < result.outputs.size(); ++k)
    if (result.outputs[k].requires_grad()) outputs.push_back(result.outputs[k]), given.push_back(weights[k]);
  if (!outputs.empty())
    result.gradients = grad(outputs, asked, {.grad_outputs = given, .create_graph = record, .allow_unused = true});
  return result;
}

void Check::same_tensors(const Tensors& got, const Tensors& expected, double tolerance, const char* what) const {
  for (std::size_t k = 0; k < got.size(); ++k) {
    const Tensor &a = got[k], &b = expected[k];
    if (!a.defined() && !b.defined()) continue;
    const Tensor& there = a.defined() ? a : b;
    const Array x = array_of(a.defined() ? a : zeros(there.shape(), there.dtype()));
    const Array y = array_of(b.defined() ? b : zeros(there.shape(), there.dtype()));
    const std::string text = difference(x, y, tolerance);
    if (!text.empty()) fail(std::string(what) + " " + std::to_string(k) + ": " + text);
  }
}

void Check::same_results(const Result& got, const Result& expected, const char* how) const {
  for (std::size_t k = 0; k < got.outputs.size(); ++k)
    if (!different_bits(got.outputs[k], expected.outputs[k]).empty())
      fail("output " + std::to_string(k) + " has other bits " + how);
  for (std::size_t k = 0; k < got.gradients.size(); ++k)
    if (!different_bits(got.gradients[k], expected.gradients[k]).empty())
      fail("gradient " + std::to_string(k) + " has other bits " + how);
}

void Check::by_differences(const Inputs& inputs) {
  const Tensors tensors = drawn(inputs, f64);
  if (std::none_of(tensors.begin(), tensors.end(), is_wanted)) return;
  // Element by element takes long on larger cases: random directions there, and where something is empty.
  const bool fast = !options_.repeat || size_of(inputs) > 60 || has_empty(inputs);
  const GradcheckResult found = gradcheck(row_.function, tensors, {.order = options_.order, .fast = fast});
  if (!found.ok) fail(found.message);
}

void Check::f32_gradients(const Inputs& inputs) {
  const Tensors wide = drawn(inputs, f64), weights = weights_of(row_.function(wide));
  const Result exact = run(wide, weights), rough = run(converted(wide, f32), converted(weights, f32));
  for (const Tensor& g : rough.gradients)
    if (g.defined() && g.dtype() != f32) fail("the gradient of f32 is " + std::string(name_of(g.dtype())));
  same_tensors(rough.gradients, exact.gradients, 5 * row_.f32_tolerance, "gradient");
}

void Check::subsets(const Inputs& inputs) {
  const Tensors tensors = drawn(inputs, f64), weights = weights_of(row_.function(tensors));
  std::vector<std::size_t> floating;
  for (std::size_t k = 0; k < tensors.size(); ++k)
    if (is_wanted(tensors[k])) floating.push_back(k);
  if (floating.size() < 2 || floating.size() > 4) return;
  const Result all = run(tensors, weights);
  for (unsigned chosen = 1; chosen + 1 < (1U << floating.size()); ++chosen) {
    std::set<std::size_t> wanted;
    Tensors expected;
    for (std::size_t k = 0; k < floating.size(); ++k)
      if ((chosen >> k & 1U) != 0) wanted.insert(floating[k]), expected.push_back(all.gradients[k]);
    same_tensors(run(row_.function, tensors, weights, &wanted).gradients, expected, 1e-12, "gradient");
  }
}

void Check::given_twice(const Inputs& inputs) {
  const Tensors tensors = drawn(inputs, f64);
  if (tensors.size() < 2 || !is_wanted(tensors[0]) || !is_wanted(tensors[1]) ||
      tensors[0].shape() != tensors[1].shape() || inputs[0].domain.kind != inputs[1].domain.kind ||
      inputs[0].domain.low != inputs[1].domain.low || inputs[0].domain.kind == Domain::grid)
    return;
  const auto twice = [&](const Tensors& in) {
    Tensors both = tensors;
    both[0] = both[1] = in[0];
    return row_.function(both);
  };
  const GradcheckResult found = gradcheck(twice, {tensors[0]}, {.order = std::min(2, options_.order)});
  if (!found.ok) fail(found.message);
}

void Check::with_history(const Inputs& inputs) {
  const Tensors tensors = drawn(inputs, f64), weights = weights_of(row_.function(tensors));
  const auto after = [&](const Tensors& in) {
    Tensors made;
    for (const Tensor& t : in)
      made.push_back(!is_wanted(t) ? t : t.rank() < 2 ? reshape(unsqueeze(t, 0), t.shape()) : transpose(transpose(t)));
    return row_.function(made);
  };
  const Result direct = run(tensors, weights), behind = run(after, tensors, weights);
  same_tensors(behind.outputs, direct.outputs, 0, "output");
  same_tensors(behind.gradients, direct.gradients, 1e-13, "gradient");
}

void Check::under_checkpoint(const Inputs& inputs) {
  const Tensors tensors = drawn(inputs, f64), weights = weights_of(row_.function(tensors));
  if (std::none_of(tensors.begin(), tensors.end(), is_wanted)) return;
  const auto again = [&](const Tensors& in) { return checkpoint(row_.function, in); };
  same_results(run(again, tensors, weights), run(tensors, weights), "under checkpoint");
}

// A change of what an op saved is an Error in backward; of anything else it changes nothing.
void Check::changed_in_place(const Inputs& inputs) {
  const Tensors tensors = drawn(inputs, f64), weights = weights_of(row_.function(tensors));
  const Result expected = run(tensors, weights);
  for (std::size_t k = 0; k < tensors.size(); ++k) {
    if (!is_wanted(tensors[k]) || tensors[k].size() == 0) continue;
    const auto changed = [&](const Tensors& in) {
      Tensors outputs = row_.function(in);
      const NoGrad off;
      Tensor input = in[k];
      input.add_(1.0);
      return outputs;
    };
    try {
      same_tensors(run(changed, tensors, weights).gradients, expected.gradients, 1e-13, "gradient");
    } catch (const Error& e) {
      if (std::string(e.what()).find("in place") == std::string::npos) throw;
    }
  }
}

void Check::large_gradients() {
  for (const Inputs& inputs : row_.large) {
    const Tensors wide = drawn(inputs, f64), narrow = converted(wide, f32);
    if (std::none_of(wide.begin(), wide.end(), is_wanted)) continue;
    const Tensors weights = weights_of(row_.function(wide)), narrow_weights = converted(weights, f32);
    const auto on_threads = [&](int n) {
      const Threads scope(n);
      return std::pair(run(wide, weights), run(narrow, narrow_weights));
    };
    const auto [shared, f32_shared] = on_threads(2);
    same_tensors(f32_shared.gradients, shared.gradients, 5 * row_.f32_tolerance, "f32 gradient");
    if (!options_.repeat) continue;
    const auto [exact, f32_exact] = on_threads(1);
    if (row_.by_threads.empty()) {
      same_results(shared, exact, "on two threads");
      same_results(f32_shared, f32_exact, "on two threads");
    } else {
      same_tensors(shared.gradients, exact.gradients, row_.tolerance, "gradient on two threads,");
      same_tensors(f32_shared.gradients, f32_exact.gradients, 5 * row_.f32_tolerance, "f32 gradient on two threads,");
    }
    const Threads scope(1);
    same_tensors(run(row_.function, wide, weights, nullptr, true).gradients, exact.gradients, 1e-10,
                 "recorded gradient");
    std::size_t place = 0;
    for (std::size_t k = 0; k < wide.size(); ++k)
      if (is_wanted(wide[k])) slope(wide, weights, k, exact.gradients[place++]);
  }
}

// The gradient of the weighted outputs for input k has the slope that differences have along a random direction. Both
// are sums of random terms, so that the errors of differences stay near 1e-8 of their size, the root of the sum of the
// terms' squares, while one wrong element of n makes an error of about 1 / sqrt(n) of it.
void Check::slope(const Tensors& inputs, const Tensors& weights, std::size_t k, const Tensor& gradient) const {
  constexpr double step = 1e-6, rounding = 1e-15;
  const Tensor direction_of = make_inputs({{inputs[k].shape(), around_zero}}, f64, 11)[0];
  const auto direction = direction_of.data<double>();
  const auto moved = [&](double by) {
    Tensors there = inputs;
    there[k] = inputs[k].clone();
    const auto data = there[k].mutable_data<double>();
    for (std::size_t i = 0; i < data.size(); ++i) data[i] += by * direction[i];
    return row_.function(there);
  };
  const Tensors above = moved(step), below = moved(-step);
  double numeric = 0, noise = 0, analytic = 0, size = 0;
  for (std::size_t o = 0; o < weights.size(); ++o) {
    if (!is_wanted(above[o])) continue;
    const auto up = above[o].data<double>(), down = below[o].data<double>(), weight = weights[o].data<double>();
    for (std::size_t i = 0; i < weight.size(); ++i) {
      numeric += weight[i] * (up[i] - down[i]) / (2 * step);
      noise += std::pow(weight[i] * up[i] * rounding / step, 2);
    }
  }
  if (gradient.defined()) {
    const auto slope = gradient.data<double>();
    for (std::size_t i = 0; i < slope.size(); ++i) {
      analytic += slope[i] * direction[i];
      size += std::pow(slope[i] * direction[i], 2);
    }
  }
  if (!(std::abs(analytic - numeric) <= 1e-6 * std::sqrt(size) + std::sqrt(noise)))
    fail("input " + std::to_string(k) + ": slope " + to_text(analytic) + ", by differences " + to_text(numeric) +
         ", of size " + to_text(std::sqrt(size)));
}

}  // namespace weft::testing::detail
