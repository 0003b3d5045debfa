// Rows of products of vectors, and of einsum.
#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include <tests/support/matrices.hpp>
#include <tests/support/op_table.hpp>
#include <weft/ops/dot.hpp>
#include <weft/ops/einsum.hpp>

namespace weft::test {
namespace {

using In = const Tensors&;

void add_dot_rows(std::vector<OpRow>& rows) {
  rows.push_back({.name = "dot",
                  .function = one([](In in) { return dot(in[0], in[1]); }),
                  .cases = {{{{5}}, {{5}}}, {{{1}}, {{1}}}, {{{0}}, {{0}}}},
                  .large = {{{{66'001}}, {{66'001}}}, {{{8'193}}, {{8'193}}}},
                  .reference = naive([](const Arrays& in) {
                    Array y = 0.0;
                    for_each_index(shape_of(in[0]), [&](const Index& i) { y() += in[0](i[0]) * in[1](i[0]); });
                    return y;
                  }),
                  .f32_tolerance = 2e-4,
                  .sized = vectors(2),
                  .flops = [](std::int64_t n) { return 2 * static_cast<double>(n); }});
  rows.push_back(
      {.name = "outer",
       .function = one([](In in) { return outer(in[0], in[1]); }),
       .cases = {{{{3}}, {{4}}}, {{{1}}, {{1}}}, {{{0}}, {{2}}}, {{{2}}, {{0}}}},
       .large = {{{{66'001}}, {{2}}}, {{{2}}, {{66'001}}}, {{{263}}, {{257}}}},
       .reference = naive([](const Arrays& in) {
         return indexed({in[0].size(), in[1].size()}, [&](const Index& i) { return in[0](i[0]) * in[1](i[1]); });
       }),
       .sized = [](std::int64_t n) {
         const std::int64_t side = square_matrix()(n)[0].shape[0];
         return Inputs{{{side}}, {{side}}};
       }});
  rows.push_back({.name = "trace",
                  .function = one([](In in) { return trace(in[0]); }),
                  .cases = {{{{3, 3}}}, {{{2, 4}}}, {{{5, 2}}}, {{{2, 3, 3}}}, {{{1, 1}}}, {{{0, 3}}}, {{{2, 3, 0}}}},
                  .large = {{{{257, 259}}}, {{{700, 10, 10}}}},
                  .reference = naive([](const Arrays& in) {
                    return for_matrices(in, {{}}, [](const Matrices& m) {
                      Matrix sum(1, 1);
                      for (std::int64_t i = 0; i < std::min(m[0].rows, m[0].columns); ++i) sum(0, 0) += m[0](i, i);
                      return Matrices{sum};
                    })[0];
                  }),
                  .sized = square_matrix()});
}

// Letters only, all sizes of a letter the same or 1: one loop over all letters.
Array summed_over_letters(const std::string& equation, const Arrays& in) {
  std::vector<std::string> terms(1);
  const std::size_t arrow = equation.find("->");
  for (std::size_t i = 0; i < arrow; ++i) {
    if (equation[i] == ',')
      terms.emplace_back();
    else
      terms.back() += equation[i];
  }
  const std::string result = equation.substr(arrow + 2);
  std::map<char, std::int64_t> sizes;
  for (std::size_t k = 0; k < terms.size(); ++k)
    for (std::size_t i = 0; i < terms[k].size(); ++i) {
      std::int64_t& size = sizes.try_emplace(terms[k][i], 1).first->second;
      if (shape_of(in[k])[static_cast<int>(i)] != 1) size = shape_of(in[k])[static_cast<int>(i)];
    }
  std::string letters;
  Shape all, shape;
  for (const auto& [letter, size] : sizes) {
    letters += letter;
    all.append(size);
  }
  for (const char letter : result) shape.append(sizes.at(letter));
  Array out = zeros_of(shape);
  for_each_index(all, [&](const Index& index) {
    const auto at = [&](const std::string& term) {
      Index i;
      for (const char letter : term) i.push_back(index[letters.find(letter)]);
      return i;
    };
    double product = 1;
    for (std::size_t k = 0; k < terms.size(); ++k) product *= element(in[k], at(terms[k]));
    element(out, at(result)) += product;
  });
  return out;
}

void add_einsum_rows(std::vector<OpRow>& rows) {
  // `plain` says the same in letters.
  const auto row = [&](const char* equation, std::vector<Inputs> cases, std::vector<Inputs> large,
                       const char* plain = nullptr) -> OpRow& {
    const std::string letters = plain != nullptr ? plain : equation, given = equation;
    OpRow made{.name = "einsum",
               .variant = equation,
               .function = one([=](In in) { return einsum(given, in); }),
               .cases = std::move(cases),
               .large = std::move(large),
               .reference = naive([=](const Arrays& in) { return summed_over_letters(letters, in); }),
               .f32_tolerance = 2e-4};
    const auto is_single = [](const Inputs& inputs) {
      return std::all_of(inputs.begin(), inputs.end(), [](const Input& i) { return i.shape.size() == 1; });
    };
    made.non_finite = made.cases.front().size() < 3;  // some are summed before they are multiplied
    if (std::none_of(made.cases.begin(), made.cases.end(), has_empty)) made.no_empty = "one of the forms";
    if (std::none_of(made.cases.begin(), made.cases.end(), is_single)) made.no_single = "one of the forms";
    if (made.large.empty()) made.no_large = "the same products as in other forms";
    rows.push_back(made);
    return rows.back();
  };
  row("ij,jk->ik", {{{{3, 4}}, {{4, 2}}}, {{{1, 1}}, {{1, 1}}}, {{{2, 0}}, {{0, 3}}}, {{{0, 2}}, {{2, 3}}}},
      {{{{257, 230}}, {{230, 131}}}})
      .sized = [](std::int64_t n) {
    const Input side = square_matrix()(n)[0];
    return Inputs{side, side};
  };
  row("bij,bkj->bik", {{{{2, 3, 2}}, {{2, 4, 2}}}, {{{1, 1, 1}}, {{1, 1, 1}}}, {{{0, 1, 1}}, {{0, 1, 1}}}},
      {{{{24, 41, 70}}, {{24, 37, 70}}}})
      .sized = [](std::int64_t n) {
    const std::int64_t batch = std::max<std::int64_t>(1, n / 1024);
    return Inputs{{{batch, 32, 32}}, {{batch, 32, 32}}};
  };
  row("ji,jk->ik", {{{{3, 2}}, {{3, 4}}}}, {});
  row("ij,jk->ki", {{{{2, 3}}, {{3, 4}}}}, {});
  row("kij,jlk->li", {{{{2, 3, 2}}, {{2, 3, 2}}}}, {{{{11, 13, 17}}, {{17, 401, 11}}}});
  row("bshd,bthd->bhst", {{{{2, 2, 1, 2}}, {{2, 3, 1, 2}}}}, {{{{3, 40, 9, 41}}, {{3, 37, 9, 41}}}});
  row("i,i->", {{{{4}}, {{4}}}, {{{1}}, {{1}}}, {{{0}}, {{0}}}}, {{{{66'001}}, {{66'001}}}});
  row("bi,ib->b", {{{{2, 3}}, {{3, 2}}}}, {{{{263, 257}}, {{257, 263}}}});
  row("bi,bi->bi", {{{{2, 3}}, {{2, 3}}}}, {{{{263, 257}}, {{263, 257}}}}).sized = [](std::int64_t n) {
    const Input side = square_matrix()(n)[0];
    return Inputs{side, side};
  };
  row("i,j->ji", {{{{2}}, {{3}}}, {{{0}}, {{3}}}}, {{{{263}}, {{257}}}, {{{66'001}}, {{1}}}});
  row("ij->ji", {{{{2, 3}}}, {{{1, 1}}}}, {{{{263, 257}}}});
  row("ij->i", {{{{2, 3}}}, {{{2, 0}}}}, {{{{263, 257}}}});
  row("ii", {{{{3, 3}}}, {{{1, 1}}}, {{{0, 0}}}}, {{{{257, 257}}}}, "ii->");
  row("ii->i", {{{{3, 3}}}, {{{0, 0}}}}, {{{{257, 257}}}});
  row("iji->j", {{{{2, 3, 2}}}}, {{{{17, 257, 17}}}});
  row("aaa,bb->a", {{{{2, 2, 2}}, {{3, 3}}}}, {});
  row("iib,bjj->ij", {{{{2, 2, 3}}, {{3, 2, 2}}}}, {});
  row("ij,kj", {{{{2, 3}}, {{4, 3}}}}, {}, "ij,kj->ik");
  row("ba", {{{{2, 3}}}}, {}, "ba->ab");
  row("Ba , ac", {{{{2, 3}}, {{3, 2}}}}, {}, "Ba,ac->Bc");
  row("ij,j,k->", {{{{2, 3}}, {{3}}, {{2}}}}, {});
  row("ab,bc,cd,de->ae", {{{{2, 3}}, {{3, 2}}, {{2, 3}}, {{3, 2}}}}, {{{{20, 3}}, {{3, 2}}, {{2, 3}}, {{3, 22'001}}}});
  row("ab,cd,bc,ac->d", {{{{2, 2}}, {{3, 2}}, {{2, 3}}, {{2, 3}}}}, {});
  row("a,ab,abc,c,bd,d,ae,be,ce->e",
      {{{{2}}, {{2, 2}}, {{2, 2, 2}}, {{2}}, {{2, 2}}, {{2}}, {{2, 2}}, {{2, 2}}, {{2, 2}}}}, {});
  row("...ij,...jk->...ik", {{{{2, 1, 2, 2}}, {{3, 2, 2}}}, {{{2, 2}}, {{2, 2}}}},
      {{{{5, 1, 41, 203}}, {{3, 203, 41}}}}, "abij,bjk->abik")
      .cases.pop_back();
  row("i...,...", {{{{2, 3}}, {{2, 3}}}}, {}, "ib,ab->abi");
  row("...i->...", {{{{2, 3, 2}}}}, {}, "abi->ab");
  row("...i->i", {{{{2, 3, 2}}}}, {}, "abi->i");
  row("ij,ij->ij", {{{{2, 3}}, {{1, 3}}}, {{{2, 1}}, {{1, 3}}}}, {});
  row("ij,jk->k", {{{{2, 1}}, {{3, 2}}}}, {}).non_finite = false;  // summed over i, then over j
}

}  // namespace

void add_product_rows(std::vector<OpRow>& rows) {
  add_dot_rows(rows);
  add_einsum_rows(rows);
}

}  // namespace weft::test
