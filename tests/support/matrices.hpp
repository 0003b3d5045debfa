#pragma once
// Linear algebra for the op table's references: on one matrix at a time, by methods that LAPACK does not use.
#include <tests/support/array.hpp>

namespace weft::test {

/// A plain matrix.
struct Matrix {
  std::int64_t rows = 0, columns = 0;
  std::vector<double> values;

  Matrix(std::int64_t m, std::int64_t n) : rows(m), columns(n), values(static_cast<std::size_t>(m * n)) {}
  double& operator()(std::int64_t i, std::int64_t j) { return values[static_cast<std::size_t>(i * columns + j)]; }
  double operator()(std::int64_t i, std::int64_t j) const { return values[static_cast<std::size_t>(i * columns + j)]; }
};
using Matrices = std::vector<Matrix>;

/// Why the last digits of a factorisation hang on the number of threads.
inline constexpr const char* shared_factors = "OpenBLAS shares large matrices out among the threads";

Matrix identity(std::int64_t n);
Matrix transposed(const Matrix& a);
Matrix operator*(const Matrix& a, const Matrix& b);

/// f of each batch's matrices (the last two axes, the others broadcast); result k has f's k-th results of `shapes[k]`,
/// of two axes, one or none.
Arrays for_matrices(const Arrays& inputs, const std::vector<Shape>& shapes,
                    const std::function<Matrices(const Matrices&)>& f);

/// By Gauss-Jordan elimination, all of the matrix searched for each pivot.
Matrix gauss_jordan(Matrix a, Matrix b);
/// By the Laplace expansion up to 4 rows, by elimination with such pivots beyond.
double determinant(Matrix a);
/// The Cholesky factor, from the elimination's L D L'.
Matrix lower_factor(Matrix a);
/// {q, r} with a positive diagonal of r, by the modified Gram-Schmidt process, each column orthogonalised twice; of a
/// wide matrix by that of its first columns.
Matrices gram_schmidt(const Matrix& a);
/// {u, s as a row, v'} with positive first elements of the columns of u, by Jacobi rotations of columns (Hestenes
/// 1958).
Matrices one_sided_jacobi(const Matrix& a);
/// {values as a row, ascending, vectors} with positive first elements, by Jacobi's rotations (1846). Of the symmetric
/// matrix whose lower triangle is a's.
Matrices jacobi(const Matrix& a);
/// The shortest least-squares solution, by one_sided_jacobi.
Matrix shortest(const Matrix& a, const Matrix& b);

}  // namespace weft::test
