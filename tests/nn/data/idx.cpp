// IDX and CIFAR files, good ones and every way in which they can be wrong.
#include <doctest/doctest.h>
#include <tests/support/gzip.hpp>
#include <tests/support/refused.hpp>
#include <tests/support/temp_dir.hpp>

#include <algorithm>

#include <weft/nn/data/datasets.hpp>
#include <weft/nn/data/idx.hpp>

using namespace weft;

namespace {

std::string big_endian(std::uint32_t n) {
  return {static_cast<char>(n >> 24), static_cast<char>(n >> 16), static_cast<char>(n >> 8), static_cast<char>(n)};
}

std::string idx(unsigned code, std::initializer_list<std::uint32_t> sizes, const std::string& data) {
  std::string text = {0, 0, static_cast<char>(code), static_cast<char>(sizes.size())};
  for (const std::uint32_t n : sizes) text += big_endian(n);
  return text + data;
}

std::string error_of(const std::string& path) { return refused(path, nn::read_idx); }

bool holds(const std::string& text, const char* part) {
  if (text.find(part) != std::string::npos) return true;
  MESSAGE(text);
  return false;
}

}  // namespace

TEST_CASE("an IDX file's elements arrive in all its types, plain and gzipped") {
  const TempDir dir;
  put_file(dir / "bytes", idx(8, {2, 3}, std::string("\1\2\3\4\5\xff")));
  const Tensor bytes = nn::read_idx(dir / "bytes");
  CHECK(bytes.shape() == Shape{2, 3});
  CHECK(bytes.dtype() == u8);
  CHECK(bytes.at({1, 2}) == 255);

  put_gzipped(dir / "bytes.gz", idx(8, {2, 3}, "\1\2\3\4\5\6"));
  CHECK(nn::read_idx(dir / "bytes.gz").at({1, 2}) == 6);
  put_file(dir / "padded.gz", file_bytes(dir / "bytes.gz") + std::string(512, '\0'));
  CHECK(nn::read_idx(dir / "padded.gz").at({1, 2}) == 6);

  put_file(dir / "ints", idx(12, {3}, big_endian(7) + big_endian(0xFFFFFFFE) + big_endian(1U << 30)));
  const Tensor ints = nn::read_idx(dir / "ints");
  CHECK(ints.dtype() == i64);
  CHECK(ints.at({0}) == 7);
  CHECK(ints.at({1}) == -2);
  CHECK(ints.at({2}) == 1 << 30);

  put_file(dir / "floats", idx(13, {2}, big_endian(0x3F800000) + big_endian(0xC0200000)));
  CHECK(nn::read_idx(dir / "floats").at({0}) == 1);
  CHECK(nn::read_idx(dir / "floats").at({1}) == -2.5);
  put_file(dir / "doubles", idx(14, {1}, big_endian(0x3FF80000) + big_endian(0)));
  CHECK(nn::read_idx(dir / "doubles").item() == 1.5);
  put_file(dir / "none", idx(8, {0, 5}, ""));
  CHECK(nn::read_idx(dir / "none").size() == 0);
}

TEST_CASE("a damaged IDX file is refused in one line") {
  const TempDir dir;
  CHECK(holds(error_of(dir / "missing"), "cannot read"));
  CHECK(holds(error_of(dir.path()), "not a file"));
  const auto refused = [&](const std::string& bytes, const char* why) {
    put_file(dir / "file", bytes);
    CHECK(holds(error_of(dir / "file"), why));
  };
  refused("", "cut short");
  refused(std::string("\0\0\x08", 3), "cut short");
  refused("PK\3\4 not this", "does not begin");
  refused(idx(9, {1}, "x"), "element type 9");
  refused(std::string("\0\0\x08\0", 4), "0 axes");
  refused(std::string("\0\0\x08\x63", 4), "99 axes");
  refused(idx(8, {2, 3}, "12345"), "cut short");
  refused(idx(8, {2, 3}, "1234567"), "goes on");
  refused(idx(8, {0xFFFFFFFF, 0x10000}, "x"), "cut short");     // 256 TiB: refused before memory is asked for
  refused(idx(14, {0xFFFFFFFF, 0xFFFFFFFF}, "x"), "read_idx");  // more than can be addressed; the file is named
}

