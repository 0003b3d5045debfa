#pragma once
// A table of what is in a net.
#include <weft/nn/module.hpp>

namespace weft::nn {

/// One line for each layer that was called or has parameters of its own: name, kind, output shape, parameters and
/// multiply-adds, then the totals. Runs the net once, in evaluation mode, on zeros of this shape (batch included) in
/// the parameters' dtype. A layer called twice has two lines; its parameters count once.
std::string summary(Module& module, const Shape& shape);

}  // namespace weft::nn
