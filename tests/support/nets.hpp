#pragma once
// What every net that maps images to classes has to do.
#include <weft/weft.hpp>

#include <doctest/doctest.h>

inline std::int64_t parameter_count(const weft::nn::Module& net) {
  std::int64_t count = 0;
  for (const weft::Tensor& p : net.parameters()) count += p.size();
  return count;
}

/// Classes come out in training and in evaluation, where an image no longer depends on the others, and every parameter
/// takes part.
inline void check_classifies(weft::nn::Module& net, const weft::Shape& images, std::int64_t classes) {
  const weft::Tensor x = weft::randn(images), y = net(x);
  CHECK(y.shape() == weft::Shape{images[0], classes});
  CHECK(weft::nn::unregistered_leaves(net, y).empty());
  weft::sum(weft::square(y)).backward();
  for (const auto& named : net.named_parameters()) {
    CAPTURE(named.first);
    const weft::Tensor gradient = named.second.grad();
    REQUIRE(gradient.defined());
    CHECK(weft::max(weft::abs(gradient)).item() > 0);
  }
  net.eval();
  const weft::NoGrad off;
  const weft::Tensor calm = net(x);
  CHECK(calm.shape() == y.shape());
  CHECK(weft::allclose(net(weft::slice(x, 0, 0, 1)), weft::slice(calm, 0, 0, 1), 1e-4, 1e-5));
}
