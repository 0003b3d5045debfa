#pragma once
// What layers answer, and the gradients of it.
#include <weft/nn/module.hpp>

namespace weft::nn {

/// What a module gave in one call.
struct Response {
  std::string name;  ///< dotted
  Tensor output;
  Tensor gradient;  ///< of the loss with respect to it, once backward has been there; else undefined
};

/// While it lives, what the modules that a pattern means (Module::matching) give is kept, and the gradients of it:
///   nn::Capture seen(*net, "stage2.*.bn?");
///   loss((*net)(x)).backward();
///   for (const auto& [name, output, gradient] : seen.responses()) std::cout << name << stddev(output) << "\n";
/// Figure 7 of He et al. (arXiv 1512.03385), the spread of each layer's response, is this. The tensors are constants; a
/// function under checkpoint calls its modules twice.
class Capture {
 public:
  /// Throws Error if the pattern means no module.
  Capture(Module& module, std::string_view pattern);
  ~Capture();
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  /// All calls so far, in their order; good until the next call or clear().
  const std::vector<Response>& responses() const { return *kept_; }
  /// Forgets them.
  void clear() { kept_ = std::make_shared<Kept>(); }

 private:
  using Kept = std::vector<Response>;
  std::shared_ptr<Kept> kept_ = std::make_shared<Kept>();  // hooks of tensors know whether it is still there
  std::vector<ModuleHookHandle> hooks_;
};

/// `const auto seen = nn::capture(*net, "stage2.*");`
[[nodiscard]] inline Capture capture(Module& module, std::string_view pattern) { return {module, pattern}; }

}  // namespace weft::nn
