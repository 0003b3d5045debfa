#pragma once
// Ops of two factors that give sums of products (the matrix product, convolution), held against plain loops.
#include <tests/support/sums.hpp>

namespace weft::test {

/// y = a * b, and what a gradient g of y makes of those of a and b.
struct Products {
  Sums y, a, b;
};

using BilinearOp = std::function<Tensor(const Tensor& a, const Tensor& b)>;
using PlainProducts = std::function<Products(const Array& a, const Array& b, const Array& g)>;

/// Value and gradients, in f64 and f32, on one thread and on two, each twice with the same bits; up to order 2 also the
/// gradients of the gradients. They need no formulas of their own: the gradient of a, weighted with u, is the value
/// for u in a's place weighted with g, so its gradients are those of a product again. Empty, or what was wrong.
std::string check_bilinear(const BilinearOp& op, const PlainProducts& plain, const Array& a, const Array& b,
                           const Array& g, int order = 2);

}  // namespace weft::test
