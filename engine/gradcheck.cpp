#include <weft/engine/gradcheck.hpp>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <weft/engine/backward.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/detail/arguments.hpp>
#include <weft/engine/detail/extras.hpp>
#include <weft/engine/random.hpp>

namespace weft {
namespace {

using Values = std::vector<double>;

constexpr std::int64_t most_rows = 2000;  // output elements for which every row of the Jacobian is computed

Values values_of(const Tensor& t) {
  const auto data = t.data<double>();
  return {data.begin(), data.end()};
}

double dot(const Values& a, const Values& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

std::string index_text(std::size_t element, const Shape& shape) {
  auto at = static_cast<std::int64_t>(element);
  Axes index;
  for (int i = 0; i < shape.rank(); ++i) index.append(0);
  for (int i = shape.rank(); i-- > 0; at /= shape[i]) index[i] = at % shape[i];
  return detail::to_text(index);
}

// The ops that made the outputs, oldest first, each once.
std::string ops_behind(const Tensors& outputs) {
  std::vector<std::string> names;
  for (const Node* node : detail::nodes_behind(outputs))
    if (std::find(names.begin(), names.end(), node->op_name()) == names.end()) names.emplace_back(node->op_name());
  if (names.empty()) return "a function that recorded nothing";
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// On storage of its own, as its elements will be moved.
Tensor leaf_for(const Tensor& input) { return input.dtype() == f64 ? detail::argument_for(input, true) : input; }

class Check {
 public:
  // `differentiated`: the ops of the function whose derivative f is, if it is one.
  Check(const MapOfSeveral& f, const Tensors& inputs, const GradcheckOptions& options, int order,
        std::string differentiated, Generator& generator)
      : f_(f), options_(options), order_(order), differentiated_(std::move(differentiated)), generator_(generator) {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const Tensor& input = inputs[i];
      if (input.dtype() == f32) fail("gradcheck: input ", i, " is f32 ", input.shape(), ", needs f64");
      inputs_.push_back(leaf_for(input));
      if (input.dtype() != f64) continue;
      wanted_.push_back(i);
      leaves_.push_back(inputs_.back());
    }
  }

  GradcheckResult run() {
    Tensors outputs;
    {
      const EnableGrad on;
      const detail::DrawScope note(draws_, detail::DrawScope::Mode::note);
      outputs = f_(inputs_);
    }
    const bool recorded = std::any_of(outputs.begin(), outputs.end(), [](const Tensor& output) {
      return output.dtype() == f64 && output.requires_grad();
    });
    if (order_ == 1 && (leaves_.empty() || !recorded)) {
      result_.ok = false;
      result_.message = leaves_.empty() ? "gradcheck: nothing to check: got no f64 input"
                                        : "gradcheck: nothing to check: no f64 output depends on an input";
    }
    for (std::size_t k = 0; k < outputs.size() && result_.ok; ++k) {
      if (outputs[k].dtype() == f32) fail("gradcheck: output ", k, " is f32 ", outputs[k].shape(), ", needs f64");
      if (outputs[k].dtype() != f64) continue;
      // From here on only this output's tape is needed; its data may be an input's, which will change.
      const Tensor output = outputs[k];
      if (options_.fast)
        check_directions(output, k);
      else if (output.size() <= most_rows)
        check_all(output, k);
      else
        check_weighted(output, k);
    }
    return result_;
  }

 private:
  // The gradients of the output's weighted sum, zeros where it does not depend.
  std::vector<Values> analytic(const Tensor& output, const Values& weights) const {
    const Tensors gradients = detail::connected_gradients(
        {output}, leaves_, {.grad_outputs = {from_buffer(weights, output.shape())}, .retain_graph = true});
    std::vector<Values> result;
    for (std::size_t i = 0; i < leaves_.size(); ++i)
      result.push_back(gradients[i].defined() ? values_of(gradients[i])
                                              : Values(static_cast<std::size_t>(leaves_[i].size())));
    return result;
  }

  Values evaluate(const Tensor& output, std::size_t k) {
    const NoGrad off;
    const detail::DrawScope again(draws_, detail::DrawScope::Mode::repeat);
    const Tensors outputs = f_(inputs_);
    if (k >= outputs.size()) fail("gradcheck: the function gave ", outputs.size(), " results at another call");
    if (outputs[k].size() != output.size())
      fail("gradcheck: result ", k, " of the function has shape ", outputs[k].shape(), " at another call, needs ",
           output.shape());
    return values_of(outputs[k]);
  }

  // The derivative of the output, number k, as input i moves along a direction.
  Values numeric(const Tensor& output, std::size_t k, std::size_t i, const Values& direction) {
    auto* data = detail::mutable_data_of<double>(leaves_[i]);
    const Values before = values_of(leaves_[i]);
    const auto move = [&](double step) {
      for (std::size_t e = 0; e < before.size(); ++e) data[e] = before[e] + step * direction[e];
    };
    Values above, below;
    try {
      move(options_.eps);
      above = evaluate(output, k);
      move(-options_.eps);
      below = evaluate(output, k);
    } catch (...) {
      move(0.0);
      throw;
    }
    move(0.0);
    for (std::size_t o = 0; o < above.size(); ++o) above[o] = (above[o] - below[o]) / (2.0 * options_.eps);
    return above;
  }

  // Calls f(element, the derivative along it) for the elements of input i, as long as all is well.
  template <class F>
  void for_elements(const Tensor& output, std::size_t k, std::size_t i, F f) {
    Values direction(static_cast<std::size_t>(leaves_[i].size()));
    for (std::size_t e = 0; e < direction.size() && result_.ok; ++e) {
      direction[e] = 1.0;
      f(e, numeric(output, k, i, direction));
      direction[e] = 0.0;
    }
  }

  Values random_values(std::int64_t n) { return values_of(randn({n}, f64, generator_)); }

  void check_all(const Tensor& output, std::size_t k) {
    std::vector<std::vector<Values>> rows;
    Values one_hot(static_cast<std::size_t>(output.size()));
    for (double& weight : one_hot) {
      weight = 1.0;
      rows.push_back(analytic(output, one_hot));
      weight = 0.0;
    }
    for (std::size_t i = 0; i < leaves_.size(); ++i)
      for_elements(output, k, i, [&](std::size_t e, const Values& column) {
        for (std::size_t o = 0; o < column.size(); ++o)
          compare(rows[o][i][e], column[o], [&] {
            return place(output, i, e) + ", output " + std::to_string(k) + ", element " + index_text(o, output.shape());
          });
      });
  }

  void check_weighted(const Tensor& output, std::size_t k) {
    const Values weights = random_values(output.size());
    const std::vector<Values> gradient = analytic(output, weights);
    for (std::size_t i = 0; i < leaves_.size(); ++i)
      for_elements(output, k, i, [&](std::size_t e, const Values& column) {
        compare(gradient[i][e], dot(column, weights),
                [&] { return place(output, i, e) + ", output " + std::to_string(k) + " (randomly weighted)"; });
      });
  }

  void check_directions(const Tensor& output, std::size_t k) {
    for (int repeat = 0; repeat < 2; ++repeat) {
      const Values weights = random_values(output.size());
      const std::vector<Values> gradient = analytic(output, weights);
      for (std::size_t i = 0; i < leaves_.size(); ++i) {
        if (leaves_[i].size() == 0) continue;
        const Values direction = random_values(leaves_[i].size());
        compare(dot(gradient[i], direction), dot(numeric(output, k, i, direction), weights), [&] {
          const auto at = std::max_element(gradient[i].begin(), gradient[i].end(),
                                           [](double a, double b) { return std::abs(a) < std::abs(b); });
          return place(output, i, static_cast<std::size_t>(at - gradient[i].begin())) +
                 " (the largest gradient), along a random direction, output " + std::to_string(k) +
                 " (randomly weighted)";
        });
        if (!result_.ok) return;
      }
    }
  }

  std::string place(const Tensor& output, std::size_t i, std::size_t element) const {
    std::string text = "gradcheck: backward of " + ops_behind({output});
    // The op to blame may be missing here: a backward that is no function of what was saved has cut itself off.
    if (order_ > 1)
      text += ", in the gradient of " + differentiated_ + ": order " + std::to_string(order_) + ", ";
    else
      text += ": ";
    return text + "input " + std::to_string(wanted_[i]) + " of shape " + detail::to_text(leaves_[i].shape()) +
           ", element " + index_text(element, leaves_[i].shape());
  }

  template <class Where>
  void compare(double analytic, double numeric, const Where& where) {
    const double error = std::abs(analytic - numeric);
    if (!(error <= result_.max_error) && !std::isnan(result_.max_error)) result_.max_error = error;  // nan stays
    if (error <= options_.atol + options_.rtol * std::abs(numeric) || !result_.ok) return;
    result_.ok = false;
    result_.message = fmt::format("{}: analytic {:.9g}, numeric {:.9g}", where(), analytic, numeric);
  }

  const MapOfSeveral& f_;
  const GradcheckOptions& options_;
  int order_;  // of the derivative that is being checked
  std::string differentiated_;
  Generator& generator_;
  Tensors inputs_, leaves_;          // what f gets; those of them that are f64
  std::vector<std::size_t> wanted_;  // their places among the inputs
  detail::Draws draws_;
  GradcheckResult result_;
};

// The function (inputs, weights of the floating outputs) -> gradients of the f64 inputs.
MapOfSeveral gradient_of(const MapOfSeveral& f, std::size_t input_count) {
  return [f, input_count](const Tensors& all) {
    const bool record = grad_enabled();
    const EnableGrad on;
    Tensors inputs(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(input_count)), wanted, outputs;
    for (const Tensor& output : f(inputs))
      if (output.dtype() == f64) outputs.push_back(output);
    for (const Tensor& input : inputs)
      if (input.dtype() == f64) wanted.push_back(input);
    const Tensors weights(all.begin() + static_cast<std::ptrdiff_t>(input_count), all.end());
    Tensors gradients = detail::connected_gradients(outputs, wanted, {.grad_outputs = weights, .create_graph = record});
    for (std::size_t i = 0; i < wanted.size(); ++i)
      if (!gradients[i].defined()) gradients[i] = zeros_like(wanted[i]);
    return gradients;
  };
}

}  // namespace

GradcheckResult gradcheck(const MapOfSeveral& f, const Tensors& inputs, const GradcheckOptions& options) {
  if (options.order < 1 || !(options.eps > 0.0))
    fail("gradcheck: got order ", options.order, " and eps ", options.eps, ", needs order >= 1 and eps > 0");
  Generator generator(0x77656674);  // of its own: repeatable, and the caller's draws go on undisturbed
  MapOfSeveral function = f;
  Tensors arguments = inputs;
  GradcheckResult result;
  std::string ops;
  for (int order = 1; order <= options.order; ++order) {
    const GradcheckResult at_order = Check(function, arguments, options, order, ops, generator).run();
    if (!(at_order.max_error <= result.max_error)) result.max_error = at_order.max_error;
    if (!at_order.ok) {
      result.ok = false;
      result.message = at_order.message;
      return result;
    }
    if (order == options.order) break;
    const std::size_t count = arguments.size();
    Tensors outputs;
    {
      const EnableGrad on;
      outputs = function([&] {
        Tensors leaves;
        for (const Tensor& t : arguments) leaves.push_back(leaf_for(t));
        return leaves;
      }());
    }
    if (order == 1) ops = ops_behind(outputs);
    for (const Tensor& output : outputs)
      if (output.dtype() == f64) arguments.push_back(randn(output.shape(), f64, generator));
    function = gradient_of(function, count);
  }
  return result;
}

GradcheckResult gradcheck(const Function& f, const Tensor& input, const GradcheckOptions& options) {
  return gradcheck([&f](const Tensors& in) { return f(in[0]); }, Tensors{input}, options);
}

}  // namespace weft
