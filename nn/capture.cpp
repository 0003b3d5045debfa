#include <weft/nn/capture.hpp>

namespace weft::nn {

Capture::Capture(Module& module, std::string_view pattern) {
  for (const auto& [path, matched] : module.matching(pattern)) {
    const auto keep = [kept = std::weak_ptr(kept_), name = path](Module&, const Tensor&, const Tensor& output) {
      const auto list = kept.lock();
      if (!list) return;
      const auto response = list->emplace_back(std::make_shared<Response>(Response{name, output.detach(), {}}));
      if (Tensor y = output; y.requires_grad())
        y.register_hook([weak = std::weak_ptr(response)](const Tensor& gradient) {
          if (const auto still = weak.lock()) still->gradient = gradient.detach();
        });
    };
    hooks_.push_back(matched->register_forward_hook("", keep));
  }
}

Capture::~Capture() {
  for (ModuleHookHandle& hook : hooks_) hook.remove();
}

std::vector<Response> Capture::responses() const {
  std::vector<Response> result;
  for (const auto& response : *kept_) result.push_back(*response);
  return result;
}

void Capture::clear() { kept_->clear(); }

}  // namespace weft::nn
