#include "text.hpp"

#include <weft/weft.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>

using namespace weft;

namespace {

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  if (!file) fail("charlm: cannot read ", path);
  return bytes;
}

// Windows that start at these places.
nn::Dataset windows(const Tensor& ids, const Tensor& starts, std::int64_t length) {
  const Tensor at = reshape(unsqueeze(starts, 1) + arange(length, i64), {-1});
  const Shape shape{starts.size(0), length};
  return {reshape(index_select(ids, 0, at), shape), reshape(index_select(ids, 0, at + 1), shape)};
}

}  // namespace

Text::Text(const std::string& path, std::int64_t least) {
  const std::string bytes = contents(path);
  symbols = bytes;
  std::sort(symbols.begin(), symbols.end());
  symbols.erase(std::unique(symbols.begin(), symbols.end()), symbols.end());
  std::vector<std::int64_t> ids;
  for (const char byte : bytes) ids.push_back(static_cast<std::int64_t>(symbols.find(byte)));
  const auto all = static_cast<std::int64_t>(ids.size()), part = all - all / 10;
  if (all - part < least) fail("charlm: ", path, " has ", all, " bytes, needs ", 10 * least, " at least");
  const Tensor everything = tensor(ids, i64);
  train = slice(everything, 0, 0, part), test = slice(everything, 0, part, all);
}

nn::Dataset Text::draw(std::int64_t count, std::int64_t length, Generator& generator) const {
  return windows(train, randint(0, train.size() - length, {count}, i64, generator), length);
}

nn::Dataset Text::test_windows(std::int64_t length) const {
  return windows(test, arange((test.size() - 1) / length, i64) * static_cast<double>(length), length);
}

double Text::bits_by_frequency() const {
  const Tensor counts = sum(one_hot(train, size()), 0).to(f64) + 1.0;
  const Tensor bits = log(sum(counts) / counts) / std::log(2.0);
  return mean(index_select(bits, 0, test)).item();
}

std::string Text::shown(const Tensor& ids) const {
  std::string text;
  for (const std::int64_t id : ids.data<std::int64_t>()) {
    const char byte = symbols[static_cast<std::size_t>(id)];
    text += static_cast<unsigned char>(byte) < 0x80 ? byte : '?';
  }
  return text;
}
