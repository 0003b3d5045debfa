#pragma once
// Adam and AdamW.
#include <weft/nn/train/optimizer.hpp>

namespace weft::nn {

/// Options of Adam and, with decoupled weight decay, of AdamW.
template <bool decoupled>
struct BasicAdamOptions {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = decoupled ? 1e-2 : 0.0;
  double l1 = 0.0;  ///< as SgdOptions has it
  /// Rows of an nn::Embedding that were not looked up stay as they are, and so do their moments, as with PyTorch's
  /// SparseAdam; else they go on by what they have in their moments, which takes a pass over all the table.
  bool sparse = false;
};

/// What Adam and AdamW are.
template <bool decoupled>
class BasicAdam : public OptimizerOf<BasicAdam<decoupled>, BasicAdamOptions<decoupled>> {
 public:
  using Options = BasicAdamOptions<decoupled>;
  using OptimizerOf<BasicAdam, Options>::OptimizerOf;

 private:
  friend OptimizerOf<BasicAdam, Options>;
  static constexpr const char* name = decoupled ? "AdamW" : "Adam";
  static constexpr double Options::*momentum_option = &Options::beta1;
  static std::vector<std::string> slots(const std::vector<Options>&) { return {"mean", "square"}; }
  static void check(const Options& options);
  static void update(Tensor& p, const Tensor& g, Tensors& slots, const Options& options, std::int64_t step);
  static bool leaves_zeros(const Options& o, std::int64_t) { return o.sparse; }
};

using AdamOptions = BasicAdamOptions<false>;
/// Adam (Kingma and Ba, arXiv 1412.6980), as in PyTorch; weight decay is added to the gradient.
using Adam = BasicAdam<false>;

using AdamWOptions = BasicAdamOptions<true>;
/// Adam whose weight decay shrinks the parameters by lr * decay instead (Loshchilov and Hutter, arXiv 1711.05101).
using AdamW = BasicAdam<true>;

}  // namespace weft::nn
