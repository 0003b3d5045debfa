#pragma once
// What the tape keeps of the two factors of a product (matrix product, convolution).
#include <weft/engine/op.hpp>

namespace weft::detail {

/// Each factor's gradient needs the other factor: saves only what a wanted gradient reads. A member of the op.
class Factors {
 public:
  /// In forward, before anything else is saved; a and b are the op's inputs 0 and 1.
  void save(Context& ctx, const Tensor& a, const Tensor& b) {
    has_a_ = ctx.needs(1);
    if (has_a_) ctx.save(a);
    if (ctx.needs(0)) ctx.save(b);
  }
  /// In backward: a where input 1 needs a gradient, b where input 0 does.
  Tensor a(const Context& ctx) const { return ctx.saved(0); }
  Tensor b(const Context& ctx) const { return ctx.saved(has_a_ ? 1 : 0); }

 private:
  bool has_a_ = false;
};

}  // namespace weft::detail
