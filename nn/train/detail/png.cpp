#include <weft/nn/train/detail/png.hpp>

#include <zlib.h>

#include <weft/engine/error.hpp>

namespace weft::detail {
namespace {

void put_big_endian(std::string& bytes, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xffU);
}

void put_chunk(std::string& png, const char* type, const std::string& data) {
  put_big_endian(png, static_cast<std::uint32_t>(data.size()));
  const std::string body = type + data;
  png += body;
  put_big_endian(png, static_cast<std::uint32_t>(
                          crc32_z(0, reinterpret_cast<const Bytef*>(body.data()), body.size())));  // not crc32c
}

}  // namespace

std::string png_of(std::span<const std::uint8_t> pixels, std::uint32_t height, std::uint32_t width, int channels) {
  const std::size_t row = std::size_t{width} * static_cast<std::size_t>(channels);
  std::string lines;
  lines.reserve(height * (row + 1));
  for (std::size_t y = 0; y < height; ++y) {
    lines += '\0';  // no filter
    lines.append(reinterpret_cast<const char*>(pixels.data()) + y * row, row);
  }
  uLongf size = compressBound(lines.size());
  std::string data(size, '\0');
  if (compress(reinterpret_cast<Bytef*>(data.data()), &size, reinterpret_cast<const Bytef*>(lines.data()),
               lines.size()) != Z_OK)
    fail("png: zlib cannot compress ", lines.size(), " bytes");
  data.resize(size);

  std::string header;
  put_big_endian(header, width);
  put_big_endian(header, height);
  const char colours = channels == 1 ? '\0' : channels == 3 ? '\2' : '\6';
  header.append({'\10', colours, '\0', '\0', '\0'});  // 8 bits a channel
  std::string png = "\x89PNG\r\n\x1a\n";
  put_chunk(png, "IHDR", header);
  put_chunk(png, "IDAT", data);
  put_chunk(png, "IEND", {});
  return png;
}

}  // namespace weft::detail
