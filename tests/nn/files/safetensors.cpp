// The safetensors format: what is written is read, and no header is believed.
#include <doctest/doctest.h>
#include <tests/support/refused.hpp>
#include <tests/support/temp_dir.hpp>

#include <sys/resource.h>
#include <cmath>
#include <cstring>

#include <weft/nn/files/safetensors.hpp>

using namespace weft;

namespace {

template <class T>
Tensor made(const Shape& shape, std::initializer_list<T> values) {
  Tensor t = detail::make_tensor("test", shape, dtype_of<T>);
  std::copy(values.begin(), values.end(), t.mutable_data<T>().begin());
  return t;
}

std::string with_header(const std::string& header, const std::string& data) {
  const std::uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + data;
}

std::string error_of(const std::string& path) {
  return refused(path, [](const std::string& at) { nn::read_safetensors(at); });
}

}  // namespace

TEST_CASE("tensors of every dtype and notes survive") {
  const TempDir dir;
  const nn::NamedTensors tensors = {{"bytes", made<std::uint8_t>({3}, {1, 2, 255})},
                                    {"f32 \"quoted\" \xc3\xa9", made<float>({2, 1}, {1.5F, -0.0F})},
                                    {"scalar", made<double>({}, {3.25})},
                                    {"none", made<float>({0, 4}, {})},
                                    {"i64", made<std::int64_t>({1}, {-5})}};
  nn::write_safetensors(dir / "a", tensors, {{"epoch", "3"}});
  CHECK(dir.count() == 1);
  const nn::TensorFile file = nn::read_safetensors(dir / "a");
  CHECK(file.notes == nn::Notes{{"epoch", "3"}});
  REQUIRE(file.tensors.size() == tensors.size());
  for (const auto& [name, t] : tensors) {
    bool found = false;
    for (const auto& [other_name, other] : file.tensors) {
      if (other_name != name) continue;
      found = true;
      CHECK(other.shape() == t.shape());
      CHECK(other.dtype() == t.dtype());
      CHECK(std::memcmp(detail::data_of<std::byte>(other), detail::data_of<std::byte>(t),
                        static_cast<std::size_t>(t.size()) * size_of(t.dtype())) == 0);
    }
    CHECK(found);
  }
  nn::write_safetensors(dir / "a", {});  // replaces
  CHECK(nn::read_safetensors(dir / "a").tensors.empty());
}

TEST_CASE("narrow types of other programs become those that hold them") {
  const TempDir dir;
  const auto read = [&](const char* dtype, std::size_t count, const std::string& data) {
    put_file(dir / "file",
             with_header("{\"w\": {\"dtype\": \"" + std::string(dtype) + "\", \"shape\": [" + std::to_string(count) +
                             "], \"data_offsets\": [0, " + std::to_string(data.size()) + "]}}",
                         data));
    return nn::read_safetensors(dir / "file").tensors[0].second;
  };
  // Every number of 16 bits, and some again beyond what is read in one go.
  constexpr std::size_t count = 70'000;
  std::string data;
  for (std::size_t i = 0; i < count; ++i) data += {static_cast<char>(i & 0xFF), static_cast<char>(i >> 8 & 0xFF)};
  const Tensor half = read("F16", count, data), brain = read("BF16", count, data), shorts = read("I16", count, data);
  REQUIRE(half.dtype() == f32);
  REQUIRE(brain.dtype() == f32);
  REQUIRE(shorts.dtype() == i64);
  int wrong = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto number = [&](int exponent_bits, int fraction_bits) {
      const auto bits = static_cast<int>(i & 0xFFFF), most = (1 << exponent_bits) - 1;
      const int exponent = bits >> fraction_bits & most, fraction = bits & ((1 << fraction_bits) - 1);
      const double sign = bits >> 15 != 0 ? -1 : 1, part = std::ldexp(fraction, -fraction_bits);
      if (exponent == most) return fraction == 0 ? sign * HUGE_VAL : std::nan("");
      return sign * std::ldexp(exponent == 0 ? part : 1 + part, std::max(exponent, 1) - most / 2);
    };
    const auto differs = [](double a, double b) {
      return std::isnan(a) != std::isnan(b) || (!std::isnan(a) && (a != b || std::signbit(a) != std::signbit(b)));
    };
    wrong += differs(half.data<float>()[i], number(5, 10)) + differs(brain.data<float>()[i], number(8, 7)) +
             (shorts.data<std::int64_t>()[i] != static_cast<std::int16_t>(i & 0xFFFF));
  }
  CHECK(wrong == 0);
  const Tensor ints = read("I32", 2, std::string("\xfe\xff\xff\xff\0\0\0\x40", 8)), bytes = read("I8", 2, "\x80\x7f");
  CHECK(ints.data<std::int64_t>()[0] == -2);
  CHECK(ints.data<std::int64_t>()[1] == 1 << 30);
  CHECK(bytes.data<std::int64_t>()[0] == -128);
  CHECK(bytes.data<std::int64_t>()[1] == 127);
  CHECK(read("BOOL", 2, std::string("\0\1", 2)).dtype() == u8);
  put_file(dir / "file",
           with_header("{\"w\": {\"dtype\": \"F16\", \"shape\": [2], \"data_offsets\": [0, 8]}}", "01234567"));
  CHECK(error_of(dir / "file").find("has 8 bytes, its shape {2} needs 4") != std::string::npos);
}

