// Files that are cut or changed anywhere: an Error in one line, or a net, but no crash and no memory without end.
#include <doctest/doctest.h>

#include <array>
#include <random>

#include <tests/addons/onnx/cases.hpp>
#include <tests/support/message_of.hpp>
#include <tests/support/temp_dir.hpp>

using namespace weft;

namespace {

std::string small_net(const TempDir& dir, Tensor& x) {
  manual_seed(5);
  nn::Sequential net(nn::Conv2d(2, 2, nn::Conv2d::Options{.kernel = 3, .padding = 1}), nn::BatchNorm(2), nn::Gelu(),
                     nn::GroupNorm(1, 2), nn::Lambda([](const Tensor& t) {
                       return max_pool2d(pad(t, {{0, 0}, {1, 1}, {1, 1}, {0, 0}}));
                     }),
                     nn::Flatten(), nn::Linear(18, 3),
                     nn::Lambda([](const Tensor& t) { return softmax(slice(t, 1, 0, 2)); }));
  x = randn({1, 4, 4, 2});
  onnx::save(dir / "net.onnx", net, x);
  return file_bytes(dir / "net.onnx");
}

// Loads and runs what the bytes say; whether it could.
bool try_bytes(const TempDir& dir, const std::string& bytes, const Tensor& x) {
  put_file(dir / "bad.onnx", bytes);
  const std::string message = message_of([&] {
    const NoGrad off;
    (void)onnx::load(dir / "bad.onnx")->run({x});
  });
  CHECK(message.find('\n') == std::string::npos);
  return message.empty();
}

}  // namespace

TEST_CASE("a file that is cut") {
  const TempDir dir;
  Tensor x;
  const std::string whole = small_net(dir, x);
  CHECK(try_bytes(dir, whole, x));
  int loaded = 0;
  for (std::size_t size = 0; size < whole.size(); ++size) loaded += try_bytes(dir, whole.substr(0, size), x) ? 1 : 0;
  // What comes last, the imports and functions, may be missing where nothing asks for it.
  CHECK(loaded < 20);
  CHECK(message_of([&] { onnx::load(dir / "none.onnx"); }).starts_with("onnx::load: cannot open "));
  put_file(dir / "empty.onnx", "");
  CHECK(message_of([&] { onnx::load(dir / "empty.onnx"); }).ends_with("holds no graph"));
  put_file(dir / "text.onnx", "this is no net at all, but a text");
  CHECK(message_of([&] { onnx::load(dir / "text.onnx"); }).ends_with("is not an ONNX file, or not all of one"));
}

TEST_CASE("a file with other bytes") {
  const TempDir dir;
  Tensor x;
  const std::string whole = small_net(dir, x);
  int refused = 0;
  const std::array changes = {0x01, 0x80, 0xff, 0x10};  // in turn: each byte four times is minutes under a sanitizer
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ changes[at % changes.size()]);
    refused += try_bytes(dir, bytes, x) ? 0 : 1;
  }
  CHECK(refused > 500);
}

TEST_CASE("a file with a part of itself elsewhere") {
  const TempDir dir;
  Tensor x;
  const std::string whole = small_net(dir, x);
  std::mt19937 bits(7);
  const auto below = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(bits); };
  for (int round = 0; round < 500; ++round) {
    std::string bytes = whole;
    const std::size_t from = below(whole.size()), to = below(whole.size()), count = 1 + below(40);
    bytes.replace(to, std::min(count, bytes.size() - to), whole.substr(from, count));
    (void)try_bytes(dir, bytes, x);
  }
}
