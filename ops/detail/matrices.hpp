#pragma once
// What ops on batches of matrices (the last two axes) have in common.
#include <weft/engine/tensor.hpp>
#include <weft/ops/kernels/linalg/solve.hpp>

namespace weft::detail {

/// Which factors of a product are taken transposed, without a copy.
struct Transposes {
  bool a = false, b = false;
};
/// matmul of two operands that have at least two axes each.
Tensor multiply(const Tensor& a, const Tensor& b, const Transposes& transposes = {});

/// The sums of products along the last axis of two tensors of one shape.
Tensor dot_last(const Tensor& a, const Tensor& b);

/// Throws Error naming `op` unless a is f32 or f64 and has at least two axes, of sizes that LAPACK can hold; the second
/// one also if the matrices are not square.
void check_matrices(const char* op, const Tensor& a);
void check_square(const char* op, const Tensor& a);
/// All axes but the last two.
Shape batch_of(const Tensor& a);
/// Both operands' batches broadcast; throws Error naming `op` where they cannot be.
Shape broadcast_batch(const char* op, const Tensor& a, const Tensor& b);
/// A batch, and two axes more.
Shape with_matrix(Shape batch, std::int64_t rows, std::int64_t columns);
/// Throws Error naming `op` and which matrix of the batch it is, if `index` is not -1.
void check_none_bad(const char* op, const Tensor& a, std::int64_t index, const char* got, const char* needs);

/// A mask (u8) of a {rows, columns} matrix: 1 where the column is at most `last` further right than the row.
Tensor lower_mask(std::int64_t rows, std::int64_t columns, std::int64_t last = 0);
/// 1 on the diagonal.
Tensor diagonal_mask(std::int64_t n);
/// The symmetric matrix that has a's lower triangle.
Tensor mirrored(const Tensor& a);
/// a / b, but 0 / 0 is 0, of all orders: what a gradient of nothing is where eigenvalues agree.
Tensor divided(const Tensor& a, const Tensor& b);

/// Whether b, right of a x = b, is a vector for each matrix, {n} or {..., n} with a's batch, and not a matrix (NumPy's
/// and PyTorch's rule).
bool is_vector(const Tensor& a, const Tensor& b);
/// The X of op(A) X = B or X op(A) = B for one triangle of a; batches are broadcast.
Tensor solve_triangle(const Triangular& form, const Tensor& a, const Tensor& b);

/// A factorisation by lu_factor (constants), of which ops on the same matrix make use.
struct LuFactors {
  Tensor lu, pivots;  // {..., n, n} and {..., n}, i64
};
LuFactors lu_factors(const Tensor& a);
/// The inverse of a, whose factors they are; infinite and nan where a is singular.
Tensor inverse(const Tensor& a, const LuFactors& factors);

}  // namespace weft::detail
