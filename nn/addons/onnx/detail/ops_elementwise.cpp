// Arithmetic and functions of one value.
#include <cmath>
#include <numbers>

#include <weft/nn/addons/onnx/detail/elementwise.hpp>
#include <weft/ops/activation.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/compare.hpp>
#include <weft/ops/unary.hpp>

namespace weft::onnx::detail {
namespace {

using Unary = Tensor (*)(const Tensor&);

struct Direct {
  const char *weft, *onnx;
  Unary f;
};
constexpr Direct direct[] = {
    {"neg", "Neg", &neg},
    {"sqrt", "Sqrt", &sqrt},
    {"reciprocal", "Reciprocal", &reciprocal},
    {"exp", "Exp", &exp},
    {"log", "Log", &log},
    {"sigmoid", "Sigmoid", &sigmoid},
    {"erf", "Erf", &erf},
    {"sin", "Sin", &sin},
    {"cos", "Cos", &cos},
    {"tan", "Tan", &tan},
    {"asin", "Asin", &asin},
    {"acos", "Acos", &acos},
    {"atan", "Atan", &atan},
    {"sinh", "Sinh", &sinh},
    {"cosh", "Cosh", &cosh},
    {"tanh", "Tanh", &tanh},
    {"asinh", "Asinh", &asinh},
    {"acosh", "Acosh", &acosh},
    {"atanh", "Atanh", &atanh},
    {"abs", "Abs", &abs},
    {"sign", "Sign", &sign},
    {"floor", "Floor", &floor},
    {"ceil", "Ceil", &ceil},
    {"round", "Round", &round},
    {"relu", "Relu", &relu},
    {"softplus", "Softplus", &softplus},
    {"softsign", "Softsign", &softsign},
    {"hardswish", "HardSwish", &hardswish},
};

struct Composed {
  const char* weft;
  std::string (*body)(Nodes& n, const std::string& x, DType dtype);
  Unary f;
};
constexpr Composed composed[] = {
    {"rsqrt", [](Nodes& n, const std::string& x, DType) { return n("Reciprocal", {n("Sqrt", {x})}); }, &rsqrt},
    {"exp2",
     [](Nodes& n, const std::string& x, DType d) {
       return n("Pow", {n.number(2, d), x});
     },
     &exp2},
    {"expm1",
     [](Nodes& n, const std::string& x, DType d) {
       return n("Sub", {n("Exp", {x}), n.number(1, d)});
     },
     &expm1},
    {"log2",
     [](Nodes& n, const std::string& x, DType d) {
       return n("Div", {n("Log", {x}), n.number(std::numbers::ln2, d)});
     },
     &log2},
    {"log10",
     [](Nodes& n, const std::string& x, DType d) {
       return n("Div", {n("Log", {x}), n.number(std::numbers::ln10, d)});
     },
     &log10},
    {"log1p",
     [](Nodes& n, const std::string& x, DType d) {
       return n("Log", {n("Add", {x, n.number(1, d)})});
     },
     &log1p},
    {"erfc",
     [](Nodes& n, const std::string& x, DType d) {
       return n("Sub", {n.number(1, d), n("Erf", {x})});
     },
     &erfc},
    {"trunc",
     [](Nodes& n, const std::string& x, DType) {
       return n("Mul", {n("Sign", {x}), n("Floor", {n("Abs", {x})})});
     },
     &trunc},
    {"silu",
     [](Nodes& n, const std::string& x, DType) {
       return n("Mul", {x, n("Sigmoid", {x})});
     },
     &silu},
    {"mish",
     [](Nodes& n, const std::string& x, DType) {
       return n("Mul", {x, n("Tanh", {n("Softplus", {x})})});
     },
     &mish},
    {"log_sigmoid", [](Nodes& n, const std::string& x, DType) { return n("Neg", {n("Softplus", {n("Neg", {x})})}); },
     &log_sigmoid},
};

std::string gelu_body(Nodes& n, const Names& in, DType d, const TracedOp& op) {
  const std::string& x = in[0];
  if (op.text("form") == "exact") {
    const std::string normal = n("Erf", {n("Div", {x, n.number(std::numbers::sqrt2, d)})});
    return n("Mul", {n("Mul", {x, n.number(0.5, d)}), n("Add", {normal, n.number(1, d)})});
  }
  const std::string cube = n("Mul", {n("Mul", {x, x}), x});
  const std::string inner = n("Add", {x, n("Mul", {cube, n.number(0.044715, d)})});
  const double scale = std::numbers::inv_sqrtpi * std::numbers::sqrt2;
  const std::string t = n("Tanh", {n("Mul", {inner, n.number(scale, d)})});
  return n("Mul", {n("Mul", {x, n.number(0.5, d)}), n("Add", {t, n.number(1, d)})});
}

// From the nearer end, as weft does it.
std::string lerp_body(Nodes& n, const Names& in, DType d, const TracedOp& op) {
  const std::string t = op.has("t") ? n.number(op.real("t"), d) : in[2];
  const std::string way = n("Sub", {in[1], in[0]});
  const std::string near_a = n("Add", {in[0], n("Mul", {t, way})});
  const std::string near_b = n("Sub", {in[1], n("Mul", {way, n("Sub", {n.number(1, d), t})})});
  return n("Where", {n("Less", {n("Abs", {t}), n.number(0.5, d)}), near_a, near_b});
}

std::string atan2_body(Nodes& n, const Names& in, DType d, const TracedOp&) {
  const std::string &y = in[0], &x = in[1], zero = n.number(0, d);
  const auto pi = [&](double part) { return n.number(part * std::numbers::pi, d); };
  const std::string up = n("GreaterOrEqual", {y, zero}), straight = n("Equal", {x, zero});
  const std::string divisor = n("Where", {straight, n.number(1, d), x});
  const std::string angle = n("Atan", {n("Div", {y, divisor})});
  const std::string left = n("Add", {angle, n("Where", {up, pi(1), pi(-1)})});
  const std::string on_axis = n("Mul", {n("Sign", {y}), pi(0.5)});
  const std::string off_axis = n("Where", {n("Less", {x, zero}), left, angle});
  return n("Where", {straight, on_axis, off_axis});
}

// A binary op, and the same with a number on one side, which is the field `right` or `left`.
void add_binary(Operators& all, const char* weft, const char* onnx, const char* right, const char* left,
                Tensor (*both)(const Tensor&, const Tensor&), Tensor (*with_right)(const Tensor&, double),
                Tensor (*with_left)(double, const Tensor&)) {
  all.write[weft] = {[=](Writer& w, const TracedOp& op) {
                       write_elementwise(w, op, [&](Names in) {
                         const DType dtype = w.dtype(op.in(0));
                         if (right != nullptr && op.has(right)) in.push_back(w.number(op.real(right), dtype));
                         if (left != nullptr && op.has(left)) in.insert(in.begin(), w.number(op.real(left), dtype));
                         return w.node(onnx, in);
                       });
                     },
                     WriteOp::any};
  all.read[onnx] = {[=](NodeReader& node) -> Run {
                      node.needs(2, 2);
                      if (const auto number = node.number(1); number && with_right != nullptr)
                        return [=](Call& call) { call.give(with_right(call.any(0), *number), 0, call.layout_of(0)); };
                      if (const auto number = node.number(0); number && with_left != nullptr)
                        return [=](Call& call) { call.give(with_left(*number, call.any(1)), 0, call.layout_of(1)); };
                      return
                          [=](Call& call) { call.elementwise([&](const Tensors& in) { return both(in[0], in[1]); }); };
                    },
                    ReadOp::any};
}

void add_clip(Operators& all) {
  const auto write = [](Writer& w, const TracedOp& op) {
    const DType dtype = w.dtype(op.in(0));
    write_elementwise(w, op, [&](const Names& in) {
      return w.node("Clip", {in[0], w.number(op.real("low"), dtype), w.number(op.real("high"), dtype)});
    });
  };
  all.write["clamp"] = all.write["hardtanh"] = {write, WriteOp::any};
  all.read["Clip"] = {[](NodeReader& node) -> Run {
                        node.needs(1, 3);
                        double bounds[] = {-HUGE_VAL, HUGE_VAL};
                        for (std::size_t i = 1; i < 3; ++i) {
                          if (!node.has(i)) continue;
                          if (node.known(i) == nullptr || node.known(i)->size() != 1)
                            node.refuse("its bounds are computed, needs constants");
                          bounds[i - 1] = node.known(i)->item();
                        }
                        return [low = bounds[0], high = bounds[1]](Call& call) {
                          call.give(clamp(call.any(0), low, high), 0, call.layout_of(0));
                        };
                      },
                      ReadOp::any};
}

// Functions with a number: ONNX's attribute `alpha` is our field.
void add_with_alpha(Operators& all, const char* weft, const char* onnx, const char* field, double usual,
                    Tensor (*f)(const Tensor&, double)) {
  all.write[weft] = {
      [=](Writer& w, const TracedOp& op) {
        write_elementwise(w, op, [&](const Names& in) { return w.node(onnx, in, {{"alpha", op.real(field)}}); });
      },
      WriteOp::any};
  all.read[onnx] = {[=](NodeReader& node) -> Run {
                      node.needs(1, 1);
                      const double alpha = node.real("alpha", usual);
                      return [=](Call& call) { call.give(f(call.any(0), alpha), 0, call.layout_of(0)); };
                    },
                    ReadOp::any};
}

void add_hardsigmoid(Operators& all) {
  constexpr double sixth = 1.0 / 6;
  all.write["hardsigmoid"] = {[=](Writer& w, const TracedOp& op) {
                                write_elementwise(w, op, [&](const Names& in) {
                                  return w.node("HardSigmoid", in, {{"alpha", sixth}, {"beta", 0.5}});
                                });
                              },
                              WriteOp::any};
  all.read["HardSigmoid"] = {[=](NodeReader& node) -> Run {
                               node.needs(1, 1);
                               const double alpha = node.real("alpha", 0.2), beta = node.real("beta", 0.5);
                               const bool ours = static_cast<float>(alpha) == static_cast<float>(sixth) && beta == 0.5;
                               return [=](Call& call) {
                                 const Tensor& x = call.any(0);
                                 call.give(ours ? hardsigmoid(x) : clamp(x * alpha + beta, 0, 1), 0, call.layout_of(0));
                               };
                             },
                             ReadOp::any};
}

void add_unary(Operators& all) {
  for (const Direct& op : direct) {
    all.write[op.weft] = {as_node(op.onnx), WriteOp::any};
    all.read[op.onnx] = {reads_elementwise(1, [f = op.f](const Tensors& in) { return f(in[0]); }), ReadOp::any};
  }
  for (const Composed& op : composed) {
    all.write[op.weft] = {as_function([body = op.body](Nodes& n, const Names& in, DType d, const TracedOp&) {
                            return body(n, in[0], d);
                          }),
                          WriteOp::any};
    all.functions[op.weft] = {reads_elementwise(1, [f = op.f](const Tensors& in) { return f(in[0]); }), ReadOp::any};
  }
  all.write["square"] = {[](Writer& w, const TracedOp& op) {
                           write_elementwise(w, op, [&](const Names& in) { return w.node("Mul", {in[0], in[0]}); });
                         },
                         WriteOp::any};
  all.write["selu"] = {as_node("Selu"), WriteOp::any};
  all.read["Selu"] = {[](NodeReader& node) -> Run {
                        node.needs(1, 1);
                        const double alpha = node.real("alpha", 1.67326319217681884765625);
                        const double gamma = node.real("gamma", 1.05070102214813232421875);
                        if (std::abs(alpha - 1.67326) > 1e-4 || std::abs(gamma - 1.0507) > 1e-4)
                          node.refuse("its alpha and gamma are not the usual ones");
                        return [](Call& call) { call.give(selu(call.any(0)), 0, call.layout_of(0)); };
                      },
                      ReadOp::any};
  add_with_alpha(all, "leaky_relu", "LeakyRelu", "slope", 0.01,
                 [](const Tensor& x, double a) { return leaky_relu(x, a); });
  add_with_alpha(all, "elu", "Elu", "alpha", 1, [](const Tensor& x, double a) { return elu(x, a); });
  add_with_alpha(all, "celu", "Celu", "alpha", 1, [](const Tensor& x, double a) { return celu(x, a); });
  add_hardsigmoid(all);
  all.write["gelu"] = {as_function(gelu_body), WriteOp::any};
  all.functions["gelu"] = {[](NodeReader& node) -> Run {
                             node.needs(1, 1);
                             const auto form = node.text("form") == "tanh" ? GeluForm::tanh : GeluForm::exact;
                             return [=](Call& call) { call.give(gelu(call.any(0), form), 0, call.layout_of(0)); };
                           },
                           ReadOp::any};
}

}  // namespace

void add_elementwise(Operators& all) {
  add_unary(all);
  add_binary(all, "add", "Add", "scalar", nullptr, &add, &add, [](double a, const Tensor& b) { return add(b, a); });
  add_binary(all, "sub", "Sub", nullptr, "scalar", &sub, &sub, &sub);
  add_binary(all, "mul", "Mul", "scalar", nullptr, &mul, &mul, [](double a, const Tensor& b) { return mul(b, a); });
  add_binary(all, "div", "Div", "scalar", "dividend", &div, &div, &div);
  add_binary(all, "pow", "Pow", "exponent", nullptr, &pow, &pow, nullptr);
  add_binary(all, "maximum", "Max", nullptr, nullptr, &maximum, nullptr, nullptr);
  add_binary(all, "minimum", "Min", nullptr, nullptr, &minimum, nullptr, nullptr);
  add_clip(all);

  all.write["squared_difference"] = {as_function([](Nodes& n, const Names& in, DType, const TracedOp&) {
                                       const std::string d = n("Sub", in);
                                       return n("Mul", {d, d});
                                     }),
                                     WriteOp::any};
  all.functions["squared_difference"] = {
      reads_elementwise(2, [](const Tensors& in) { return squared_difference(in[0], in[1]); }), ReadOp::any};
  all.write["atan2"] = {as_function(atan2_body), WriteOp::any};
  all.functions["atan2"] = {reads_elementwise(2, [](const Tensors& in) { return atan2(in[0], in[1]); }), ReadOp::any};
  all.write["lerp"] = {as_function(lerp_body), WriteOp::any};
  all.functions["lerp"] = {
      [](NodeReader& node) -> Run {
        node.needs(2, 3);
        if (node.inputs() == 3)
          return [](Call& call) { call.elementwise([](const Tensors& in) { return lerp(in[0], in[1], in[2]); }); };
        const double t = node.real("t");
        return [=](Call& call) { call.elementwise([=](const Tensors& in) { return lerp(in[0], in[1], t); }); };
      },
      ReadOp::any};
  all.write["where"] = {as_node("Where", 0b001U), WriteOp::any};
  all.read["Where"] = {reads_elementwise(3, [](const Tensors& in) { return where(in[0], in[1], in[2]); }), ReadOp::any};
  all.read["PRelu"] = {
      reads_elementwise(2, [](const Tensors& in) { return where(greater(in[0], 0.0), in[0], in[0] * in[1]); }),
      ReadOp::any};
  all.write["clone"] = {[](Writer& w, const TracedOp& op) { w.alias(op.out(), op.in(0)); }, WriteOp::any};
  for (const char* same : {"Identity", "Dropout"})
    all.read[same] = {[](NodeReader& node) -> Run {
                        node.needs(1, 3);
                        node.ignore("seed");
                        node.ignore("ratio");
                        return [](Call& call) { call.give(call.any(0), 0, call.layout_of(0)); };
                      },
                      ReadOp::any};
}

}  // namespace weft::onnx::detail
