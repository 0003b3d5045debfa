// A user's first program, against the installed package: one gradient, a product that needs BLAS, and an error.
#include <weft/weft.hpp>

#include <cmath>
#include <cstdio>

int main() {
  weft::Tensor x = weft::parameter(weft::tensor({1, 2, 3, 4}, {2, 2}));
  weft::Tensor loss = weft::sum(weft::tanh(weft::matmul(x, x)));
  loss.backward();
  const double gradient = x.grad().at({0, 0});
  bool caught = false;
  try {
    weft::matmul(x, weft::ones({3, 1}));
  } catch (const weft::Error&) {
    caught = true;
  }
  std::printf("gradient %g, error caught: %s\n", gradient, caught ? "yes" : "no");
  return std::isfinite(gradient) && caught ? 0 : 1;
}
