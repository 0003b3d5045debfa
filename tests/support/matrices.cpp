#include <tests/support/matrices.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace weft::test {
namespace {

double length(const Matrix& a, std::int64_t column) {
  double squares = 0;
  for (std::int64_t i = 0; i < a.rows; ++i) squares += a(i, column) * a(i, column);
  return std::sqrt(squares);
}

// Columns p and q of a turned by the angle with this cosine and sine.
void turn(Matrix& a, std::int64_t p, std::int64_t q, double c, double s) {
  for (std::int64_t i = 0; i < a.rows; ++i) {
    const double x = a(i, p), y = a(i, q);
    a(i, p) = c * x - s * y;
    a(i, q) = s * x + c * y;
  }
}

// The cosine and sine that make a symmetric matrix [[x, z], [z, y]] diagonal.
std::pair<double, double> diagonalising(double x, double y, double z) {
  const double ratio = (y - x) / (2 * z);
  const double tangent = (ratio >= 0 ? 1 : -1) / (std::abs(ratio) + std::hypot(1, ratio));
  const double c = 1 / std::hypot(1, tangent);
  return {c, c * tangent};
}

std::vector<std::int64_t> by_size(const std::vector<double>& values, bool ascending) {
  std::vector<std::int64_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    const double x = values[static_cast<std::size_t>(a)], y = values[static_cast<std::size_t>(b)];
    return ascending ? x < y : x > y;
  });
  return order;
}

}  // namespace

Matrix identity(std::int64_t n) {
  Matrix one(n, n);
  for (std::int64_t i = 0; i < n; ++i) one(i, i) = 1;
  return one;
}

Matrix transposed(const Matrix& a) {
  Matrix b(a.columns, a.rows);
  for (std::int64_t i = 0; i < a.rows; ++i)
    for (std::int64_t j = 0; j < a.columns; ++j) b(j, i) = a(i, j);
  return b;
}

Matrix operator*(const Matrix& a, const Matrix& b) {
  Matrix c(a.rows, b.columns);
  for (std::int64_t i = 0; i < a.rows; ++i)
    for (std::int64_t k = 0; k < a.columns; ++k)
      for (std::int64_t j = 0; j < b.columns; ++j) c(i, j) += a(i, k) * b(k, j);
  return c;
}

Arrays for_matrices(const Arrays& inputs, const std::vector<Shape>& shapes,
                    const std::function<Matrices(const Matrices&)>& f) {
  Arrays leads;
  for (const Array& in : inputs) {
    Shape lead = shape_of(in);
    lead.erase(lead.rank() - 1), lead.erase(lead.rank() - 1);
    leads.push_back(zeros_of(lead));
  }
  const Shape batch = broadcast(leads);
  std::vector<std::vector<double>> values(shapes.size());
  for_each_index(batch, [&](const Index& at) {
    Matrices given;
    for (const Array& in : inputs) {
      Matrix matrix(shape_of(in)[-2], shape_of(in)[-1]);
      Index index = at;
      index.push_back(0);
      index.push_back(0);
      for (std::int64_t i = 0; i < matrix.rows; ++i)
        for (std::int64_t j = 0; j < matrix.columns; ++j) {
          index[at.size()] = i;
          index[at.size() + 1] = j;
          matrix(i, j) = element(in, index);
        }
      given.push_back(matrix);
    }
    const Matrices results = f(given);
    for (std::size_t k = 0; k < results.size(); ++k)
      values[k].insert(values[k].end(), results[k].values.begin(), results[k].values.end());
  });
  Arrays outputs;
  for (std::size_t k = 0; k < shapes.size(); ++k) {
    Shape full = batch;
    for (const std::int64_t size : shapes[k]) full.append(size);
    outputs.push_back(array_of(values[k], full));
  }
  return outputs;
}

