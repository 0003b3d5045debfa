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

const std::vector<OpRow>& op_table() {
  static const std::vector<OpRow> rows = make_table();
  return rows;
}

}  // namespace weft::test
