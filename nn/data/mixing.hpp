#pragma once
// Batches whose examples are mixed with one another, with targets mixed alike.
#include <weft/engine/random.hpp>
#include <weft/nn/data/loader.hpp>

namespace weft::nn {

/// Options of mixup and cutmix.
struct MixOptions {
  double alpha = 1;          ///< the share is drawn from Beta(alpha, alpha): the larger, the nearer to a half
  std::int64_t classes = 0;  ///< of the labels; not needed if y holds probabilities
};

/// mixup (Zhang et al., arXiv 1710.09412): every example x is made share x + (1 - share) x' with another x' of the
/// batch, drawn at random; the share is one number a batch. The batch's x is {n, ...}, f32 or f64, its y labels i64 {n}
/// or probabilities {n, classes} in x's dtype. What comes back has probabilities, for cross_entropy:
///
///     for (const auto& batch : loader) {
///       auto [x, y] = nn::mixup(batch, {.alpha = 0.2, .classes = 10});
///
/// Everything follows from the generator. Throws Error unless alpha > 0 and x and y are such.
Batch mixup(const Batch& batch, MixOptions options, Generator& generator = default_generator());

/// CutMix (Yun et al., arXiv 1905.04899): a rectangle of every image is replaced by the same of another; its sides are
/// sqrt(1 - share) of the image's, it is placed at random, the same for all of a batch, and what lies outside the image
/// is cut off. Targets are mixed by the area that was kept. Images {n, height, width, channels}, the rest as mixup has
/// it.
Batch cutmix(const Batch& batch, MixOptions options, Generator& generator = default_generator());

}  // namespace weft::nn