Matrix gauss_jordan(Matrix a, Matrix b) {
  const std::int64_t n = a.rows;
  std::vector<std::int64_t> row_of(static_cast<std::size_t>(n));
  std::vector<bool> used(static_cast<std::size_t>(n)), done(static_cast<std::size_t>(n));
  for (std::int64_t step = 0; step < n; ++step) {
    std::int64_t row = -1, column = -1;
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t j = 0; j < n; ++j)
        if (!used[static_cast<std::size_t>(i)] && !done[static_cast<std::size_t>(j)] &&
            (row < 0 || std::abs(a(i, j)) > std::abs(a(row, column))))
          row = i, column = j;
    used[static_cast<std::size_t>(row)] = done[static_cast<std::size_t>(column)] = true;
    row_of[static_cast<std::size_t>(column)] = row;
    const double pivot = a(row, column);
    for (std::int64_t i = 0; i < n; ++i) {
      if (i == row) continue;
      const double factor = a(i, column) / pivot;
      for (std::int64_t j = 0; j < n; ++j) a(i, j) -= factor * a(row, j);
      for (std::int64_t j = 0; j < b.columns; ++j) b(i, j) -= factor * b(row, j);
    }
  }
  Matrix x(n, b.columns);
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t row = row_of[static_cast<std::size_t>(i)];
    for (std::int64_t j = 0; j < b.columns; ++j) x(i, j) = b(row, j) / a(row, i);
  }
  return x;
}

double determinant(Matrix a) {
  const std::int64_t n = a.rows;
  if (n == 0) return 1;
  if (n <= 4) {
    double total = 0;
    for (std::int64_t j = 0; j < n; ++j) {
      Matrix minor(n - 1, n - 1);
      for (std::int64_t i = 1; i < n; ++i)
        for (std::int64_t k = 0; k < n; ++k)
          if (k != j) minor(i - 1, k < j ? k : k - 1) = a(i, k);
      total += (j % 2 == 0 ? 1 : -1) * a(0, j) * determinant(minor);
    }
    return total;
  }
  double product = 1;
  for (std::int64_t step = 0; step < n; ++step) {
    std::int64_t row = step, column = step;
    for (std::int64_t i = step; i < n; ++i)
      for (std::int64_t j = step; j < n; ++j)
        if (std::abs(a(i, j)) > std::abs(a(row, column))) row = i, column = j;
    if (row != step) product = -product;
    if (column != step) product = -product;
    for (std::int64_t j = 0; j < n; ++j) std::swap(a(row, j), a(step, j));
    for (std::int64_t i = 0; i < n; ++i) std::swap(a(i, column), a(i, step));
    product *= a(step, step);
    for (std::int64_t i = step + 1; i < n; ++i) {
      const double factor = a(i, step) / a(step, step);
      for (std::int64_t j = step; j < n; ++j) a(i, j) -= factor * a(step, j);
    }
  }
  return product;
}

Matrix lower_factor(Matrix a) {
  const std::int64_t n = a.rows;
  Matrix l(n, n);
  for (std::int64_t step = 0; step < n; ++step) {
    const double root = std::sqrt(a(step, step));
    for (std::int64_t i = step; i < n; ++i) l(i, step) = a(i, step) / root;
    for (std::int64_t i = step + 1; i < n; ++i)
      for (std::int64_t j = step + 1; j <= i; ++j) a(i, j) -= a(i, step) * a(j, step) / a(step, step);
  }
  return l;
}

Matrices gram_schmidt(const Matrix& a) {
  const std::int64_t m = a.rows, n = a.columns, k = std::min(m, n);
  Matrix q(m, k), r(k, n);
  for (std::int64_t j = 0; j < n; ++j) {
    Matrix column(m, 1);
    for (std::int64_t i = 0; i < m; ++i) column(i, 0) = a(i, j);
    const std::int64_t before = std::min(j, k);
    for (int repeat = 0; repeat < 2; ++repeat)
      for (std::int64_t p = 0; p < before; ++p) {
        double along = 0;
        for (std::int64_t i = 0; i < m; ++i) along += q(i, p) * column(i, 0);
        for (std::int64_t i = 0; i < m; ++i) column(i, 0) -= along * q(i, p);
        r(p, j) += along;
      }
    if (j >= k) continue;
    r(j, j) = length(column, 0);
    for (std::int64_t i = 0; i < m; ++i) q(i, j) = column(i, 0) / r(j, j);
  }
  return {q, r};
}

