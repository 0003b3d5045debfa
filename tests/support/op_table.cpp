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
  add_loss_rows(rows);
  add_product_rows(rows);
  add_linalg_rows(rows);
  add_decompose_rows(rows);
  return rows;
}

}  // namespace

const std::vector<OpRow>& op_table() {
  static const std::vector<OpRow> rows = make_table();
  return rows;
}

}  // namespace weft::test
