// einsum's equations, and the order in which operands are multiplied. Values and gradients are the op table's.
#include <doctest/doctest.h>
#include <tests/support/array.hpp>
#include <tests/support/message_of.hpp>

#include <weft/engine/create.hpp>
#include <weft/engine/error.hpp>
#include <weft/engine/memory.hpp>
#include <weft/engine/observer.hpp>
#include <weft/engine/random.hpp>
#include <weft/ops/detail/einsum.hpp>
#include <weft/ops/ops.hpp>

using namespace weft;

namespace {

using Pairs = std::vector<std::pair<std::size_t, std::size_t>>;

// Of matrices with these numbers of rows, and columns of the last.
Pairs chain_order(const std::vector<std::int64_t>& sizes) {
  std::vector<detail::Labels> terms;
  std::map<int, std::int64_t> all;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    all['a' + static_cast<int>(i)] = sizes[i];
    if (i > 0) terms.push_back({'a' + static_cast<int>(i) - 1, 'a' + static_cast<int>(i)});
  }
  return detail::contraction_order(terms, {'a', 'a' + static_cast<int>(sizes.size()) - 1}, all);
}

struct Names : Observer {
  std::vector<std::string> names;
  void before(const OpCall&) override {}
  void after(const OpCall& call) override { names.emplace_back(call.op()); }
};

// How often an equation of two matrices, or batches of them, rearranges memory.
std::ptrdiff_t copies(const char* equation, const Shape& a, const Shape& b) {
  Names names;
  const Tensors operands = {ones(a), ones(b)};
  {
    const Observe scope(names);
    (void)einsum(equation, operands);
  }
  CHECK(std::count(names.names.begin(), names.names.end(), "matmul") == 1);
  return std::count(names.names.begin(), names.names.end(), "permute");
}

}  // namespace

TEST_CASE("chains of matrices are multiplied in the cheapest order") {
  CHECK(chain_order({2, 100, 3, 50}) == Pairs{{0, 1}, {0, 2}});
  CHECK(chain_order({50, 3, 100, 2}) == Pairs{{1, 2}, {0, 1}});
  // Cormen, Leiserson, Rivest and Stein, Introduction to Algorithms, 15.2: ((A1 (A2 A3)) ((A4 A5) A6)).
  const Pairs known = chain_order({30, 35, 15, 5, 10, 20, 25});
  CHECK(known == Pairs{{1, 2}, {0, 1}, {3, 4}, {3, 5}, {0, 3}});
  // More than eight: the vector at the end first.
  CHECK(chain_order({60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 1}).front() == std::pair<std::size_t, std::size_t>{8, 9});
  // The pair that takes up least compared to both its factors, of which the second is the largest.
  CHECK(chain_order({4, 4, 4, 4, 4, 2, 50, 4, 4, 4, 4}).front() == std::pair<std::size_t, std::size_t>{5, 6});
}

TEST_CASE("transposed operands are not copied") {
  for (const char* equation : {"ij,jk->ik", "ji,jk->ik", "ij,kj->ik", "ji,kj->ik", "ij,jk->ki", "ji,kj->ki"})
    CHECK_MESSAGE(copies(equation, {3, 3}, {3, 3}) == 0, equation);
  for (const char* equation : {"bij,bjk->bik", "bji,bkj->bik", "bij,bkj->bki", "abi,cab->ic"})
    CHECK_MESSAGE(copies(equation, {3, 3, 3}, {3, 3, 3}) == 0, equation);
  CHECK(copies("iab,bca->ic", {3, 3, 3}, {3, 3, 3}) == 1);
}

TEST_CASE("no large result on the way") {
  manual_seed(1);
  const Tensor a = randn({300}, f64), b = randn({300}, f64), c = randn({300}, f64), d = randn({300}, f64);
  reset_peak_bytes();
  const auto before = memory_stats().bytes;
  const Tensor y = einsum("i,j,i,j->", {a, b, c, d});
  CHECK(memory_stats().peak_bytes - before < 300 * 300);
  CHECK(y.item() == doctest::Approx(dot(a, c).item() * dot(b, d).item()));
}

TEST_CASE("mistakes in equations are named") {
  const Tensor a = ones({2, 3}), b = ones({4, 5});
  const auto message = [](const char* equation, const Tensors& operands) {
    return message_of([&] { (void)einsum(equation, operands); });
  };
  CHECK(message("ij,jk->ik", {a, b}) == "einsum: got sizes 3 and 4 for 'j' in 'ij,jk->ik', needs the same or 1");
  CHECK(message("ij,jk->ik", {a}) == "einsum: got 1 operands for 'ij,jk->ik', needs 2");
  CHECK(message("ijk->i", {a}) == "einsum: got an operand of shape {2, 3} for term 0 of 'ijk->i', needs 3 axes");
  CHECK(message("i->i", {a}).rfind("einsum: got an operand", 0) == 0);
  CHECK(message("ijk...->i", {a}).find("3 axes or more") != std::string::npos);
  CHECK(message("ii->i", {a}) == "einsum: got sizes 2 and 3 for 'i' in 'ii->i', needs the same");
  CHECK(message("ii->i", {ones({1, 3})}) == "einsum: got sizes 1 and 3 for 'i' in 'ii->i', needs the same");
  for (const char* wrong : {"i1->i", "i.j", "ij->->i", "ij->ii", "ij->k", "ij->,", "......", "ij-i", "ij>i"})
    CHECK_MESSAGE(message(wrong, {a}).rfind("einsum: got '", 0) == 0, wrong, ": ", message(wrong, {a}));
  CHECK(message("i,i", {ones({2}), ones({2}, f64)}).find("f32") != std::string::npos);
  CHECK(message("i", {ones({2}, i64)}).find("i64") != std::string::npos);
  CHECK(message("", {}).rfind("einsum: got no operands", 0) == 0);
  CHECK(message("...i,...i", {ones({2, 3}), ones({4, 3})}).find("'...'") != std::string::npos);
  CHECK(message("abcde,fghij->abcdefghij", {ones({1, 1, 1, 1, 1}), ones({1, 1, 1, 1, 1})}).find("10 axes") !=
        std::string::npos);
}

TEST_CASE("scalars and empty terms") {
  const Tensor two = scalar(2), x = tensor({1, 2, 3});
  CHECK(allclose(einsum(",i->i", {two, x}), x * 2.0));
  CHECK(einsum("", {two}).item() == 2);
  CHECK(einsum("->", {two}).item() == 2);
  CHECK(allclose(einsum("i,->i", {x, two}), x * 2.0));
  CHECK(einsum("i->", {x}).item() == 6);
}
