#include <weft/ops/fused.hpp>

#include <algorithm>
#include <cstring>

#include <weft/ops/detail/formulas.hpp>
#include <weft/ops/detail/program.hpp>
#include <weft/ops/reshape.hpp>

namespace weft {

Expr clamp(const Expr& a, double low, double high) {
  if (!(low <= high)) fail("clamp: got low ", low, " and high ", high, ", needs low <= high");
  return detail::Clamp{{}, low, high}.value(a);
}

namespace detail {

/// Calls use(op struct) with the op that a step applies.
template <class Use>
decltype(auto) visit_function(const Step& step, Use&& use) {
  switch (step.function) {
    case Function::neg: return use(Neg{});
    case Function::square: return use(Square{});
    case Function::sqrt: return use(Sqrt{});
    case Function::exp: return use(Exp{});
    case Function::log: return use(Log{});
    case Function::log1p: return use(Log1p{});
    case Function::sin: return use(Sin{});
    case Function::cos: return use(Cos{});
    case Function::tanh: return use(Tanh{});
    case Function::sigmoid: return use(Sigmoid{});
    case Function::erf: return use(Erf{});
    case Function::abs: return use(Abs{});
    case Function::relu: return use(Relu{});
    case Function::softplus: return use(Softplus{});
    case Function::gelu: return use(Gelu{});
    case Function::pow_scalar: return use(PowScalar{{}, step.number});
    case Function::sub: return use(Sub{});
    case Function::mul: return use(Mul{});
    case Function::div: return use(Div{});
    case Function::pow: return use(Pow{});
    case Function::maximum: return use(Maximum{});
    case Function::minimum: return use(Minimum{});
    default: return use(Add{});
  }
}

namespace {

int operand_count(Function function) {
  if (function <= Function::constant) return 0;
  if (function <= Function::pow_scalar) return 1;
  return function == Function::where ? 3 : 2;
}

// ---- writing ----

Expr constant(Program* program, double value) {
  return {program, program->add({.function = Function::constant, .number = value})};
}

}  // namespace

int Program::add(const Step& step) {
  // What was computed before is not computed again.
  for (std::size_t i = 0; i < steps.size(); ++i)
    if (steps[i] == step) return static_cast<int>(i);
  steps.push_back(step);
  return static_cast<int>(steps.size()) - 1;
}

Expr step(Function function, const Expr& a, const Expr& b, const Expr& c) {
  Program* program = a.program() != nullptr ? a.program() : b.program() != nullptr ? b.program() : c.program();
  if (program == nullptr) fail("fused: got an operation on numbers alone, needs plain C++ arithmetic for it");
  const Expr* operands[] = {&a, &b, &c};
  Step made{.function = function};
  if (function == Function::pow_scalar) made.number = b.number();
  for (int k = 0; k < operand_count(function); ++k) {
    const Expr& operand = *operands[k];
    if (operand.program() != nullptr && operand.program() != program) fail("fused: got values of two functions");
    made.operands[static_cast<std::size_t>(k)] =
        operand.program() != nullptr ? operand.at() : constant(program, operand.number()).at();
  }
  return {program, program->add(made)};
}

namespace {

// ---- differentiating ----

// Adds to `program` the gradients of its result with respect to its first `inputs` inputs, weighted by the input after
// them, and makes them its results. The ops' own derivative formulas are run on Expr.
void differentiate(Program& program, int inputs) {
  const auto steps = static_cast<int>(program.steps.size());
  std::vector<Expr> adjoint(static_cast<std::size_t>(steps), Expr(0.0));
  std::vector<bool> reached(static_cast<std::size_t>(steps), false);
  const auto give = [&](int to, const Expr& gradient) {
    const auto t = static_cast<std::size_t>(to);
    adjoint[t] = reached[t] ? adjoint[t] + gradient : gradient;
    reached[t] = true;
  };
  const int result = program.results[0];
  give(result, Expr(&program, program.add({.function = Function::input, .number = static_cast<double>(inputs)})));
  for (int i = result; i >= 0; --i) {
    if (!reached[static_cast<std::size_t>(i)]) continue;
    const Step step = program.steps[static_cast<std::size_t>(i)];
    const auto value = [&](int at) { return Expr(&program, at); };
    const Expr g = adjoint[static_cast<std::size_t>(i)], y = value(i);
    const auto varies = [&](int k) {
      return program.steps[static_cast<std::size_t>(step.operands[static_cast<std::size_t>(k)])].function !=
             Function::constant;
    };
    switch (operand_count(step.function)) {
      case 1:
        visit_function(step, [&](const auto& op) {
          if constexpr (requires { op.d0(g, g, g); }) give(step.operands[0], op.d0(g, value(step.operands[0]), y));
        });
        break;
      case 2:
        if (step.function >= Function::less) break;  // steps have no slope
        visit_function(step, [&](const auto& op) {
          if constexpr (requires { op.d1(g, g, g, g); }) {
            const Expr a = value(step.operands[0]), b = value(step.operands[1]);
            if (varies(0)) give(step.operands[0], op.d0(g, a, b, y));
            if (varies(1)) give(step.operands[1], op.d1(g, a, b, y));
          }
        });
        break;
      case 3:
        if (varies(1)) give(step.operands[1], where(value(step.operands[0]), g, 0.0));
        if (varies(2)) give(step.operands[2], where(value(step.operands[0]), 0.0, g));
        break;
      default: break;
    }
  }
  program.results.clear();
  for (int k = 0; k < inputs; ++k) {
    const auto at =
        static_cast<std::size_t>(program.add({.function = Function::input, .number = static_cast<double>(k)}));
    const Expr gradient = at < reached.size() && reached[at] ? adjoint[at] : constant(&program, 0.0);
    program.results.push_back(gradient.program() != nullptr ? gradient.at()
                                                            : constant(&program, gradient.number()).at());
  }
}

// ---- running on blocks of memory ----

constexpr std::int64_t block = 256;  // elements of a register

template <class T>
void run_step(const Step& step, const T* const* in, T* out) {
  using L = Register<T>;
  const auto load = [&](int k, std::int64_t i) { return L(xsimd::load_unaligned(in[k] + i)); };
  const auto each = [&](auto f) {
    for (std::int64_t i = 0; i < block; i += lanes<T>) f(i).v.store_unaligned(out + i);
  };
  switch (step.function) {
    case Function::less: return each([&](auto i) { return where(load(0, i) < load(1, i), L(1.0), L(0.0)); });
    case Function::greater: return each([&](auto i) { return where(load(0, i) > load(1, i), L(1.0), L(0.0)); });
    case Function::equal: return each([&](auto i) { return where(equal(load(0, i), load(1, i)), L(1.0), L(0.0)); });
    case Function::where: return each([&](auto i) { return where(equal(load(0, i), L(0.0)), load(2, i), load(1, i)); });
    default: break;
  }
  visit_function(step, [&](const auto& op) {
    if constexpr (requires { op.value(L{}, L{}); })
      each([&](auto i) { return op.value(load(0, i), load(1, i)); });
    else
      each([&](auto i) { return op.value(load(0, i)); });
  });
}

// Computes the wanted results over `inputs` of n elements each.
template <class T>
void run_program(const Program& program, const std::vector<const T*>& inputs, const std::vector<T*>& outputs,
                 std::int64_t n) {
  const std::size_t steps = program.steps.size();
  const auto slots = static_cast<std::size_t>(program.registers);
  parallel_for((n + block - 1) / block, grain_for(2 * block), [&](std::int64_t begin, std::int64_t end) {
    std::vector<T, PoolAllocator<T>> registers(slots * block);
    const auto slot = [&](std::size_t s) { return registers.data() + program.slot[s] * block; };
    for (std::size_t s = 0; s < steps; ++s)
      if (program.steps[s].function == Function::constant)
        std::fill_n(slot(s), block, static_cast<T>(program.steps[s].number));
    for (std::int64_t b = begin; b < end; ++b) {
      const std::int64_t first = b * block, count = std::min(block, n - first);
      for (std::size_t s = 0; s < steps; ++s) {
        const Step& step = program.steps[s];
        if (step.function == Function::constant) continue;
        if (step.function == Function::input) {
          std::memcpy(slot(s), inputs[static_cast<std::size_t>(step.number)] + first,
                      static_cast<std::size_t>(count) * sizeof(T));
          continue;
        }
        const T* in[3] = {};
        for (int k = 0; k < operand_count(step.function); ++k)
          in[k] = slot(static_cast<std::size_t>(step.operands[static_cast<std::size_t>(k)]));
        run_step(step, in, slot(s));
      }
      for (std::size_t r = 0; r < outputs.size(); ++r)
        if (outputs[r] != nullptr)
          std::memcpy(outputs[r] + first, slot(static_cast<std::size_t>(program.results[r])),
                      static_cast<std::size_t>(count) * sizeof(T));
    }
  });
}

// Registers are used again once their value has been read for the last time.
void assign_registers(Program& program) {
  const std::size_t steps = program.steps.size();
  std::vector<std::size_t> last(steps, 0);
  constexpr auto always = static_cast<std::size_t>(-1);
  for (std::size_t s = 0; s < steps; ++s) {
    if (program.steps[s].function == Function::constant) last[s] = always;  // filled once, before the first block
    for (int k = 0; k < operand_count(program.steps[s].function); ++k) {
      std::size_t& used = last[static_cast<std::size_t>(program.steps[s].operands[static_cast<std::size_t>(k)])];
      if (used != always) used = s;
    }
  }
  for (int r : program.results) last[static_cast<std::size_t>(r)] = always;
  std::vector<std::size_t> free;
  program.slot.assign(steps, 0);
  for (std::size_t s = 0; s < steps; ++s) {
    if (free.empty() || last[s] == always) {
      program.slot[s] = static_cast<std::size_t>(program.registers++);
    } else {
      program.slot[s] = free.back();
      free.pop_back();
    }
    for (std::size_t earlier = 0; earlier <= s; ++earlier)
      if (last[earlier] == s || (last[earlier] == 0 && earlier == s)) free.push_back(program.slot[earlier]);
  }
}

// ---- running on tensors ----

// The same steps as recorded ops: for gradients of gradients.
Tensors run_on_tensors(const Program& program, const Tensors& inputs) {
  Tensors values;
  for (const Step& step : program.steps) {
    const auto in = [&](int k) -> const Tensor& {
      return values[static_cast<std::size_t>(step.operands[static_cast<std::size_t>(k)])];
    };
    switch (step.function) {
      case Function::input: values.push_back(inputs[static_cast<std::size_t>(step.number)]); break;
      case Function::constant: {
        Tensor number = make_tensor("fused", {}, inputs[0].dtype());
        number.fill_(step.number);
        values.push_back(number);
        break;
      }
      case Function::less: values.push_back(less(in(0), in(1)).to(inputs[0].dtype())); break;
      case Function::greater: values.push_back(greater(in(0), in(1)).to(inputs[0].dtype())); break;
      case Function::equal: values.push_back(equal(in(0), in(1)).to(inputs[0].dtype())); break;
      case Function::where: values.push_back(where(not_equal(in(0), 0.0), in(1), in(2))); break;
      case Function::pow_scalar: values.push_back(pow(in(0), step.number)); break;
      default:
        visit_function(step, [&](const auto& op) {
          using O = std::remove_cvref_t<decltype(op)>;
          if constexpr (requires { op.value(Register<float>{}, Register<float>{}); })
            values.push_back(apply<O>(in(0), in(1)));
          else
            values.push_back(apply<O>(in(0)));
        });
    }
  }
  Tensors results;
  for (int r : program.results) results.push_back(values[static_cast<std::size_t>(r)]);
  return results;
}

// The wanted results as new tensors of one shape, to which the inputs are broadcast.
Tensors run_on_memory(const Program& program, Tensors inputs, const Shape& shape, const std::vector<bool>& wanted) {
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
    run_program<T>(program, in, out, shape.size());
  });
  return results;
}

}  // namespace

struct FusedFunction::Programs {
  int inputs = 0;
  Program value, gradients;
};

namespace {

struct Fused : Op<Fused> {
  static constexpr const char* name = "fused";
  std::shared_ptr<const FusedFunction::Programs> programs;

  Tensor forward(Context& ctx, const Tensors& inputs, const std::shared_ptr<const FusedFunction::Programs>& given) {
    programs = given;
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
    Tensors gradients = run_on_tensors(programs->gradients, inputs);
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
  auto programs = std::make_shared<Programs>();
  programs->inputs = inputs;
  Program& value = programs->value;
  std::vector<Expr> arguments;
  for (int k = 0; k < inputs; ++k)
    arguments.emplace_back(&value, value.add({.function = Function::input, .number = static_cast<double>(k)}));
  const Expr result = write(arguments);
  value.results = {result.program() != nullptr ? result.at() : constant(&value, result.number()).at()};
  programs->gradients = value;
  differentiate(programs->gradients, inputs);
  assign_registers(programs->value);
  assign_registers(programs->gradients);
  programs_ = std::move(programs);
}

Tensor FusedFunction::operator()(const Tensors& inputs) const { return apply<Fused>(inputs, programs_); }

}  // namespace detail
}  // namespace weft
