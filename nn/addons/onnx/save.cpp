#include <weft/nn/addons/onnx/save.hpp>

#include <onnx/checker.h>
#include <unistd.h>

#include <cstdio>
#include <exception>

#include <weft/nn/addons/onnx/detail/writer.hpp>

namespace weft::onnx {
namespace {

constexpr std::size_t most_bytes = (std::size_t{1} << 31U) - 1;

// Beside the file, then in its place.
void put(const std::string& path, const std::string& bytes) {
  const std::string beside = path + ".new";
  std::FILE* const file = std::fopen(beside.c_str(), "wb");
  if (file == nullptr) fail("onnx::save: cannot write \"", beside, "\"");
  const bool whole = std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size() && std::fflush(file) == 0 &&
                     fsync(fileno(file)) == 0;
  if (std::fclose(file) != 0 || !whole || std::rename(beside.c_str(), path.c_str()) != 0) {
    std::remove(beside.c_str());
    fail("onnx::save: cannot write \"", path, "\"");
  }
}

}  // namespace

void save(const std::string& path, nn::Module& net, const Forward& forward, const Tensors& examples,
          const SaveOptions& options) {
  std::int64_t bytes = 0;
  for (const auto& tensors : {net.named_parameters(), net.named_buffers()})
    for (const auto& [name, t] : tensors) bytes += t.size() * static_cast<std::int64_t>(size_of(t.dtype()));
  if (static_cast<std::size_t>(bytes) > most_bytes)
    fail("onnx::save: got a net of ", bytes, " bytes, needs less than 2^31, as much as such a file can hold");
  const detail::Trace trace = detail::trace(net, forward, examples, options.symbolic_batch);
  const detail::pb::ModelProto model = detail::Writer(trace, options).model();
  if (model.ByteSizeLong() > most_bytes)
    fail("onnx::save: got a net of ", model.ByteSizeLong(),
         " bytes, needs less than 2^31, as much as such a file can hold");
  try {
    ::onnx::checker::check_model(model);
  } catch (const std::exception& e) {
    fail("onnx::save: ONNX's checker refuses what was to be written: ", detail::in_one_line(e.what()));
  }
  put(path, model.SerializeAsString());
}

void save(const std::string& path, nn::Module& net, const Tensor& example, const SaveOptions& options) {
  save(
      path, net, [&](const Tensors& in) { return Tensors{net(in[0])}; }, {example}, options);
}

}  // namespace weft::onnx