TEST_CASE("what cannot be written leaves nothing behind") {
  const TempDir dir;
  const Tensor t = made<float>({1}, {1});
  CHECK_THROWS_AS(nn::write_safetensors(dir / "no/such", {{"a", t}}), Error);
  CHECK_THROWS_AS(nn::write_safetensors(dir / "a", {{"a", t}, {"a", t}}), Error);
  CHECK_THROWS_AS(nn::write_safetensors(dir / "a", {{"__metadata__", t}}), Error);
  CHECK_THROWS_AS(nn::write_safetensors(dir / "a", {{"\xff\xfe", t}}), Error);
  CHECK_THROWS_AS(nn::write_safetensors(dir.path(), {{"a", t}}), Error);  // a directory is in the way
  CHECK(dir.count() == 0);
}

TEST_CASE("hostile and damaged files are refused in one line") {
  const TempDir dir;
  const auto refused = [&](const std::string& bytes, const char* why) {
    put_file(dir / "file", bytes);
    const std::string text = error_of(dir / "file");
    CAPTURE(bytes.substr(0, 200));
    CAPTURE(text);
    CHECK(text.find(why) != std::string::npos);
  };
  const auto header = [&](const std::string& text, const char* why, const std::string& data = "01234567") {
    refused(with_header(text, data), why);
  };
  const auto entry = [&](const std::string& fields, const char* why) { header("{\"w\": {" + fields + "}}", why); };

  CHECK(error_of(dir / "missing") != "no error");
  CHECK(error_of(dir.path()) != "no error");
  refused("", "needs at least 8");
  refused("1234567", "needs at least 8");
  refused(std::string(8, '\xff') + "{}", "announces a header");
  refused(std::string("\3\0\0\0\0\0\0\0{}", 10), "announces a header");
  header("", "not JSON");
  header("{", "not JSON");
  header("\xff\xfe", "not JSON");
  header("[1, 2]", "not a JSON object");
  header(std::string(100000, '['), "not a JSON object");
  header("{\"a\": {\"shape\": " + std::string(100000, '['), "nested");
  header("{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":1}}}}}}", "nested");
  header("{\"__metadata__\": 3}", "__metadata__");
  header("{\"__metadata__\": {\"a\": 3}}", "__metadata__");
  header("{\"__metadata__\": {\"a\": [3]}}", "__metadata__");
  header("{\"__metadata__\": {\"a\": \"\", \"a\": \"\"}}", "twice");
  header("{\"w\": 3}", "\"w\"");
  header("{\"w\": [3]}", "\"w\"");
  header("{}", "goes on");

  const std::string f32s = "\"dtype\": \"F32\", \"shape\": [2], ", offsets = "\"data_offsets\": [0, 8]";
  put_file(dir / "file", with_header("{\"w\": {" + f32s + offsets + "}}  ", "01234567"));
  CHECK(nn::read_safetensors(dir / "file").tensors[0].second.size() == 2);
  entry("\"dtype\": \"F32\", \"shape\": [2]", "\"w\"");
  entry(f32s + offsets + ", \"more\": 1", "\"w\"");
  entry("\"dtype\": \"F64\", " + f32s + offsets, "\"dtype\" twice");
  entry("\"dtype\": 32, \"shape\": [2], " + offsets, "dtype");
  entry("\"dtype\": \"F8_E4M3\", \"shape\": [8], " + offsets, "\"F8_E4M3\", needs F64, F32, F16");
  entry("\"dtype\": \"F32\", \"shape\": 2, " + offsets, "shape");
  entry("\"dtype\": \"F32\", \"shape\": [1,1,1,1,1,1,1,1,2], " + offsets, "shape");
  entry("\"dtype\": \"F32\", \"shape\": [-2], " + offsets, "size");
  entry("\"dtype\": \"F32\", \"shape\": [2.0], " + offsets, "size");
  entry("\"dtype\": \"F32\", \"shape\": [18446744073709551615], " + offsets, "size");
  entry("\"dtype\": \"F32\", \"shape\": [4611686018427387904, 4], " + offsets, "\"w\"");
  entry("\"dtype\": \"F32\", \"shape\": [4294967296, 4294967296, 4294967296], " + offsets, "\"w\"");
  entry("\"dtype\": \"F32\", \"shape\": [3], " + offsets, "needs 12");
  entry("\"dtype\": \"F64\", \"shape\": [2], " + offsets, "needs 16");
  entry(f32s + "\"data_offsets\": [0]", "offsets");
  entry(f32s + "\"data_offsets\": [0, -8]", "offsets");
  entry(f32s + "\"data_offsets\": [8, 0]", "outside");
  entry(f32s + "\"data_offsets\": [0, 16]", "outside");
  entry(f32s + "\"data_offsets\": [18446744073709551608, 18446744073709551615]", "outside");
  entry("\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [4, 8]", "does not follow");
  entry("\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4]", "goes on");
  const std::string w = "\"w\": {" + f32s + offsets + "}";
  header("{" + w + ", " + w + "}", "twice");
  header("{" + w + ", \"v\": {" + f32s + offsets + "}}", "overlaps");
  header("{" + w + ", \"v\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [4, 8]}}", "overlaps");
}

