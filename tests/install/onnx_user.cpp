// A user's program of the component onnx, without ONNX's own headers.
#include <weft/nn/addons/onnx/onnx.hpp>
#include <weft/weft.hpp>

int main() {
  weft::nn::Linear net(3, 2);
  const weft::Tensor x = weft::randn({4, 3});
  weft::onnx::save("net.onnx", net, x);
  return weft::allclose((*weft::onnx::load("net.onnx"))(x), net(x)) ? 0 : 1;
}
