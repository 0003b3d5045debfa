#include <weft/ops/fused.hpp>

#include <algorithm>

#include <weft/engine/create.hpp>
#include <weft/engine/detail/parallel.hpp>
#include <weft/engine/op.hpp>
#include <weft/ops/detail/program.hpp>
#include <weft/ops/reshape.hpp>

namespace weft::detail {
namespace {

// Adds to `program` the gradients of its result with respect to its first `inputs` inputs, weighted by the input after
// them, and makes them its results. The formulas' own derivatives are run on Expr.
void differentiate(Program& program, int inputs) {
  std::vector<Expr> adjoint(program.steps().size(), Expr(0.0));
  std::vector<bool> reached(program.steps().size(), false);
  const auto give = [&](std::size_t to, const Expr& gradient) {
    adjoint[to] = reached[to] ? adjoint[to] + gradient : gradient;
    reached[to] = true;
  };
  give(program.results[0], program.input(inputs));
  for (std::size_t i = program.results[0] + 1; i-- > 0;) {
    if (!reached[i]) continue;
    const Step step = program.steps()[i];
    std::vector<Expr> operands;
    for (int k = 0; k < step.operand_count; ++k)
      operands.emplace_back(program, step.operands[static_cast<std::size_t>(k)]);
    for (int k = 0; k < step.operand_count; ++k) {
      const std::size_t to = step.operands[static_cast<std::size_t>(k)];
      if (step.formula->has_gradient(k) && !program.steps()[to].is_constant())
        give(to, step.formula->gradient(k, adjoint[i], operands, Expr(program, i)));
    }
  }
  program.results.clear();
  for (int k = 0; k < inputs; ++k) {
    const std::size_t at = program.input(k).at();
    program.results.push_back(program.place_of(at < reached.size() && reached[at] ? adjoint[at] : Expr(0.0)));
  }
}

// Where the steps of a program keep their values: registers of a block each, used again once their value has been read
// for the last time.
struct Registers {
  std::vector<std::size_t> of_step;
  std::size_t count = 0;

