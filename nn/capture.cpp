#include <weft/nn/capture.hpp>

namespace weft::nn {

Capture::Capture(Module& module, std::string_view pattern) {
  for (const auto& [path, matched] : module.matching(pattern)) {
    const auto keep = [this, name = path](Module&, const Tensor&, const Tensor& output) {
      kept_->push_back({name, output.detach(), {}});
      if (Tensor y = output; y.requires_grad())
        y.register_hook([weak = std::weak_ptr(kept_), i = kept_->size() - 1](const Tensor& gradient) {
          if (const auto kept = weak.lock()) (*kept)[i].gradient = gradient.detach();
        });
    };
    hooks_.push_back(matched->register_forward_hook("", keep));
  }
}

Capture::~Capture() {
  for (ModuleHookHandle& hook : hooks_) hook.remove();
}

}  // namespace weft::nn
