#include <weft/nn/data/datasets.hpp>

#include <algorithm>
#include <vector>

#include <weft/engine/detail/parallel.hpp>
#include <weft/nn/data/idx.hpp>
#include <weft/nn/files/detail/input_file.hpp>
#include <weft/ops/reshape.hpp>

namespace weft::nn {
namespace {

constexpr int class_count = 10;

std::string plain_or_gzipped(const std::string& dir, const std::string& name) {
  const std::string plain = dir + "/" + name;
  return !detail::file_exists(plain) && detail::file_exists(plain + ".gz") ? plain + ".gz" : plain;
}

Tensor checked_labels(const char* op, const std::string& path, const Tensor& bytes) {
  const auto given = bytes.data<std::uint8_t>();
  const auto bad = std::find_if(given.begin(), given.end(), [](std::uint8_t label) { return label >= class_count; });
  if (bad != given.end())
    fail(op, ": ", path, " has label ", int{*bad}, " at image ", bad - given.begin(), ", needs 0 to ", class_count - 1);
  return bytes.to(i64);
}

// 0..255 as 0..1, in one pass: the images are the large part of a program's memory.
Tensor scaled(const Tensor& bytes) {
  Tensor x = detail::make_tensor("dataset", bytes.shape(), f32);
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

  return {scaled(reshape(images, {images.size(0), images.size(1), images.size(2), 1})),
          checked_labels(op, label_path, labels)};
}

}  // namespace

Dataset mnist(const std::string& dir, Split split) { return idx_pair("mnist", dir, split); }
Dataset fashion_mnist(const std::string& dir, Split split) { return idx_pair("fashion_mnist", dir, split); }

Dataset cifar10(const std::string& dir, Split split) {
  constexpr std::int64_t side = 32, channels = 3, a_file = 10000, record = 1 + channels * side * side;
  std::vector<std::string> names = {"test_batch.bin"};
  if (split == Split::train) {
    names.clear();
    for (int i = 1; i <= 5; ++i) names.push_back("data_batch_" + std::to_string(i) + ".bin");
  }
  const std::string inner = dir + "/cifar-10-batches-bin";
  const std::string& base = !detail::file_exists(dir + "/" + names[0]) && detail::file_exists(inner) ? inner : dir;

  Tensors images, labels;
  for (const std::string& name : names) {
    const std::string path = base + "/" + name;
    detail::InputFile file("cifar10", path);
    constexpr auto bytes = static_cast<std::size_t>(a_file * record);
    file.expect(bytes);
    Tensor records = detail::make_tensor("cifar10", {a_file, record}, u8);
    file.read(detail::mutable_data_of<std::uint8_t>(records), bytes);
    file.expect_end();
    labels.push_back(checked_labels("cifar10", path, reshape(slice(records, 1, 0, 1), {a_file})));
    // The file has one plane a colour, weft keeps a pixel's colours together.
    images.push_back(permute(reshape(slice(records, 1, 1, record), {a_file, channels, side, side}), {0, 2, 3, 1}));
  }
  return {scaled(concat(images, 0)), concat(labels, 0)};
}

}  // namespace weft::nn
