#include <weft/nn/addons/mpi/broadcast.hpp>

#include <fmt/format.h>

#include <weft/engine/grad_mode.hpp>
#include <weft/nn/addons/mpi/detail/messages.hpp>
#include <weft/nn/addons/mpi/world.hpp>

namespace weft::mpi {
namespace {

void check_same_tensors(const std::string& what, const nn::NamedTensors& tensors) {
  std::string text;
  for (const auto& [name, t] : tensors)
    text += fmt::format("{} {} {}\n", name, weft::detail::to_text(t.dtype()), weft::detail::to_text(t.shape()));
  world().check_same(what, text);
}

}  // namespace

void broadcast_values(Tensor& t) {
  const NoGrad off;
  const auto send = [&]<class T>(T) { broadcast_bytes(std::as_writable_bytes(t.mutable_data<T>()), 0); };
  switch (t.dtype()) {
    case DType::f32: return send(float{});
    case DType::f64: return send(double{});
    case DType::i64: return send(std::int64_t{});
    case DType::u8: return send(std::uint8_t{});
  }
}

void broadcast(nn::Module& module) {
  nn::NamedTensors tensors = module.named_parameters();
  for (auto& buffer : module.named_buffers()) tensors.push_back(std::move(buffer));
  check_same_tensors("the net", tensors);
  if (world().size() == 1) return;
  for (auto& [name, t] : tensors) broadcast_values(t);
}

void broadcast(nn::Stateful& stateful) {
  nn::NamedTensors state = stateful.state();
  check_same_tensors("the state of what trains it", state);
  if (world().size() == 1) return;
  for (auto& [name, t] : state) {
    t = t.detach().clone();  // in state() are handles, too
    broadcast_values(t);
  }
  if (!world().is_first()) stateful.load_state(state);
}

}  // namespace weft::mpi
