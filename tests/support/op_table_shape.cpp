// Rows of the ops that change shape and order, or choose by index.
#include <algorithm>
#include <numeric>

#include <tests/support/op_table.hpp>
#include <weft/ops/index.hpp>
#include <weft/ops/reshape.hpp>

namespace weft::test {
namespace {

using In = const Tensors&;

// Positions start, start + step, ... along an axis.
Array taken(const Array& a, int axis, std::int64_t start, std::int64_t count, std::int64_t step = 1) {
  Shape shape = shape_of(a);
  shape[axis] = count;
  return indexed(shape, [&](Index i) {
    auto& at = i[static_cast<std::size_t>(axis)];
    at = start + at * step;
    return element(a, i);
  });
}

Array joined(const Arrays& parts, int axis) {
  Shape shape = shape_of(parts[0]);
  shape[axis] = 0;
  for (const Array& part : parts) shape[axis] += shape_of(part)[axis];
  return indexed(shape, [&](Index i) {
    auto& at = i[static_cast<std::size_t>(axis)];
    for (const Array& part : parts) {
      if (at < shape_of(part)[axis]) return element(part, i);
      at -= shape_of(part)[axis];
    }
    return 0.0;
  });
}

// As many positions along an axis to a part; one part where there are none.
Arrays in_parts(const Array& a, int axis, std::int64_t each) {
  Arrays parts;
  const std::int64_t size = shape_of(a)[axis];
  std::int64_t start = 0;
  do {
    parts.push_back(taken(a, axis, start, std::min(each, size - start)));
    start += each;
  } while (start < size);
  return parts;
}

Array reordered(const Array& a, const std::vector<int>& order) { return xt::transpose(a, order); }

// A permutation drawn at random, some of its axes counted from the back.
OpRow permuted_at_random(OpRow row, std::mt19937_64& bits) {
  const Shape shape = random_shape(bits);
  std::vector<int> order(static_cast<std::size_t>(shape.rank()));
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), bits);
  std::vector<std::int64_t> axes;
  for (const int axis : order) axes.push_back(bits() % 2 == 0 ? axis : axis - shape.rank());
  row.variant = "drawn: " + detail::to_text(Axes(axes));
  row.function = one([=](In in) { return permute(in[0], Axes(axes)); });
  row.reference = naive([=](const Arrays& in) { return reordered(in[0], order); });
  row.cases = {{{shape}}};
  return row;
}