  explicit Registers(const Program& program) {
    const std::vector<Step>& steps = program.steps();
    constexpr auto always = static_cast<std::size_t>(-1);
    std::vector<std::size_t> last(steps.size(), 0);
    const auto read = [&](std::size_t value, std::size_t by) {
      if (last[value] != always) last[value] = by;
    };
    for (std::size_t s = 0; s < steps.size(); ++s) {
      if (steps[s].is_constant()) last[s] = always;  // filled once, before the first block
      for (int k = 0; k < steps[s].operand_count; ++k) read(steps[s].operands[static_cast<std::size_t>(k)], s);
    }
    for (const std::size_t r : program.results) last[r] = always;
    std::vector<std::size_t> free;
    for (std::size_t s = 0; s < steps.size(); ++s) {
      if (free.empty() || last[s] == always) {
        of_step.push_back(count++);
      } else {
        of_step.push_back(free.back());
        free.pop_back();
      }
      for (std::size_t earlier = 0; earlier <= s; ++earlier)
        if (last[earlier] == s || (last[earlier] == 0 && earlier == s)) free.push_back(of_step[earlier]);
    }
  }
};

struct Compiled {
  Program program;
  Registers registers;
  explicit Compiled(Program written) : program(std::move(written)), registers(program) {}
};

// Computes the wanted results over `inputs` of n elements each.
template <class T>
void run_on_blocks(const Compiled& compiled, const std::vector<const T*>& inputs, const std::vector<T*>& outputs,
                   std::int64_t n) {
  constexpr std::int64_t block = program_block;
  const std::vector<Step>& steps = compiled.program.steps();
  parallel_for((n + block - 1) / block, grain_for(2 * block), [&](std::int64_t begin, std::int64_t end) {
    std::vector<T, PoolAllocator<T>> registers(compiled.registers.count * block);
    const auto own = [&](std::size_t s) { return registers.data() + compiled.registers.of_step[s] * block; };
    std::vector<const T*> value(steps.size());  // where each step's is
    for (std::size_t s = 0; s < steps.size(); ++s) {
      value[s] = own(s);
      if (steps[s].is_constant()) std::fill_n(own(s), block, static_cast<T>(steps[s].constant));
    }
    for (std::int64_t b = begin; b < end; ++b) {
      const std::int64_t first = b * block;
      const auto count = static_cast<std::size_t>(std::min(block, n - first));
      for (std::size_t s = 0; s < steps.size(); ++s) {
        const Step& step = steps[s];
        if (step.formula) {
          const T* in[max_operands] = {};
          for (std::size_t k = 0; k < static_cast<std::size_t>(step.operand_count); ++k)
            in[k] = value[step.operands[k]];
          step.formula->run(in, own(s));
        } else if (step.input >= 0) {
          // Read where it lies, but for the last block, which may be shorter than a register.
          const T* from = inputs[static_cast<std::size_t>(step.input)] + first;
          value[s] = count == block ? from : std::copy_n(from, count, own(s)) - count;
        }
      }
      for (std::size_t r = 0; r < outputs.size(); ++r)
        if (outputs[r] != nullptr) std::copy_n(value[compiled.program.results[r]], count, outputs[r] + first);
    }
  });
}

// The same steps as recorded ops: for gradients of gradients.
Tensors run_on_tensors(const Program& program, const Tensors& inputs) {
  const DType dtype = inputs[0].dtype();
  Tensors values;
  for (const Step& step : program.steps()) {
    if (step.is_constant()) {
      values.push_back(scalar(step.constant, dtype));
    } else if (step.input >= 0) {
      values.push_back(inputs[static_cast<std::size_t>(step.input)]);
    } else {
      Tensors in;
      for (int k = 0; k < step.operand_count; ++k) in.push_back(values[step.operands[static_cast<std::size_t>(k)]]);
      values.push_back(step.formula->run(in, dtype));
    }
  }
  Tensors results;
  for (const std::size_t r : program.results) results.push_back(values[r]);
  return results;
}

// The wanted results as new tensors of one shape, to which the inputs are broadcast.
Tensors run_on_memory(const Compiled& compiled, Tensors inputs, const Shape& shape, const std::vector<bool>& wanted) {
  Tensors results(wanted.size());
  for (Tensor& input : inputs)
    if (input.shape() != shape) input = broadcast_to(input, shape);
  for (std::size_t r = 0; r < wanted.size(); ++r)
    if (wanted[r]) results[r] = make_tensor("fused", shape, inputs[0].dtype());
  visit_floating(inputs[0].dtype(), [&](auto zero) {
    using T = decltype(zero);
    std::vector<const T*> in;
    std::vector<T*> out;
    for (const Tensor& input : inputs) in.push_back(data_of<T>(input));
    for (const Tensor& result : results) out.push_back(result.defined() ? mutable_data_of<T>(result) : nullptr);
    run_on_blocks<T>(compiled, in, out, shape.size());
  });
  return results;
}

}  // namespace

struct FusedFunction::Programs {
  int inputs;
  Compiled value, gradients;
};

namespace {

struct Fused {
  static constexpr const char* name = "fused";
  std::shared_ptr<const FusedFunction::Programs> programs;

  Tensor forward(Context& ctx, const Tensors& inputs) const {
    Shape shape = inputs[0].shape();
    check_floating(name, inputs[0]);
    for (const Tensor& input : inputs) {
      check_same_dtype(name, inputs[0], input);
      shape = broadcast_shapes(name, shape, input.shape());
    }
    for (const Tensor& input : inputs) ctx.save(input);
    return run_on_memory(programs->value, inputs, shape, {true})[0];
  }

  Tensors backward(Context& ctx, const Tensor& g) const {
    Tensors inputs;
    std::vector<bool> wanted;
    for (int k = 0; k < programs->inputs; ++k) {
      inputs.push_back(ctx.saved(k));
      wanted.push_back(ctx.needs(k));
    }
    inputs.push_back(g);
    if (!grad_enabled()) return run_on_memory(programs->gradients, std::move(inputs), g.shape(), wanted);
    Tensors gradients = run_on_tensors(programs->gradients.program, inputs);
    for (std::size_t k = 0; k < gradients.size(); ++k) {
      if (!wanted[k])
        gradients[k] = Tensor();
      else if (gradients[k].shape() != g.shape())
        gradients[k] = broadcast_to(gradients[k], g.shape());
    }
    return gradients;
  }
};

}  // namespace

FusedFunction::FusedFunction(int inputs, const std::function<Expr(const std::vector<Expr>&)>& write) {
  Program value;
  std::vector<Expr> arguments;
  for (int k = 0; k < inputs; ++k) arguments.push_back(value.input(k));
  value.results = {value.place_of(write(arguments))};
  Program gradients = value;
  differentiate(gradients, inputs);
  programs_ =
      std::make_shared<const Programs>(Programs{inputs, Compiled(std::move(value)), Compiled(std::move(gradients))});
}

Tensor FusedFunction::operator()(const Tensors& inputs) const { return apply(Fused{programs_}, inputs); }

}  // namespace weft::detail
