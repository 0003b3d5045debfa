#include <weft/ops/fused.hpp>

#include <algorithm>

#include <weft/engine/op.hpp>
#include <weft/ops/detail/fused_program.hpp>

namespace weft::detail {
namespace {

// Its outputs are the program's results, and when it is recorded the values that are kept for the gradient. As outputs
// those are connected to the tape, so that gradients of gradients need nothing else.
struct Fused {
  static constexpr const char* name = "fused";
  static constexpr bool takes_absent = true;
  std::shared_ptr<const FusedProgram> program;
  const FusedPlan* plan = nullptr;  // the program's; null: not recorded

  Tensors forward(Context& ctx, const Tensors& inputs) {
    Shape shape = inputs[0].shape();
    check_floating(name, inputs[0]);
    for (const Tensor& input : inputs) {
      check_same_dtype(name, inputs[0], input);
      if (input.shape() != shape) shape = broadcast_shapes(name, shape, input.shape());
    }
    std::vector<bool> needs, large;
    bool recorded = false;
    for (std::size_t k = 0; k < inputs.size(); ++k) {
      needs.push_back(ctx.needs(static_cast<int>(k)));
      large.push_back(8 * inputs[k].size() > shape.size());
      recorded |= needs.back();
    }
    if (recorded) plan = &program->plan(needs, large);
    const Routine& routine = recorded ? plan->routine() : program->routine();
    Tensors outputs = routine.run(inputs, inputs[0].dtype(), shape, std::vector<Shape>(routine.result_count(), shape));
    if (recorded)
      for (const int s : plan->saved()) {
        const auto at = static_cast<std::size_t>(s);
        ctx.save(at < inputs.size() ? inputs[at] : outputs[at - inputs.size()]);
      }
    return outputs;
  }

  Tensors backward(Context& ctx, const Tensors& g) const {
    const int inputs = program->inputs();
    std::vector<bool> wanted, given;
    for (int k = 0; k < inputs; ++k) wanted.push_back(ctx.needs(k));
    for (const Tensor& one : g) given.push_back(one.defined());
    const FusedGradient& gradient = plan->gradient(wanted, given);
    Tensors in;
    Tensor any;  // an output's gradient
    for (const Tensor& one : g)
      if (one.defined()) any = one;
    for (const int number : gradient.inputs) in.push_back(value_of(ctx, number, g));
    Tensors found;
    if (!grad_enabled() || in.empty()) {
      std::vector<Shape> shapes;
      for (int k = 0; k < inputs; ++k)
        if (wanted[static_cast<std::size_t>(k)]) shapes.push_back(ctx.shape(k));
      found = gradient.program->routine().run(in, any.dtype(), any.shape(), shapes);
    } else {
      found = apply(Fused{gradient.program}, in);
    }
    Tensors gradients(wanted.size());
    for (std::size_t k = 0, next = 0; k < gradients.size(); ++k)
      if (wanted[k]) gradients[k] = std::move(found[next++]);
    return gradients;
  }

 private:
  // Numbered as in FusedGradient.
  Tensor value_of(Context& ctx, int number, const Tensors& g) const {
    const std::vector<int>& saved = plan->saved();
    const auto gradients = program->inputs() + static_cast<int>(g.size());
    if (number >= gradients) return g[static_cast<std::size_t>(number - gradients)];
    return ctx.saved(static_cast<int>(std::find(saved.begin(), saved.end(), number) - saved.begin()));
  }
};

}  // namespace

FusedFunction::FusedFunction(int inputs, const std::function<Expr(const std::vector<Expr>&)>& write) {
  Program value;
  std::vector<Expr> arguments;
  for (int k = 0; k < inputs; ++k) arguments.push_back(value.input(k));
  value.results = {value.place_of(write(arguments))};
  program_ = std::make_shared<const FusedProgram>(std::move(value), inputs);
}

Tensor FusedFunction::operator()(const Tensors& inputs) const { return apply(Fused{program_}, inputs)[0]; }

}  // namespace weft::detail
