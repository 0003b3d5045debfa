#include <weft/ops/detail/matrices.hpp>

#include <algorithm>

#include <weft/engine/create.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/arrange.hpp>
#include <weft/ops/compare.hpp>
#include <weft/ops/reshape.hpp>

namespace weft::detail {
void check_matrices(const char* op, const Tensor& a) {
  check_floating(op, a);
  if (a.rank() < 2) fail(op, ": got shape ", a.shape(), ", needs at least two axes");
  check_matrix_sizes(op, a.size(-2), a.size(-1));
}

void check_square(const char* op, const Tensor& a) {
  check_matrices(op, a);
  if (a.size(-1) != a.size(-2)) fail(op, ": got shape ", a.shape(), ", needs square matrices");
}

Shape batch_of(const Tensor& a) { return Shape(a.shape().begin(), static_cast<std::size_t>(a.rank() - 2)); }

Shape broadcast_batch(const char* op, const Tensor& a, const Tensor& b) {
  const Shape in_a = batch_of(a), in_b = batch_of(b);
  for (int i = 1; i <= std::min(in_a.rank(), in_b.rank()); ++i) {
    const std::int64_t da = in_a[in_a.rank() - i], db = in_b[in_b.rank() - i];
    if (da != db && da != 1 && db != 1)
      fail(op, ": got shapes ", a.shape(), " and ", b.shape(), ", needs axes before the last two to broadcast");
  }
  return broadcast_shapes(op, in_a, in_b);
}

Shape with_matrix(Shape batch, std::int64_t rows, std::int64_t columns) {
  batch.append(rows);
  batch.append(columns);
  return batch;
}

void check_none_bad(const char* op, const Tensor& a, std::int64_t index, const char* got, const char* needs) {
  if (index < 0) return;
  const Shape batch = batch_of(a);
  Axes at = batch.rank() > 0 ? Axes(std::vector<std::int64_t>(static_cast<std::size_t>(batch.rank()))) : Axes();
  for (int i = batch.rank(); i-- > 0; index /= batch[i]) at[i] = index % batch[i];
  fail(op, ": got ", got, batch.rank() > 0 ? " at " + to_text(at) + " of the batch" : std::string(), ", needs ", needs);
}

bool is_vector(const Tensor& a, const Tensor& b) {
  Shape rows = a.shape();
  rows.erase(a.rank() - 1);
  return b.rank() == 1 || b.shape() == rows;
}

Tensor lower_mask(std::int64_t rows, std::int64_t columns, std::int64_t last) {
  return tril(ones({rows, columns}, u8), last);
}

Tensor diagonal_mask(std::int64_t n) { return eye(n, u8); }

Tensor mirrored(const Tensor& a) { return where(lower_mask(a.size(-2), a.size(-1)), a, transpose(a)); }

Tensor divided(const Tensor& a, const Tensor& b) {
  return a / where(logical_and(equal(a, 0.0), equal(b, 0.0)), 1.0, b);
}

}  // namespace weft::detail