TEST_CASE("a damaged gzipped file is refused in one line") {
  const TempDir dir;
  std::string noise;
  for (unsigned i = 0, x = 1; i < 5000; ++i) noise += static_cast<char>((x = x * 1103515245 + 12345) >> 16);
  put_gzipped(dir / "good.gz", idx(8, {5000}, noise));
  CHECK(nn::read_idx(dir / "good.gz").size() == 5000);
  const std::string good = file_bytes(dir / "good.gz");

  put_file(dir / "short.gz", good.substr(0, good.size() / 2));
  CHECK(holds(error_of(dir / "short.gz"), "cut short"));
  put_file(dir / "tail.gz", good.substr(0, good.size() - 4));
  CHECK(error_of(dir / "tail.gz") != "no error");
  std::string flipped = good;
  flipped[flipped.size() - 7] = static_cast<char>(flipped[flipped.size() - 7] ^ 1);  // in the checksum
  put_file(dir / "sum.gz", flipped);
  CHECK(holds(error_of(dir / "sum.gz"), "damaged"));
  put_gzipped(dir / "bomb.gz", idx(8, {0x7FFFFFFF, 0x10000}, std::string(1000, 'x')));
  CHECK(holds(error_of(dir / "bomb.gz"), "cut short"));
  put_gzipped(dir / "long.gz", idx(8, {4}, "12345"));
  CHECK(holds(error_of(dir / "long.gz"), "goes on"));
}

TEST_CASE("images and labels have to fit each other") {
  const TempDir dir;
  put_file(dir / "train-images-idx3-ubyte", idx(8, {2, 1, 2}, std::string("\0\xff\x33\x66", 4)));
  put_gzipped(dir / "train-labels-idx1-ubyte.gz", idx(8, {2}, "\3\x09"));
  const nn::Dataset data = nn::mnist(dir.path(), nn::Split::train);
  CHECK(data.x.shape() == Shape{2, 1, 2, 1});
  CHECK(data.x.dtype() == f32);
  CHECK(data.x.at({0, 0, 1, 0}) == 1);
  CHECK(data.x.at({1, 0, 0, 0}) == doctest::Approx(0.2));
  CHECK(data.y.dtype() == i64);
  CHECK(data.y.at({1}) == 9);
  CHECK_THROWS_AS(nn::fashion_mnist(dir.path(), nn::Split::test), Error);  // no such files

  put_gzipped(dir / "train-labels-idx1-ubyte.gz", idx(8, {3}, "\1\2\3"));
  CHECK_THROWS_WITH_AS(nn::mnist(dir.path(), nn::Split::train), doctest::Contains("3 labels"), Error);
  put_gzipped(dir / "train-labels-idx1-ubyte.gz", idx(8, {2}, "\1\x0a"));
  CHECK_THROWS_WITH_AS(nn::mnist(dir.path(), nn::Split::train), doctest::Contains("label 10"), Error);
  put_file(dir / "train-images-idx3-ubyte", idx(8, {2}, "ab"));
  put_gzipped(dir / "train-labels-idx1-ubyte.gz", idx(8, {2}, "\1\2"));
  CHECK_THROWS_WITH_AS(nn::mnist(dir.path(), nn::Split::train), doctest::Contains("{n, height, width}"), Error);
}