void add_order_rows(std::vector<OpRow>& rows) {
  const auto permuted = [&](const char* variant, const Axes& order, std::vector<Inputs> cases,
                            std::vector<Inputs> large) -> OpRow& {
    const std::vector<int> axes(order.begin(), order.end());
    return add_row(rows, "permute", variant, one([=](In in) { return permute(in[0], order); }), std::move(cases),
                   std::move(large), naive([=](const Arrays& in) { return reordered(in[0], axes); }));
  };
  permuted("cycle", {2, 0, 1}, {{{{2, 3, 4}}}, {{{1, 1, 1}}}, {{{3, 0, 2}}}}, {{{{5, 70, 201}}}, {{{70, 5, 201}}}});
  permuted("images to channels first", {0, 3, 1, 2}, {{{{2, 3, 3, 4}}}, {{{1, 1, 1, 1}}}, {{{0, 3, 3, 4}}}},
           {{{{3, 37, 35, 17}}}})
      .sized = [](std::int64_t n) {
    return Inputs{{{1, 16, std::max<std::int64_t>(1, n / 256), 16}}};
  };
  permuted("nothing", {0, 1}, {{{{2, 3}}}, {{{1, 1}}}, {{{0, 2}}}}, {{{{257, 259}}}});
  permuted("tiles", {1, 0}, {{{{19, 35}}}, {{{1, 1}}}, {{{0, 2}}}}, {{{{70, 201}}}, {{{259, 263}}}});
  rows.back().drawn = permuted_at_random;
  permuted("five axes", {4, 2, 0, 3, 1}, {{{{2, 3, 2, 1, 4}}}, {{{1, 1, 1, 1, 1}}}, {{{2, 0, 2, 1, 4}}}},
           {{{{7, 11, 13, 5, 17}}}});
  add_row(rows, "transpose", "", one([](In in) { return transpose(in[0]); }),
          {{{{3, 5}}}, {{{2, 2, 3}}}, {{{17, 9}}}, {{{1, 1}}}, {{{0, 2}}}},
          {{{{70, 201}}}, {{{1'031, 65}}}, {{{5, 131, 103}}}}, naive([](const Arrays& in) {
            return shape_of(in[0]).rank() == 2 ? reordered(in[0], {1, 0}) : reordered(in[0], {0, 2, 1});
          }))
      .sized = square_matrix();
  add_row(rows, "swap_axes", "", one([](In in) { return swap_axes(in[0], 0, -1); }),
          {{{{2, 3, 4}}}, {{{1, 1, 1}}}, {{{0, 2, 3}}}}, {{{{67, 9, 113}}}}, naive([](const Arrays& in) {
            return reordered(in[0], {2, 1, 0});
          }));
}

// Each index along an axis read from elsewhere.
template <class F>
Array moved(const Array& a, int axis, F from) {
  return indexed(shape_of(a), [&](Index i) {
    auto& at = i[static_cast<std::size_t>(axis)];
    at = from(at, shape_of(a)[axis]);
    return element(a, i);
  });
}

void add_moved_rows(std::vector<OpRow>& rows) {
  const auto backwards = [](std::int64_t i, std::int64_t n) { return n - 1 - i; };
  add_row(rows, "flip", "all", one([](In in) { return flip(in[0]); }), {{{{3, 4}}}, {{{1, 1}}}, {{{0, 2}}}},
          {{{{257, 259}}}}, naive([=](const Arrays& in) { return moved(moved(in[0], 0, backwards), 1, backwards); }))
      .sized = square_matrix();
  add_row(rows, "flip", "first and last", one([](In in) {
            return flip(in[0], {-1, 0});
          }),
          {{{{2, 3, 5}}}, {{{1, 1, 1}}}, {{{2, 0, 1}}}}, {{{{67, 9, 113}}}},
          naive([=](const Arrays& in) { return moved(moved(in[0], 0, backwards), 2, backwards); }));
  for (const std::int64_t shift : {0, 2, -1, 11}) {
    for (const int axis : {0, 1}) {
      const auto rolled = [=](const Arrays& in, int at) {
        return moved(in[0], at, [=](std::int64_t i, std::int64_t n) { return ((i - shift) % n + n) % n; });
      };
      add_row(rows, "roll", "", one([=](In in) { return roll(in[0], shift, axis); }),
              {{{{5, 3}}}, {{{4, 4, 2}}}, {{{1, 1}}}, {{{0, 2}}}, {{{2, 0}}}}, {{{{257, 259}}}, {{{3, 22'003}}}},
              naive([=](const Arrays& in) { return rolled(in, axis); }));
      rows.back().variant = std::to_string(shift) + " along axis " + std::to_string(axis);
      along_any_axis(
          rows, [=](In in, int at) { return roll(in[0], shift, at); }, rolled);
      if (shift == 2) rows.back().sized = square_matrix();
    }
  }
}

void add_storage_rows(std::vector<OpRow>& rows) {
  add_row(rows, "reshape", "", one([](In in) {
            return reshape(in[0], {-1, 2});
          }),
          {{{{3, 4}}}, {{{2, 1, 3}}}, {{{0, 3}}}}, {{{{258, 259}}}}, naive([](const Arrays& in) {
            return reshaped(in[0], {in[0].size() / 2, 2});
          }))
      .no_single = "two columns";
  add_row(rows, "reshape", "to scalar", one([](In in) { return reshape(in[0], {}); }), {{{{1, 1}}}, {{{}}}}, {},
          naive([](const Arrays& in) { return reshaped(in[0], {}); }))
      .no_empty = "one element";
  rows.back().no_large = "one element";
  add_row(rows, "flatten", "", one([](In in) { return flatten(in[0]); }), {{{{2, 3, 2}}}, {{{}}}, {{{0, 3}}}},
          {{{{257, 259}}}},
          naive([](const Arrays& in) { return reshaped(in[0], {static_cast<std::int64_t>(in[0].size())}); }));
  add_row(rows, "flatten", "last two", one([](In in) { return flatten(in[0], 1, -1); }),
          {{{{2, 3, 2}}}, {{{1, 1, 1}}}, {{{2, 0, 2}}}}, {{{{67, 9, 113}}}}, naive([](const Arrays& in) {
            return reshaped(in[0], {shape_of(in[0])[0], shape_of(in[0])[1] * shape_of(in[0])[2]});
          }));
  add_row(rows, "squeeze", "", one([](In in) { return squeeze(in[0], -2); }),
          {{{{3, 1, 2}}}, {{{1, 1}}}, {{{0, 1, 2}}}}, {{{{257, 1, 259}}}}, naive([](const Arrays& in) {
            Shape shape = shape_of(in[0]);
            shape.erase(shape.rank() - 2);
            return reshaped(in[0], shape);
          }));
  add_row(rows, "unsqueeze", "", one([](In in) { return unsqueeze(in[0], -1); }), {{{{3, 2}}}, {{{}}}, {{{0, 2}}}},
          {{{{257, 259}}}}, naive([](const Arrays& in) {
            Shape shape = shape_of(in[0]);
            shape.append(1);
            return reshaped(in[0], shape);
          }));
  // The second input has the shape that is wanted.
  const auto to_shape = [](const Shape& from, const Shape& to) { return Inputs{{from}, {to, below(2), u8}}; };
  const Shape wide = {2, 3, 4}, large = {23, 60, 51};
  add_row(rows, "broadcast_to", "", one([](In in) { return broadcast_to(in[0], in[1].shape()); }),
          {to_shape({3, 1}, wide), to_shape({4}, wide), to_shape({2, 1, 4}, wide), to_shape({}, wide),
           to_shape({1, 1, 1}, wide), to_shape(wide, wide), to_shape({1}, {1}), to_shape({1}, {2, 0}),
           to_shape({2, 1}, {2, 0}), to_shape({0}, {2, 0})},
          {to_shape({60, 1}, large), to_shape({51}, large), to_shape({23, 1, 51}, large), to_shape({}, large),
           to_shape({4'411, 1}, {4'411, 15}), to_shape({1}, {66'001})},
          naive([](const Arrays& in) {
            return indexed(shape_of(in[1]), [&](const Index& i) { return element(in[0], i); });
          }));
}

void add_part_rows(std::vector<OpRow>& rows) {
  for (const int axis : {0, 1}) {
    const auto part = [axis](std::int64_t size, std::int64_t other) {
      return Input{axis == 0 ? Shape{size, other} : Shape{other, size}};
    };
    add_row(rows, "concat", axis == 0 ? "rows" : "columns", one([=](In in) { return concat(in, axis); }),
            {{part(2, 3), part(1, 3), part(4, 3)}, {part(3, 2)}, {part(1, 1)}, {part(2, 2), part(0, 2)}, {part(0, 2)}},
            {{part(41, 257), part(3, 257), part(215, 257)}, {part(11, 5'003), part(1, 5'003), part(2, 5'003)}},
            naive([=](const Arrays& in) { return joined(in, axis); }))
        .sized = [](std::int64_t n) {
      const Input half = square_matrix()(n)[0];
      return Inputs{half, half};
    };
    along_any_axis(
        rows, [](In in, int at) { return concat(in, at); }, [](const Arrays& in, int at) { return joined(in, at); },
        alike(any, 3));
    const auto pairs = [](const Arrays& in, int at) { return in_parts(in[0], at, 2); };
    add_row(
        rows, "split", axis == 0 ? "rows" : "columns", [=](In in) { return split(in[0], 2, axis); },
        {{part(5, 3)}, {part(4, 2)}, {part(1, 1)}, {part(0, 2)}}, {{part(5, 13'331)}, {part(65, 1'031)}},
        [=](const Arrays& in) { return pairs(in, axis); });
    along_any_axis(
        rows, [](In in, int at) { return split(in[0], 2, at); }, pairs);
    const auto without_ends = [](const Arrays& in, int at) {
      return taken(in[0], at, 1, std::max<std::int64_t>(0, shape_of(in[0])[at] - 2));
    };
    add_row(rows, "slice", axis == 0 ? "rows" : "columns", one([=](In in) { return slice(in[0], axis, 1, -1); }),
            {{part(5, 3)}, {part(3, 1)}, {part(1, 1)}, {part(0, 2)}}, {{part(263, 261)}, {part(5, 22'003)}},
            naive([=](const Arrays& in) { return without_ends(in, axis); }))
        .sized = square_matrix();
    along_any_axis(
        rows, [](In in, int at) { return slice(in[0], at, 1, -1); }, without_ends);
  }
  add_row(rows, "concat", "images", one([](In in) { return concat(in); }),
          {{{{2, 2, 3, 4}}, {{2, 2, 3, 1}}}, {{{1, 1, 1, 1}}}, {{{0, 2, 3, 4}}, {{0, 2, 3, 1}}}},
          {{{{5, 33, 31, 12}}, {{5, 33, 31, 3}}}}, naive([](const Arrays& in) { return joined(in, 3); }));
  const auto stacked = [](const Arrays& in, int at) {
    Arrays grown = in;
    Shape shape = shape_of(in[0]);
    shape.insert(at, 1);
    for (Array& a : grown) a = reshaped(a, shape);
    return joined(grown, at);
  };
  for (const int axis : {0, -1, 1}) {
    add_row(rows, "stack",
            axis == 0   ? "in front"
            : axis == 1 ? "second"
                        : "last",
            one([=](In in) { return stack(in, axis); }), {{{{2, 3}}, {{2, 3}}}, {{{1}}}, {{{0}}, {{0}}}},
            {{{{131, 257}}, {{131, 257}}, {{131, 257}}}},
            naive([=](const Arrays& in) { return stacked(in, axis < 0 ? shape_of(in[0]).rank() : axis); }));
    // The result has one axis more: from the back they count otherwise.
    along_any_axis(
        rows, [](In in, int at) { return stack(in, at < 0 ? at - 1 : at); },
        [=](const Arrays& in, int at) { return stacked(in, at); }, alike(any, 3));
  }
  const auto thirds = [](const Arrays& in, int at) {
    return in_parts(in[0], at, std::max<std::int64_t>(1, (shape_of(in[0])[at] + 2) / 3));
  };
  add_row(
      rows, "chunk", "", [](In in) { return chunk(in[0], 3, 0); }, {{{{7, 2}}}, {{{4}}}, {{{1}}}, {{{0, 2}}}},
      {{{{22'003, 3}}}, {{{66'001}}}}, [=](const Arrays& in) { return thirds(in, 0); });
  along_any_axis(
      rows, [](In in, int at) { return chunk(in[0], 3, at); }, thirds);
  add_row(rows, "slice", "step", one([](In in) { return slice(in[0], 1, -5, 1000, 2); }),
          {{{{2, 6, 3}}}, {{{1, 1}}}, {{{0, 4}}}}, {{{{47, 7, 257}}}}, naive([](const Arrays& in) {
            const std::int64_t size = shape_of(in[0])[1], start = std::max<std::int64_t>(0, size - 5);
            return taken(in[0], 1, start, (size - start + 1) / 2, 2);
          }));
  const auto every_third = [](const Arrays& in, int at) {
    return taken(in[0], at, 1, (shape_of(in[0])[at] + 1) / 3, 3);
  };
  add_row(rows, "slice", "every third", one([](In in) { return slice(in[0], 0, 1, 1'000'000, 3); }),
          {{{{8, 2}}}, {{{3}}}, {{{2, 1}}}, {{{0, 4}}}}, {{{{1'031, 251}}}, {{{200'003}}}},
          naive([=](const Arrays& in) { return every_third(in, 0); }))
      .no_single = "the first is left out";
  along_any_axis(
      rows, [](In in, int at) { return slice(in[0], at, 1, 1'000'000, 3); }, every_third);
  const auto padded = [](const Array& a, const std::vector<std::pair<std::int64_t, std::int64_t>>& amounts,
                         double value) {
    const Shape inner = shape_of(a);
    Shape shape = inner;
    for (int k = 0; k < shape.rank(); ++k)
      shape[k] += amounts[static_cast<std::size_t>(k)].first + amounts[static_cast<std::size_t>(k)].second;
    return indexed(shape, [&](Index i) {
      for (std::size_t k = 0; k < i.size(); ++k) {
        i[k] -= amounts[k].first;
        if (i[k] < 0 || i[k] >= inner[static_cast<int>(k)]) return value;
      }
      return element(a, i);
    });
  };
  add_row(rows, "pad", "", one([](In in) {
            return pad(in[0], {{1, 2}, {0, 3}});
          }),
          {{{{2, 3}}}, {{{1, 1}}}, {{{0, 2}}}}, {{{{257, 259}}}}, naive([=](const Arrays& in) {
            return padded(in[0], {{1, 2}, {0, 3}}, 0);
          }));
  add_row(rows, "pad", "images", one([](In in) {
            return pad(in[0], {{0, 0}, {1, 1}, {2, 1}, {0, 0}}, 7);
          }),
          {{{{2, 3, 2, 2}}}, {{{1, 1, 1, 1}}}, {{{0, 1, 1, 1}}}}, {{{{5, 33, 31, 13}}}}, naive([=](const Arrays& in) {
            return padded(in[0], {{0, 0}, {1, 1}, {2, 1}, {0, 0}}, 7);
          }))
      .sized = [](std::int64_t n) {
    return Inputs{{{1, 16, std::max<std::int64_t>(1, n / 256), 16}}};
  };
}

// What index_select, gather, take_along and scatter_add give, along an axis.
Array selected(const Arrays& in, int axis) {
  Shape shape = shape_of(in[0]);
  shape[axis] = in[1].size();
  return indexed(shape, [&](Index i) {
    auto& at = i[static_cast<std::size_t>(axis)];
    at = static_cast<std::int64_t>(element(in[1], {at}));
    return element(in[0], i);
  });
}

Array gathered(const Arrays& in, int axis) {
  return indexed(shape_of(in[1]), [&](const Index& i) {
    Index from = i;
    from[static_cast<std::size_t>(axis)] = static_cast<std::int64_t>(element(in[1], i));
    return element(in[0], from);
  });
}

Array taken_along(const Arrays& in, int axis) {
  Shape shape = shape_of(in[1]);
  for (int i = 0; i < shape.rank(); ++i)
    if (i != axis) shape[i] = std::max(shape[i], shape_of(in[0])[i]);
  return indexed(shape, [&](Index i) {
    i[static_cast<std::size_t>(axis)] = static_cast<std::int64_t>(element(in[1], i));
    return element(in[0], i);
  });
}

Array scattered(const Arrays& in, int axis) {
  Array out = in[0];
  for_each_index(shape_of(in[1]), [&](const Index& i) {
    Index to = i;
    to[static_cast<std::size_t>(axis)] = static_cast<std::int64_t>(element(in[1], i));
    element(out, to) += element(in[2], i);
  });
  return out;
}

void add_index_rows(std::vector<OpRow>& rows) {
  for (const int axis : {0, 1}) {
    const auto below_size = [](const Shape& shape, int at) {
      return below(static_cast<double>(std::max<std::int64_t>(1, shape[at])));
    };
    const auto chosen_along = [=](const Shape& shape, int at, std::int64_t count) {
      return Inputs{{shape}, {{count}, below_size(shape, at), i64}};
    };
    const auto chosen = [=](const Shape& shape, std::int64_t count) { return chosen_along(shape, axis, count); };
    add_row(rows, "index_select", axis == 0 ? "rows" : "columns",
            one([=](In in) { return index_select(in[0], axis, in[1]); }),
            {chosen({4, 3}, 7), chosen({3, 2, 3}, 2), chosen({1, 1}, 1), {{{3, 2}}, {{0}, below(1), i64}}},
            {chosen({263, 257}, 301), chosen(axis == 0 ? Shape{71, 311} : Shape{3, 71, 311}, 259),
             chosen(axis == 0 ? Shape{66'001, 2} : Shape{2, 66'001}, 40'001)},
            naive([=](const Arrays& in) { return selected(in, axis); }))
        .sized = [=](std::int64_t n) {
      const Shape shape = square_matrix()(n)[0].shape;
      return chosen(shape, shape[axis]);
    };
    along_any_axis(
        rows, [](In in, int at) { return index_select(in[0], at, in[1]); }, selected,
        [=](const Shape& shape, int at) { return chosen_along(shape, at, 4); });
    const auto with_index = [=](const Shape& shape, const Shape& index) {
      return Inputs{{shape}, {index, below_size(shape, axis), i64}};
    };
    const auto matrices = [=](std::int64_t n) {
      const Shape shape = square_matrix()(n)[0].shape;
      return with_index(shape, shape);
    };
    // As many positions in the place of the axis's size.
    const auto with_any_index = [=](const Shape& shape, int at) {
      Shape index = shape;
      index[at] = 3;
      return Inputs{{shape}, {index, below_size(shape, at), i64}};
    };
    const char* const along = axis == 0 ? "along rows" : "along columns";
    add_row(rows, "gather", along, one([=](In in) { return gather(in[0], axis, in[1]); }),
            {with_index({4, 3}, {4, 3}), with_index({4, 3}, axis == 0 ? Shape{6, 2} : Shape{2, 6}),
             with_index({3, 4, 2}, {2, 3, 1}), with_index({1, 1}, {1, 1}), with_index({3, 2}, {0, 0})},
            {with_index({263, 257}, {261, 255}), with_index({11, 61, 103}, {10, 60, 101})},
            naive([=](const Arrays& in) { return gathered(in, axis); }))
        .sized = matrices;
    along_any_axis(
        rows, [](In in, int at) { return gather(in[0], at, in[1]); }, gathered, with_any_index);
    add_row(rows, "take_along", along, one([=](In in) { return take_along(in[0], axis, in[1]); }),
            {with_index({4, 3}, {4, 3}), with_index({2, 3, 4}, axis == 0 ? Shape{5, 3, 1} : Shape{2, 5, 4}),
             with_index({1, 1, 4}, {1, 1, 4}), with_index({1, 1}, {1, 1}),
             with_index({3, 2}, axis == 0 ? Shape{0, 2} : Shape{3, 0})},
            {with_index({263, 257}, axis == 0 ? Shape{259, 257} : Shape{263, 259}),
             with_index({11, 61, 103}, {11, 61, 103})},
            naive([=](const Arrays& in) { return taken_along(in, axis); }))
        .sized = matrices;
    along_any_axis(
        rows, [](In in, int at) { return take_along(in[0], at, in[1]); }, taken_along, with_any_index);
    const auto added = [=](Inputs with_positions) {
      const Shape index = with_positions[1].shape;
      with_positions.push_back({index});
      return with_positions;
    };
    add_row(
        rows, "scatter_add", along, one([=](In in) { return scatter_add(in[0], axis, in[1], in[2]); }),
        {added(with_index({4, 3}, {4, 3})), added(with_index({4, 3}, axis == 0 ? Shape{6, 2} : Shape{2, 6})),
         added(with_index({3, 4, 2}, {2, 3, 1})), added(with_index({1, 1}, {1, 1})), added(with_index({3, 2}, {0, 0}))},
        {added(with_index({263, 257}, {261, 255})), added(with_index({11, 61, 103}, {10, 60, 101}))},
        naive([=](const Arrays& in) { return scattered(in, axis); }))
        .sized = [=](std::int64_t n) { return added(matrices(n)); };
    along_any_axis(
        rows, [](In in, int at) { return scatter_add(in[0], at, in[1], in[2]); }, scattered,
        [=](const Shape& shape, int at) { return added(with_any_index(shape, at)); });
    rows.back().integers = false;
  }
  add_row(rows, "one_hot", "", one([](In in) { return one_hot(in[0], 4); }),
          {{{{3}, below(4), i64}}, {{{2, 3}, below(4), i64}}, {{{}, below(4), i64}}, {{{0}, below(4), i64}}},
          {{{{66'001}, below(4), i64}}}, naive([](const Arrays& in) {
            Shape shape = shape_of(in[0]);
            shape.append(4);
            return indexed(shape, [&](Index i) {
              const std::int64_t c = i.back();
              i.pop_back();
              return element(in[0], i) == static_cast<double>(c) ? 1.0 : 0.0;
            });
          }));
  rows.back().differentiable = false;
  rows.back().integers = false;
}

}  // namespace

void add_shape_rows(std::vector<OpRow>& rows) {
  add_order_rows(rows);
  add_storage_rows(rows);
  add_moved_rows(rows);
  add_part_rows(rows);
  add_index_rows(rows);
}

}  // namespace weft::test
