#pragma once
// Batch normalisation as a module.
#include <weft/nn/module.hpp>
#include <weft/ops/normalization.hpp>

#include <functional>

namespace weft::nn {

struct BatchNormOptions {
  double momentum = 0.1;  ///< how far the running statistics move towards a batch's
  double eps = 1e-5;
};

/// Batch normalisation of the last axis over all others (Ioffe and Szegedy, arXiv 1502.03167), for vectors, sequences
/// and images alike. In training by the batch's statistics, else by the running ones.
class BatchNorm : public Module {
 public:
  using Options = BatchNormOptions;
  explicit BatchNorm(std::int64_t channels, BatchNormOptions options = {});
  Tensor forward(const Tensor& x) override;
  /// weft::relu((*this)(x) + shortcut), or without a shortcut weft::relu((*this)(x)): the same bits in one pass
  /// (batch_norm_relu). Where forward hooks look at what the norm gives, it is made as it is written here.
  Tensor relu(const Tensor& x, const Tensor& shortcut = {});

  Param weight, bias;
  Buffer running_mean, running_var;
  BatchNormOptions options;
  /// Where it is set, a batch in training is what several processes have of it together: it is given sums over the rows
  /// that this one has and returns the sums over all, differentiable. (mpi::DataParallel sets it.)
  std::function<Tensor(const Tensor& sums)> over_processes;

 private:
  BatchNormStatistics statistics() const;
  Tensor forward_over_processes(const Tensor& x);
};

}  // namespace weft::nn

namespace weft::detail {

// Running statistics of all batch norms of a module, computed anew batch by batch.
class BatchNormUpdate {
 public:
  explicit BatchNormUpdate(nn::Module& module);
  // Modes and momenta are as before, and unless it has finished the statistics too.
  ~BatchNormUpdate();
  BatchNormUpdate(const BatchNormUpdate&) = delete;
  BatchNormUpdate& operator=(const BatchNormUpdate&) = delete;

  void add(const Tensor& x);
  void finish();

 private:
  struct Norm {
    nn::BatchNorm* layer;
    double momentum;
    bool training;
    Tensor mean, variance;
  };
  nn::Module& module_;
  std::vector<Norm> norms_;
  std::int64_t batches_ = 0;
  bool finished_ = false;
};

}  // namespace weft::detail

namespace weft::nn {

/// Gives all batch norms of a module the mean of these batches' statistics as their running ones: after weights have
/// been averaged, which make other activations than those that the statistics are of (Izmailov et al., arXiv
/// 1803.05407; PyTorch's update_bn). A batch is a Tensor, or has an x, as a DataLoader's. Only the batch norms are in
/// training mode, the rest of the module is in the mode that it has. Nothing is recorded. Throws Error, and changes
/// nothing, if there are no batches.
template <class Batches>
void update_batch_norm(Module& module, Batches&& batches) {
  detail::BatchNormUpdate update(module);
  for (const auto& batch : batches) {
    if constexpr (requires { batch.x; })
      update.add(batch.x);
    else
      update.add(batch);
  }
  update.finish();
}

}  // namespace weft::nn