TEST_CASE("CIFAR-10's planes become pixels") {
  const TempDir dir;
  constexpr std::size_t image = 3072, record = 1 + image, count = 10000;
  std::string batch(count * record, '\0');
  for (std::size_t i = 0; i < count; ++i) batch[i * record] = static_cast<char>(i % 10);
  batch[7 * record + 1 + 0 * 1024 + 33] = '\x33';  // red, row 1, column 1
  batch[7 * record + 1 + 2 * 1024 + 33] = '\xff';  // blue
  std::filesystem::create_directory(dir / "cifar-10-batches-bin");
  put_file(dir / "cifar-10-batches-bin/test_batch.bin", batch);
  const nn::Dataset data = nn::cifar10(dir.path(), nn::Split::test);
  CHECK(data.x.shape() == Shape{10000, 32, 32, 3});
  CHECK(data.x.at({7, 1, 1, 0}) == doctest::Approx(0.2));
  CHECK(data.x.at({7, 1, 1, 1}) == 0);
  CHECK(data.x.at({7, 1, 1, 2}) == 1);
  CHECK(data.y.at({7}) == 7);

  put_file(dir / "test_batch.bin", batch.substr(0, batch.size() - 1));
  CHECK_THROWS_WITH_AS(nn::cifar10(dir.path(), nn::Split::test), doctest::Contains("cut short"), Error);
  put_file(dir / "test_batch.bin", batch + "x");
  CHECK_THROWS_WITH_AS(nn::cifar10(dir.path(), nn::Split::test), doctest::Contains("goes on"), Error);
  batch[3 * record] = 10;
  put_file(dir / "test_batch.bin", batch);
  CHECK_THROWS_WITH_AS(nn::cifar10(dir.path(), nn::Split::test), doctest::Contains("label 10 at image 3"), Error);
  CHECK_THROWS_WITH_AS(nn::cifar10(dir.path(), nn::Split::train), doctest::Contains("data_batch_1.bin"), Error);
}

TEST_CASE("CIFAR-100's two labels, of files of its size") {
  const TempDir dir;
  constexpr std::size_t record = 2 + 3072;
  const auto coarse = [](std::size_t i) { return i % 20; };
  const auto fine = [](std::size_t i) { return i * 7 % 100; };
  std::string batch(10000 * record, '\0');
  for (std::size_t i = 0; i < 10000; ++i) {
    batch[i * record] = static_cast<char>(coarse(i));
    batch[i * record + 1] = static_cast<char>(fine(i));
    for (std::size_t p = 0; p < 3072; ++p) batch[i * record + 2 + p] = static_cast<char>((i + p) % 256);
  }
  std::filesystem::create_directory(dir / "cifar-100-binary");
  put_file(dir / "cifar-100-binary/test.bin", batch);
  const nn::Dataset data = nn::cifar100(dir.path(), nn::Split::test);
  const nn::Dataset groups = nn::cifar100(dir.path(), nn::Split::test, nn::Cifar100Labels::coarse);
  REQUIRE(data.x.shape() == Shape{10000, 32, 32, 3});
  const auto x = data.x.data<float>();
  const auto y = data.y.data<std::int64_t>(), y_groups = groups.y.data<std::int64_t>();
  bool pixels = std::ranges::equal(x, groups.x.data<float>()), labels = true;
  for (std::size_t i = 0; i < 10000; ++i) {
    labels =
        labels && y[i] == static_cast<std::int64_t>(fine(i)) && y_groups[i] == static_cast<std::int64_t>(coarse(i));
    for (std::size_t p = 0; p < 1024; ++p)
      for (std::size_t c = 0; c < 3; ++c)
        pixels = pixels && x[(i * 1024 + p) * 3 + c] == static_cast<float>((i + c * 1024 + p) % 256) / 255.0F;
  }
  CHECK(pixels);
  CHECK(labels);

  const auto error_of = [&](nn::Split split, nn::Cifar100Labels which = nn::Cifar100Labels::fine) {
    return refused(dir.path(), [&](const std::string& path) { nn::cifar100(path, split, which); });
  };
  CHECK(holds(error_of(nn::Split::train), "train.bin: No such file"));
  put_file(dir / "train.bin", batch);
  CHECK(holds(error_of(nn::Split::train), "153700000 bytes"));  // 50,000 images
  put_file(dir / "test.bin", batch + "x");
  CHECK(holds(error_of(nn::Split::test), "goes on"));
  batch[3 * record] = 20;
  batch[5 * record + 1] = 100;
  put_file(dir / "test.bin", batch);
  CHECK(holds(error_of(nn::Split::test), "label 100 at image 5, needs 0 to 99"));
  CHECK(holds(error_of(nn::Split::test, nn::Cifar100Labels::coarse), "label 20 at image 3, needs 0 to 19"));
}
