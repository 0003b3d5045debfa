// Attention, as functions.
#include <cmath>

#include <weft/nn/addons/onnx/detail/elementwise.hpp>
#include <weft/ops/attention.hpp>

namespace weft::onnx::detail {
namespace {

enum class Mask : std::uint8_t { none, allowed, added };

struct Attention {
  double scale;
  bool causal;
  Mask mask;
  DType dtype;
};

// 0, 1, ... up to the size of the last axis but one.
std::string positions(Nodes& n, const std::string& rows) {
  const std::string size = n("Squeeze", {n("Shape", {rows}, {{"start", -2}, {"end", -1}})});
  return n("Range", {n.constant(scalar(0, i64)), size, n.constant(scalar(1, i64))});
}

// softmax(scale q k' + mask) v. A query that may attend to no key gives 0. `swap`: k's axes, the last two exchanged.
std::string attend(Nodes& n, const std::string& q, const std::string& k, const std::string& v, const std::string& mask,
                   const std::vector<std::int64_t>& swap, const Attention& a) {
  const bool masked = a.causal || a.mask != Mask::none;
  const std::string never = masked ? n.number(-HUGE_VAL, a.dtype) : "";
  const std::string across = n("Transpose", {k}, {{"perm", swap}});
  std::string scores = n("Mul", {n("MatMul", {q, across}), n.number(a.scale, a.dtype)});
  if (a.mask == Mask::allowed) scores = n("Where", {mask, scores, never});
  if (a.mask == Mask::added) scores = n("Add", {scores, mask});
  if (a.causal) {
    const std::string row = n("Unsqueeze", {positions(n, q), n.wholes({1})});
    scores = n("Where", {n("GreaterOrEqual", {row, positions(n, k)}), scores, never});
  }
  const auto softmax = [&](const std::string& x) { return n("Softmax", {x}, {{"axis", -1}}); };
  if (a.mask == Mask::none) return n("MatMul", {softmax(scores), v});
  const std::string seen = n("Greater", {scores, never}), zero = n.number(0, a.dtype);
  const std::string most = n("ReduceMax", {scores}, {{"axes", std::vector<std::int64_t>{-1}}, {"keepdims", 1}});
  const std::string calm = n("Where", {n("Greater", {most, never}), scores, zero});
  return n("MatMul", {n("Where", {seen, softmax(calm), zero}), v});
}

Mask mask_of(Writer& w, int mask) { return mask < 0 ? Mask::none : w.dtype(mask) == u8 ? Mask::allowed : Mask::added; }
void add_mask(Writer& w, int mask, Names& in) {
  if (mask >= 0) in.push_back(w.dtype(mask) == u8 ? w.get_mask(mask) : w.get(mask));
}

}  // namespace

void add_attention(Operators& all) {
  all.write["scaled_dot_product_attention"] = {[](Writer& w, const TracedOp& op) {
    const int mask = op.in(3);
    const Attention attention{op.real("scale"), op.whole("causal") != 0, mask_of(w, mask), w.dtype(op.in(0))};
    Axes swap = order_of(w.rank(op.in(1)), Layout::last);
    std::swap(swap[-1], swap[-2]);
    const auto body = [&](Nodes& n, const Names& in) {
      return Names{attend(n, in[0], in[1], in[2], in.back(), {swap.begin(), swap.end()}, attention)};
    };
    Names in{w.get(op.in(0)), w.get(op.in(1)), w.get(op.in(2))};
    add_mask(w, mask, in);
    w.give(op.out(), w.function(op.name, in, fields_of(op), 1, body)[0]);
  }};
  all.functions["scaled_dot_product_attention"] = {[](NodeReader& node) -> Run {
    node.needs(3, 4);
    const AttentionOptions options{.causal = node.whole("causal") != 0, .scale = node.real("scale")};
    return [=](Call& call) {
      call.give(scaled_dot_product_attention(call.in(0), call.in(1), call.in(2), call.in_or_none(3), options));
    };
  }};
  all.write["self_attention"] = {[](Writer& w, const TracedOp& op) {
    const int mask = op.in(1);
    const std::int64_t heads = op.whole("heads"), features = w.shape(op.in(0))[2] / 3 / heads;
    const Attention attention{1 / std::sqrt(static_cast<double>(features)), op.whole("causal") != 0, mask_of(w, mask),
                              w.dtype(op.in(0))};
    const auto body = [=](Nodes& n, const Names& in) {
      using List = std::vector<std::int64_t>;
      const std::string apart = n("Reshape", {in[0], n.wholes({0, 0, 3, heads, features})});
      const Names parts = n.add(
          "Split", {n("Transpose", {apart}, {{"perm", List{2, 0, 3, 1, 4}}}), n.wholes({1, 1, 1})}, {{"axis", 0}}, 3);
      Names qkv;
      for (const std::string& part : parts) qkv.push_back(n("Squeeze", {part, n.wholes({0})}));
      const std::string y = attend(n, qkv[0], qkv[1], qkv[2], in.back(), {0, 1, 3, 2}, attention);
      return Names{
          n("Reshape", {n("Transpose", {y}, {{"perm", List{0, 2, 1, 3}}}), n.wholes({0, 0, heads * features})})};
    };
    Names in{w.get(op.in(0))};
    add_mask(w, mask, in);
    w.give(op.out(), w.function(op.name, in, fields_of(op), 1, body)[0]);
  }};
  all.functions["self_attention"] = {[](NodeReader& node) -> Run {
    node.needs(1, 2);
    const std::int64_t heads = node.whole("heads");
    const bool causal = node.whole("causal") != 0;
    return [=](Call& call) { call.give(self_attention(call.in(0), heads, call.in_or_none(1), causal)); };
  }};
}

}  // namespace weft::onnx::detail