Matrices one_sided_jacobi(const Matrix& a) {
  if (a.rows < a.columns) {
    const Matrices turned = one_sided_jacobi(transposed(a));
    Matrix u = transposed(turned[2]), vt = transposed(turned[0]);
    for (std::int64_t j = 0; j < u.columns; ++j) {
      if (!(u(0, j) < 0)) continue;
      for (std::int64_t i = 0; i < u.rows; ++i) u(i, j) = -u(i, j);
      for (std::int64_t i = 0; i < vt.columns; ++i) vt(j, i) = -vt(j, i);
    }
    return {u, turned[1], vt};
  }
  const std::int64_t m = a.rows, n = a.columns;
  Matrix work = a, v = identity(n);
  for (bool moved = true; moved;) {
    moved = false;
    for (std::int64_t p = 0; p < n; ++p)
      for (std::int64_t q = p + 1; q < n; ++q) {
        double x = 0, y = 0, z = 0;
        for (std::int64_t i = 0; i < m; ++i)
          x += work(i, p) * work(i, p), y += work(i, q) * work(i, q), z += work(i, p) * work(i, q);
        if (std::abs(z) <= 1e-16 * std::sqrt(x * y) || std::abs(z) < 1e-300) continue;
        moved = moved || std::abs(z) > 1e-15 * std::sqrt(x * y);
        const auto [c, s] = diagonalising(x, y, z);
        turn(work, p, q, c, s);
        turn(v, p, q, c, s);
      }
  }
  std::vector<double> lengths;
  for (std::int64_t j = 0; j < n; ++j) lengths.push_back(length(work, j));
  const std::vector<std::int64_t> order = by_size(lengths, false);
  Matrix u(m, n), s(1, n), vt(n, n);
  for (std::int64_t j = 0; j < n; ++j) {
    const std::int64_t from = order[static_cast<std::size_t>(j)];
    const double sign = work(0, from) < 0 ? -1 : 1;
    s(0, j) = lengths[static_cast<std::size_t>(from)];
    for (std::int64_t i = 0; i < m; ++i) u(i, j) = s(0, j) > 0 ? sign * work(i, from) / s(0, j) : 0;
    for (std::int64_t i = 0; i < n; ++i) vt(j, i) = sign * v(i, from);
  }
  return {u, s, vt};
}

Matrices jacobi(const Matrix& a) {
  const std::int64_t n = a.rows;
  Matrix work = a, vectors = identity(n);
  double size = 0;
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j <= i; ++j) {
      work(j, i) = work(i, j);
      size = std::max(size, std::abs(work(i, j)));
    }
  for (bool moved = true; moved;) {
    moved = false;
    for (std::int64_t p = 0; p < n; ++p)
      for (std::int64_t q = p + 1; q < n; ++q) {
        if (std::abs(work(p, q)) <= 1e-17 * size) continue;
        moved = moved || std::abs(work(p, q)) > 1e-15 * size;
        const auto [c, s] = diagonalising(work(p, p), work(q, q), work(p, q));
        turn(work, p, q, c, s);
        work = transposed(work);
        turn(work, p, q, c, s);
        turn(vectors, p, q, c, s);
      }
  }
  std::vector<double> found;
  for (std::int64_t i = 0; i < n; ++i) found.push_back(work(i, i));
  const std::vector<std::int64_t> order = by_size(found, true);
  Matrix values(1, n), sorted(n, n);
  for (std::int64_t j = 0; j < n; ++j) {
    const std::int64_t from = order[static_cast<std::size_t>(j)];
    const double sign = vectors(0, from) < 0 ? -1 : 1;
    values(0, j) = found[static_cast<std::size_t>(from)];
    for (std::int64_t i = 0; i < n; ++i) sorted(i, j) = sign * vectors(i, from);
  }
  return {values, sorted};
}

Matrix shortest(const Matrix& a, const Matrix& b) {
  const Matrices parts = one_sided_jacobi(a);
  const Matrix &u = parts[0], &s = parts[1], &vt = parts[2];
  Matrix inner = transposed(u) * b;
  for (std::int64_t i = 0; i < inner.rows; ++i)
    for (std::int64_t j = 0; j < inner.columns; ++j) inner(i, j) = s(0, i) > 1e-6 * s(0, 0) ? inner(i, j) / s(0, i) : 0;
  return transposed(vt) * inner;
}

}  // namespace weft::test
