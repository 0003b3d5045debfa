#pragma once
// Adagrad.
#include <weft/nn/train/optimizer.hpp>

namespace weft::nn {

struct AdagradOptions {
  double lr = 0.01;
  double lr_decay = 0.0;
  double weight_decay = 0.0;
  double initial_accumulator = 0.0;
  double eps = 1e-10;
  double l1 = 0.0;  ///< as SgdOptions has it
};

/// Adagrad (Duchi, Hazan and Singer, JMLR 12, 2011), as in PyTorch: g += decay p; sum += g^2;
/// p -= lr / (1 + (step - 1) lr_decay) g / (sqrt(sum) + eps).
class Adagrad : public OptimizerOf<Adagrad, AdagradOptions> {
 public:
  using OptimizerOf::OptimizerOf;

 private:
  friend OptimizerOf;
  static constexpr const char* name = "Adagrad";
  static std::vector<std::string> slots(const std::vector<AdagradOptions>&) { return {"sum"}; }
  static void check(const AdagradOptions& options);
  static void update(Tensor& p, const Tensor& g, Tensors& slots, const AdagradOptions& options, std::int64_t step);
  static bool leaves_zeros(const AdagradOptions& o, std::int64_t step) {
    return o.weight_decay == 0 && o.l1 == 0 && (step > 1 || o.initial_accumulator == 0);
  }
};

}  // namespace weft::nn
