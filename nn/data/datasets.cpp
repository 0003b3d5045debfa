#include <weft/nn/data/datasets.hpp>

#include <algorithm>
#include <vector>

#include <weft/engine/detail/parallel.hpp>
#include <weft/nn/data/idx.hpp>
#include <weft/nn/files/detail/input_file.hpp>

namespace weft::nn {
namespace {

constexpr int classes = 10;

std::string plain_or_gzipped(const std::string& dir, const std::string& name) {
  const std::string plain = dir + "/" + name;
  return !detail::file_exists(plain) && detail::file_exists(plain + ".gz") ? plain + ".gz" : plain;
}

Tensor scaled(const Tensor& bytes, const Shape& shape) {
  Tensor x = detail::make_tensor("dataset", shape, f32);
  const std::uint8_t* const from = detail::data_of<std::uint8_t>(bytes);
  float* const to = detail::mutable_data_of<float>(x);
  detail::parallel_for(x.size(), detail::grain_for(1), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) to[i] = static_cast<float>(from[i]) / 255.0F;
  });
  return x;
}

Dataset idx_pair(const char* op, const std::string& dir, Split split) {
  const std::string prefix = split == Split::train ? "train" : "t10k";
  const std::string image_path = plain_or_gzipped(dir, prefix + "-images-idx3-ubyte");
  const std::string label_path = plain_or_gzipped(dir, prefix + "-labels-idx1-ubyte");
  const Tensor labels = read_idx(label_path);
  if (labels.rank() != 1 || labels.dtype() != u8)
    fail(op, ": ", label_path, " holds ", labels.dtype(), " ", labels.shape(), ", needs bytes {n}");
  const Tensor images = read_idx(image_path);
  if (images.rank() != 3 || images.dtype() != u8)
    fail(op, ": ", image_path, " holds ", images.dtype(), " ", images.shape(), ", needs bytes {n, height, width}");
  if (images.size(0) != labels.size(0))
    fail(op, ": ", image_path, " holds ", images.size(0), " images, ", label_path, " ", labels.size(0), " labels");

  Dataset data;
  data.y = detail::make_tensor(op, labels.shape(), i64);
  const auto given = labels.data<std::uint8_t>();
  const auto wanted = data.y.mutable_data<std::int64_t>();
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (given[i] >= classes) fail(op, ": ", label_path, " has label ", given[i], ", needs 0 to ", classes - 1);
    wanted[i] = given[i];
  }
  data.x = scaled(images, {images.size(0), images.size(1), images.size(2), 1});
  return data;
}

}  // namespace

Dataset mnist(const std::string& dir, Split split) { return idx_pair("mnist", dir, split); }
Dataset fashion_mnist(const std::string& dir, Split split) { return idx_pair("fashion_mnist", dir, split); }

Dataset cifar10(const std::string& dir, Split split) {
  constexpr std::int64_t side = 32, channels = 3, plane = side * side, image = plane * channels, a_file = 10000;
  std::vector<std::string> names = {"test_batch.bin"};
  if (split == Split::train) {
    names.clear();
    for (int i = 1; i <= 5; ++i) names.push_back("data_batch_" + std::to_string(i) + ".bin");
  }
  const std::string inner = dir + "/cifar-10-batches-bin";
  const std::string& base = !detail::file_exists(dir + "/" + names[0]) && detail::file_exists(inner) ? inner : dir;

  const std::int64_t n = a_file * static_cast<std::int64_t>(names.size());
  std::vector<std::uint8_t> records;
  Dataset data;
  std::int64_t example = 0;
  for (const std::string& name : names) {
    const std::string path = base + "/" + name;
    detail::InputFile file("cifar10", path);
    constexpr auto bytes = static_cast<std::size_t>(a_file * (1 + image));
    file.expect(bytes);
    records.resize(bytes);
    file.read(records.data(), bytes);
    file.expect_end();
    if (!data.x.defined()) {
      data.x = detail::make_tensor("cifar10", {n, side, side, channels}, f32);
      data.y = detail::make_tensor("cifar10", {n}, i64);
    }
    std::int64_t* const labels = detail::mutable_data_of<std::int64_t>(data.y);
    float* const pixels = detail::mutable_data_of<float>(data.x);
    for (std::int64_t i = 0; i < a_file; ++i, ++example) {
      const std::uint8_t* const record = records.data() + i * (1 + image);
      if (record[0] >= classes)
        fail("cifar10: ", path, " has label ", record[0], " at image ", i, ", needs 0 to ", classes - 1);
      labels[example] = record[0];
      // The file has one plane a colour, weft keeps a pixel's colours together.
      float* const to = pixels + example * image;
      for (std::int64_t c = 0; c < channels; ++c)
        for (std::int64_t p = 0; p < plane; ++p)
          to[p * channels + c] = static_cast<float>(record[1 + c * plane + p]) / 255.0F;
    }
  }
  return data;
}

}  // namespace weft::nn
