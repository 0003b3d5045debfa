#include <tests/support/op_table.hpp>

namespace weft::test {
namespace {

std::vector<OpRow> make_table() {
  std::vector<OpRow> rows;
  add_elementwise_rows(rows);
  add_unary_rows(rows);
  add_activation_rows(rows);
  add_compare_rows(rows);
  add_reduce_rows(rows);
  add_shape_rows(rows);
  add_arrange_rows(rows);
  add_sort_rows(rows);
  add_network_rows(rows);
  add_image_rows(rows);
  add_attention_rows(rows);
  add_recurrent_rows(rows);
  add_loss_rows(rows);
  add_product_rows(rows);
  add_linalg_rows(rows);
  add_decompose_rows(rows);
  return rows;
}

}  // namespace

OpRow& add_row(std::vector<OpRow>& rows, const char* name, const char* variant,
               std::function<Tensors(const Tensors&)> function, std::vector<Inputs> cases, std::vector<Inputs> large,
               std::function<Arrays(const Arrays&)> reference) {
  rows.push_back({.name = name,
                  .variant = variant,
                  .function = std::move(function),
                  .cases = std::move(cases),
                  .large = std::move(large),
                  .reference = std::move(reference),
                  .integers = true});
  return rows.back();
}

Shape random_shape(std::mt19937_64& bits, int least) {
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(std::uniform_int_distribution<int>(least, 4)(bits)));
  for (std::int64_t& size : sizes) size = std::uniform_int_distribution<std::int64_t>(2, 5)(bits);
  return Shape(sizes);
}

int random_axis(std::mt19937_64& bits, int rank) { return std::uniform_int_distribution<int>(-rank, rank - 1)(bits); }

const std::vector<OpRow>& op_table() {
  static const std::vector<OpRow> rows = make_table();
  return rows;
}

}  // namespace weft::test
