// Rows of the ops that repeat, choose or write regular parts, go by masks, or look up rows.
#include <algorithm>

#include <tests/support/op_table.hpp>
#include <weft/ops/arrange.hpp>
#include <weft/ops/index.hpp>
#include <weft/ops/mask.hpp>

namespace weft::test {
namespace {

using In = const Tensors&;

void add_repeat_rows(std::vector<OpRow>& rows) {
  for (const int axis : {0, -1}) {
    add_row(rows, "repeat", axis == 0 ? "rows" : "last axis", one([=](In in) { return repeat(in[0], 3, axis); }),
            {{{{2, 3}}}, {{{2, 1, 2}}}, {{{4}}}, {{{1, 1}}}, {{{0, 2}}}, {{{2, 0}}}},
            {{{{257, 259}}}, {{{3, 22'003}}}, {{{66'001}}}}, naive([=](const Arrays& in) {
              const int along = axis < 0 ? shape_of(in[0]).rank() - 1 : axis;
              Shape shape = shape_of(in[0]);
              shape[along] *= 3;
              return indexed(shape, [&](Index i) {
                i[static_cast<std::size_t>(along)] /= 3;
                return element(in[0], i);
              });
            }))
        .sized = square_matrix();
  }
  add_row(rows, "repeat", "never", one([](In in) { return repeat(in[0], 0, 0); }), {{{{2, 3}}}, {{{1}}}, {{{0, 2}}}},
          {}, naive([](const Arrays& in) {
            Shape shape = shape_of(in[0]);
            shape[0] = 0;
            return zeros_of(shape);
          }))
      .no_large = "nothing comes out";
  const auto tiled = [&](const char* variant, const Shape& counts, std::vector<Inputs> cases,
                         std::vector<Inputs> large) -> OpRow& {
    return add_row(rows, "tile", variant, one([=](In in) { return tile(in[0], counts); }), std::move(cases),
                   std::move(large), naive([=](const Arrays& in) {
                     Shape times = counts, shape = shape_of(in[0]);
                     while (shape.rank() < times.rank()) shape.insert(0, 1);
                     while (times.rank() < shape.rank()) times.insert(0, 1);
                     const Array a = reshaped(in[0], shape);
                     const Shape once = shape;
                     for (int k = 0; k < shape.rank(); ++k) shape[k] *= times[k];
                     return indexed(shape, [&](Index i) {
                       for (std::size_t k = 0; k < i.size(); ++k) i[k] %= once[static_cast<int>(k)];
                       return element(a, i);
                     });
                   }));
  };
  tiled("both axes", {2, 3}, {{{{2, 3}}}, {{{3}}}, {{{}}}, {{{1, 1}}}, {{{0, 2}}}, {{{2, 0}}}},
        {{{{257, 259}}}, {{{66'001}}}})
      .sized = square_matrix();
  tiled("last axis", {2}, {{{{2, 3}}}, {{{3, 1, 2}}}, {{{1, 1}}}, {{{0, 2}}}}, {{{{257, 259}}}});
  tiled("four axes", {2, 1, 3, 1}, {{{{2, 3}}}, {{{2, 1, 3, 2}}}, {{{1}}}, {{{3, 0}}}}, {{{{17, 19, 13, 17}}}});
  // More axes than a tensor has, in the order of one.
  tiled("five axes", {2, 2, 2, 2, 2}, {{{{2, 1, 2}}}, {{{1, 2, 1, 1, 2}}}, {{{1}}}, {{{3, 0}}}},
        {{{{3, 22'003}}}, {{{1, 2, 1, 2, 1, 2, 1, 1}}}});
}

void add_diagonal_rows(std::vector<OpRow>& rows) {
  for (const std::int64_t k : {0, 1, -2, 400}) {
    for (const bool lower : {true, false}) {
      add_row(rows, lower ? "tril" : "triu", "", one([=](In in) { return lower ? tril(in[0], k) : triu(in[0], k); }),
              {{{{3, 4}}}, {{{5, 3}}}, {{{2, 2, 2, 3}}}, {{{1, 1}}}, {{{0, 2}}}, {{{2, 3, 0}}}},
              {{{{257, 513}}}, {{{3, 211, 113}}}}, naive([=](const Arrays& in) {
                return indexed(shape_of(in[0]), [&](const Index& i) {
                  const std::int64_t above = i.back() - i[i.size() - 2];
                  return (lower ? above <= k : above >= k) ? element(in[0], i) : 0.0;
                });
              }))
          .variant = "k " + std::to_string(k);
      if (k == 0) rows.back().sized = square_matrix();
    }
  }
  const auto diagonals = naive([](const Arrays& in) {
    Shape shape = shape_of(in[0]);
    shape.erase(shape.rank() - 1);
    shape[-1] = std::min(shape[-1], shape_of(in[0])[-1]);
    return indexed(shape, [&](Index i) {
      i.push_back(i.back());
      return element(in[0], i);
    });
  });
  add_row(rows, "diagonal", "", one([](In in) { return diagonal(in[0]); }),
          {{{{3, 4}}}, {{{2, 4, 3}}}, {{{1, 1}}}, {{{0, 2}}}, {{{2, 0, 3}}}}, {{{{257, 259}}}, {{{131, 31, 17}}}},
          diagonals)
      .sized = square_matrix();
  add_row(rows, "diag", "of a matrix", one([](In in) { return diag(in[0]); }),
          {{{{3, 4}}}, {{{4, 3}}}, {{{1, 1}}}, {{{0, 2}}}}, {{{{257, 259}}}}, diagonals);
  add_row(rows, "diag", "of a vector", one([](In in) { return diag(in[0]); }), {{{{4}}}, {{{1}}}, {{{0}}}}, {{{{301}}}},
          naive([](const Arrays& in) {
            return indexed({in[0].size(), in[0].size()},
                           [&](const Index& i) { return i[0] == i[1] ? element(in[0], {i[0]}) : 0.0; });
          }))
      .no_large = "its matrix is large";
}

void add_slice_put_rows(std::vector<OpRow>& rows) {
  struct Put {
    const char* variant;
    int axis;
    std::int64_t start, stop, step;
  };
  for (const Put& p : {Put{"rows", 0, 1, -1, 1}, Put{"columns", 1, -3, 100'000, 1},
                       Put{"every second", 1, 0, 100'000, 2}, Put{"every third row", 0, 1, 100'000, 3}}) {
    // The source fills the slice or is broadcast.
    const auto count = [=](std::int64_t size) {
      const auto cut = [=](std::int64_t at) { return std::clamp<std::int64_t>(at < 0 ? at + size : at, 0, size); };
      return std::max<std::int64_t>(0, (cut(p.stop) - cut(p.start) + p.step - 1) / p.step);
    };
    const auto put = [=](const Shape& shape) {
      Shape part = shape;
      part[p.axis] = count(shape[p.axis]);
      return Inputs{{shape}, {part}};
    };
    add_row(rows, "slice_put", p.variant,
            one([=](In in) { return slice_put(in[0], p.axis, p.start, p.stop, in[1], p.step); }),
            {put({4, 5}), put({2, 3, 2}), {{{5, 4}}, {{}}}, {{{3, 7}}, {{1, 1}}}, put({1, 1}), put({0, 2})},
            {put({263, 259}), put({5, 22'003})}, naive([=](const Arrays& in) {
              const std::int64_t size = shape_of(in[0])[p.axis],
                                 first = std::max<std::int64_t>(0, p.start < 0 ? p.start + size : p.start);
              return indexed(shape_of(in[0]), [&](Index i) {
                auto& at = i[static_cast<std::size_t>(p.axis)];
                const std::int64_t past = at - first;
                if (past < 0 || past % p.step != 0 || past / p.step >= count(size)) return element(in[0], i);
                at = past / p.step;
                return element(in[1], i);
              });
            }))
        .sized = [=](std::int64_t n) { return put(square_matrix()(std::max<std::int64_t>(n, 25))[0].shape); };
    rows.back().no_single = "the slice of one element may be empty";
  }
}

void add_mask_rows(std::vector<OpRow>& rows) {
  const auto masked = [](const Shape& shape, const Shape& mask, double chance = 0.5) {
    return Inputs{{shape}, {mask, mostly(0, 3, chance), u8}};
  };
  const std::vector<Inputs> cases = {masked({3, 4}, {3, 4}), masked({3, 4}, {4}), masked({4}, {3, 1}),
                                     masked({}, {2, 3}),     masked({2, 3}, {}),  masked({1}, {1}, 1.0),
                                     masked({0, 3}, {3}),    masked({3}, {3}, 0)},
                            large = {masked({66'001}, {66'001}), masked({257, 259}, {257, 259}, 0.01),
                                     masked({131, 513}, {131, 1}, 0.9), masked({4'096, 17}, {4'096, 17})};
  const auto sized = [=](std::int64_t n) { return masked({n}, {n}); };
  add_row(rows, "masked_fill", "", one([](In in) { return masked_fill(in[0], in[1], 5); }), cases, large,
          naive([](const Arrays& in) {
            return indexed(broadcast(in),
                           [&](const Index& i) { return element(in[1], i) != 0 ? 5.0 : element(in[0], i); });
          }))
      .sized = sized;
  add_row(rows, "masked_select", "", one([](In in) { return masked_select(in[0], in[1]); }), cases, large,
          naive([](const Arrays& in) {
            std::vector<double> chosen;
            for_each_index(broadcast(in), [&](const Index& i) {
              if (element(in[1], i) != 0) chosen.push_back(element(in[0], i));
            });
            return array_of(chosen, {chosen.size()});
          }))
      .sized = sized;
  const Domain some = mostly(0, 2, 0.3);
  add_row(rows, "nonzero", "", one([](In in) { return nonzero(in[0]); }),
          {{{{3, 4}, some}}, {{{2, 3, 2}, some}}, {{{7}, some}}, {{{}}}, {{{}, mostly(0, 0, 0)}}, {{{1}}}, {{{0, 3}}}},
          {{{{66'001}, some}}, {{{257, 259}, mostly(1, 0, 0.01)}}, {{{13, 37, 11, 17}, some}}},
          naive([](const Arrays& in) {
            const Shape shape = shape_of(in[0]);
            std::vector<double> places;
            std::int64_t count = 0;
            for_each_index(shape, [&](const Index& i) {
              if (element(in[0], i) == 0) return;
              ++count;
              for (std::size_t k = 0; k < i.size(); ++k) places.push_back(static_cast<double>(i[k]));
            });
            return array_of(places, {count, shape.rank()});
          }))
      .sized = square_matrix(some);
  rows.back().differentiable = false;
}

void add_embedding_rows(std::vector<OpRow>& rows) {
  const auto rows_of = [](const Shape& table, const Shape& index) {
    return Inputs{{table}, {index, below(static_cast<double>(std::max<std::int64_t>(table[0], 1))), i64}};
  };
  add_row(rows, "embedding", "", one([](In in) { return embedding(in[0], in[1]); }),
          {rows_of({5, 3}, {2, 4}), rows_of({4, 2}, {7}), rows_of({3, 4}, {}), rows_of({1, 1}, {1}),
           rows_of({3, 2}, {0, 2}), rows_of({0, 2}, {0}), rows_of({3, 0}, {2})},
          {rows_of({1'001, 67}, {31, 37}), rows_of({17, 3}, {22'003}), rows_of({22'003, 3}, {131})},
          naive([](const Arrays& in) {
            Shape shape = shape_of(in[1]);
            shape.append(shape_of(in[0])[1]);
            return indexed(shape, [&](Index i) {
              const std::int64_t feature = i.back();
              i.pop_back();
              return element(in[0], {static_cast<std::int64_t>(element(in[1], i)), feature});
            });
          }))
      .sized = [=](std::int64_t n) {
    return rows_of({std::max<std::int64_t>(n / 64, 1), 64}, {std::max<std::int64_t>(n / 64, 1)});
  };
}

}  // namespace

void add_arrange_rows(std::vector<OpRow>& rows) {
  add_repeat_rows(rows);
  add_diagonal_rows(rows);
  add_slice_put_rows(rows);
  add_mask_rows(rows);
  add_embedding_rows(rows);
}

}  // namespace weft::test