TEST_CASE("what a file says is quoted in errors, escaped and cut") {
  const TempDir dir;
  put_file(dir / "file", with_header("{\"" + std::string(1000, 'n') + "\": 3}", ""));
  CHECK(error_of(dir / "file").size() < dir.path().size() + 200);
  put_file(dir / "file", with_header("{\"a\\n\\u001b[31m\": 3}", ""));
  CHECK(error_of(dir / "file").find("\"a\\x0a\\x1b[31m\"") != std::string::npos);
}

TEST_CASE("a header is refused where it goes wrong, not when all of it is in memory") {
  const TempDir dir;
  std::string ones;
  for (int i = 0; i < 5'000'000; ++i) ones += "1,";
  const auto peak = [] {
    rusage usage = {};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
  };
  for (const char* start : {"[", "{\"a\": [", "{\"a\": {\"shape\": ["}) {
    put_file(dir / "file", with_header(start + ones, ""));
    const auto before = peak();
    CHECK(error_of(dir / "file").find("not JSON") == std::string::npos);
    CHECK(peak() - before < 50'000);  // KiB
  }
  put_file(dir / "file", with_header(std::string(17'000'000, ' '), ""));
  CHECK(error_of(dir / "file").find("at most 16000000") != std::string::npos);
}

TEST_CASE("a file that is cut anywhere, or has any byte changed, never crashes the reader") {
  const TempDir dir;
  nn::write_safetensors(dir / "good", {{"a", made<float>({2}, {1, 2})}, {"b", made<std::int64_t>({1}, {3})}},
                        {{"k", "v"}});
  const std::string good = file_bytes(dir / "good");
  for (std::size_t length = 0; length < good.size(); ++length) {
    put_file(dir / "cut", good.substr(0, length));
    CHECK_THROWS_AS(nn::read_safetensors(dir / "cut"), Error);
  }
  for (std::size_t at = 0; at < good.size(); ++at)
    for (const char c : {'\0', '9', '"', '}', '\xff'}) {
      std::string bad = good;
      bad[at] = c;
      put_file(dir / "bad", bad);
      try {
        nn::read_safetensors(dir / "bad");
      } catch (const Error&) {
      }
    }
}
