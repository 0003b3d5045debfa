// Rows of attention.
#include <algorithm>
#include <cmath>

#include <tests/support/op_table.hpp>
#include <weft/ops/attention.hpp>

namespace weft::test {
namespace {

using In = const Tensors&;

// Query by query. in: q, k, v and perhaps a mask, of which `added` says whether it is added to the scores.
Array attended(const Arrays& in, bool added, const AttentionOptions& options) {
  const Array &q = in[0], &k = in[1], &v = in[2];
  const std::int64_t features = shape_of(q)[-1], keys = shape_of(k)[-2];
  const double scale = options.scale.value_or(1 / std::sqrt(static_cast<double>(features)));
  Shape shape = shape_of(q);
  for (const Array& a : in) {
    Shape lead = shape_of(a);
    while (lead.rank() < 2) lead.insert(0, 1);
    lead[-1] = lead[-2] = 1;
    shape = detail::broadcast_shapes("test", shape, lead);
  }
  shape[-1] = shape_of(v)[-1];
  Array y = zeros_of(shape);
  Shape outer = shape;
  outer[-1] = 1;
  for_each_index(outer, [&](const Index& i) {
    const std::int64_t query = i[i.size() - 2];
    const auto place = [&](std::int64_t row, std::int64_t column) {
      Index at = i;
      at[i.size() - 2] = row;
      at.back() = column;
      return at;
    };
    std::vector<double> scores;
    std::vector<std::int64_t> seen;
    for (std::int64_t key = 0; key < keys; ++key) {
      if (options.causal && key > query) continue;
      double score = 0;
      for (std::int64_t f = 0; f < features; ++f)
        score += element(q, place(query, f)) * element(k, place(key, f)) * scale;
      if (in.size() > 3) {
        const double mask = element(in[3], place(query, key));
        if (!added && mask == 0) continue;
        if (added) score += mask;
      }
      if (score == -INFINITY) continue;
      scores.push_back(score);
      seen.push_back(key);
    }
    if (seen.empty()) return;
    const double top = *std::max_element(scores.begin(), scores.end());
    double total = 0;
    for (double& s : scores) total += s = std::exp(s - top);
    for (std::int64_t c = 0; c < shape_of(v)[-1]; ++c) {
      double sum = 0;
      for (std::size_t s = 0; s < seen.size(); ++s) sum += scores[s] / total * element(v, place(seen[s], c));
      element(y, place(query, c)) = sum;
    }
  });
  return y;
}

Inputs three(const Shape& lead, std::int64_t queries, std::int64_t keys, std::int64_t features, std::int64_t values) {
  const auto matrix = [&](std::int64_t rows, std::int64_t columns) {
    Shape shape = lead;
    shape.append(rows);
    shape.append(columns);
    return Input{shape};
  };
  return {matrix(queries, features), matrix(keys, features), matrix(keys, values)};
}

Inputs with(Inputs inputs, const Input& mask) {
  inputs.push_back(mask);
  return inputs;
}

}  // namespace

void add_attention_rows(std::vector<OpRow>& rows) {
  const auto add = [&](const char* variant, const AttentionOptions& options, std::vector<Inputs> cases,
                       std::vector<Inputs> large) -> OpRow& {
    const bool masked = cases[0].size() > 3, added = masked && is_floating(cases[0][3].dtype);
    rows.push_back({.name = "scaled_dot_product_attention",
                    .variant = variant,
                    .function = one([=](In in) {
                      return scaled_dot_product_attention(in[0], in[1], in[2], masked ? in[3] : Tensor(), options);
                    }),
                    .cases = std::move(cases),
                    .large = std::move(large),
                    .reference = naive([=](const Arrays& in) { return attended(in, added, options); }),
                    .f32_tolerance = 1e-4});
    return rows.back();
  };
  // Of queries 128, of keys 512 are taken at a time.
  OpRow& usual = add("", {},
                     {three({2}, 3, 4, 3, 2),
                      three({}, 2, 3, 2, 4),
                      {{{2, 1, 3, 2}}, {{3, 2, 2}}, {{2, 1}}},
                      {{{3, 2}}, {{2, 4, 2}}, {{2, 4, 3}}},
                      three({}, 1, 1, 1, 1),
                      three({0}, 2, 3, 2, 2),
                      three({2}, 0, 3, 2, 2),
                      three({2}, 2, 0, 2, 2)},
                     {three({2}, 301, 1'103, 17, 13), three({3, 5}, 70, 130, 33, 40), three({700}, 9, 7, 5, 3)});
  const auto side = [](std::int64_t n) {  // heads of 64 features, sequences as long as there are heads times 64
    return three({8}, std::max<std::int64_t>(1, n / 2048), std::max<std::int64_t>(1, n / 2048), 64, 64);
  };
  usual.sized = side;
  usual.flops = [](std::int64_t n) {
    const auto length = static_cast<double>(std::max<std::int64_t>(1, n / 2048));
    return 4.0 * 8 * 64 * length * length;
  };
  OpRow& causal = add("causal, scale", {.causal = true, .scale = 0.7},
                      {three({2}, 4, 4, 3, 2), three({}, 2, 5, 2, 2), three({}, 5, 2, 2, 2), three({}, 1, 1, 1, 1),
                       three({2}, 0, 3, 2, 2)},
                      {three({2}, 301, 1'103, 17, 13), three({2}, 1'103, 601, 17, 13)});
  causal.sized = side;
  const Domain often = mostly(1, 0, 0.4);
  add("mask", {},
      {with(three({2}, 3, 4, 3, 2), {{3, 4}, often, u8}), with(three({2, 3}, 2, 3, 2, 2), {{2, 1, 1, 3}, often, u8}),
       with(three({2}, 3, 4, 2, 2), {{2, 3, 1}, often, u8}), with(three({}, 3, 4, 2, 2), {{4}, often, u8}),
       with(three({}, 3, 4, 2, 2), {{2, 1, 1}, often, u8}), with(three({}, 1, 1, 1, 1), {{1, 1}, often, u8}),
       with(three({0}, 2, 3, 2, 2), {{2, 3}, often, u8})},
      {with(three({2}, 301, 1'103, 17, 13), {{301, 1'103}, often, u8}),
       with(three({2, 7}, 70, 130, 33, 40), {{2, 1, 1, 130}, often, u8})});
  add("mask, causal", {.causal = true},
      {with(three({2}, 3, 4, 3, 2), {{3, 4}, often, u8}), with(three({}, 1, 1, 1, 1), {{1, 1}, often, u8}),
       with(three({0}, 2, 3, 2, 2), {{2, 3}, often, u8})},
      {with(three({2}, 301, 1'103, 17, 13), {{301, 1'103}, often, u8})});
  add("added mask", {},
      {with(three({2}, 3, 4, 3, 2), {{3, 4}}), with(three({2, 2}, 2, 3, 2, 2), {{2, 1, 1, 3}}),
       with(three({}, 1, 1, 1, 1), {{1, 1}}), with(three({0}, 2, 3, 2, 2), {{2, 3}})},
      {with(three({2}, 301, 1'103, 17, 13), {{301, 1'103}})});

  // Of two heads; the reference takes them apart.
  for (const auto& [variant, ordered, masked] :
       {std::tuple("", false, false), {"causal", true, false}, {"mask", false, true}}) {
    const AttentionOptions options{.causal = ordered};
    const auto reference = naive([=](const Arrays& in) {
      const std::int64_t batch = shape_of(in[0])[0], time = shape_of(in[0])[1], features = shape_of(in[0])[2] / 6;
      Arrays parted(3, zeros_of({batch, 2, time, features}));
      const auto column = [&](std::int64_t part, const Index& at) { return (part * 2 + at[1]) * features + at[3]; };
      for (std::int64_t part = 0; part < 3; ++part)
        for_each_index(shape_of(parted[0]), [&](const Index& at) {
          element(parted[static_cast<std::size_t>(part)], at) = element(in[0], {at[0], at[2], column(part, at)});
        });
      if (in.size() > 1) parted.push_back(in[1]);
      const Array y = attended(parted, false, options);
      Array joined = zeros_of({batch, time, 2 * features});
      for_each_index(shape_of(y), [&](const Index& at) {
        element(joined, {at[0], at[2], column(0, at)}) = element(y, at);
      });
      return joined;
    });
    const auto of = [with_mask = masked, often](std::int64_t batch, std::int64_t time, std::int64_t features) {
      Inputs in{{{batch, time, 6 * features}}};
      if (with_mask) in.push_back({{batch, 1, 1, time}, often, u8});
      return in;
    };
    rows.push_back({.name = "self_attention",
                    .variant = variant,
                    .function = one([with_mask = masked, causal_too = ordered](In in) {
                      return self_attention(in[0], 2, with_mask ? in[1] : Tensor(), causal_too);
                    }),
                    .cases = {of(2, 3, 2), of(1, 4, 1), of(0, 3, 2), of(2, 0, 2)},
                    .large = {of(3, 130, 33)},
                    .reference = reference,
                    .f32_tolerance = 1e-4,
                    .no_single = "two heads"});
  }
}

}  // namespace weft::test
