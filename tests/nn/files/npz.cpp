// NumPy's .npz archives: what it writes is read, and no directory is believed.
#include <doctest/doctest.h>
#include <tests/support/refused.hpp>
#include <tests/support/same.hpp>
#include <tests/support/temp_dir.hpp>

#include <sys/resource.h>
#include <limits>

#include <weft/engine/create.hpp>
#include <weft/engine/random.hpp>
#include <weft/nn/files/npy.hpp>
#include <weft/ops/ops.hpp>

using namespace weft;

namespace {

const std::string figures = WEFT_SOURCE_DIR "/tests/figures/npy/";

const Tensor& named(const nn::NamedTensors& tensors, const std::string& name) {
  for (const auto& [other, t] : tensors)
    if (other == name) return t;
  throw Error("no " + name);
}

std::string error_of(const std::string& path) {
  const std::string text = refused(path, [](const std::string& at) { nn::load_npz(at); });
  CHECK((text == "no error" || text.find("load_npz: ") == 0));
  return text;
}

// Bytes of an archive, changed.
std::string changed(std::string bytes, std::size_t at, std::uint64_t number, std::size_t width) {
  for (std::size_t i = 0; i < width; ++i) bytes.at(at + i) = static_cast<char>(number >> 8 * i & 0xFF);
  return bytes;
}
std::uint64_t number_at(const std::string& bytes, std::size_t at, std::size_t width) {
  std::uint64_t number = 0;
  for (std::size_t i = width; i-- > 0;) number = number << 8 | static_cast<unsigned char>(bytes.at(at + i));
  return number;
}
// Where the i-th entry of the directory is, the i-th member, the end record.
std::size_t place(const std::string& bytes, const char* signature, int i = 0) {
  std::size_t at = bytes.find(signature);
  while (i-- > 0) at = bytes.find(signature, at + 4);
  REQUIRE(at != std::string::npos);
  return at;
}
std::size_t entry(const std::string& bytes, int i = 0) { return place(bytes, "PK\1\2", i); }
std::size_t member(const std::string& bytes, int i = 0) { return place(bytes, "PK\3\4", i); }
std::size_t last(const std::string& bytes) { return place(bytes, "PK\5\6"); }

nn::NamedTensors two() { return {{"a", tensor({1, 2})}, {"b", tensor({3}, i64)}}; }

std::string archive(const TempDir& dir, const nn::NamedTensors& tensors, bool compressed = false) {
  nn::save_npz(dir / "archive", tensors, {.compressed = compressed});
  std::string bytes = file_bytes(dir / "archive");
  std::filesystem::remove(dir / "archive");
  return bytes;
}

}  // namespace

TEST_CASE("tensors of every dtype survive, compressed or not, in their order") {
  const TempDir dir;
  const nn::NamedTensors tensors = {
      {"z", tensor({1.5, -0.0, std::numeric_limits<double>::infinity()}, f32)},
      {"scalar", scalar(3.25, f64)},
      {"none", zeros({0, 4}, f32)},
      {"i64", tensor({{-5}, {7}}, i64)},
      {"a.npy", tensor({255}, u8)},
      {"", ones({2, 2})},
      {"../up/f32 \"quoted\" \xc3\xa9", ones({2, 2})},
      {std::string(65'531, 'n'), ones({1})},
      {"large", rand({300, 500}, f64)},
      {"zeros", zeros({500, 500})},
  };
  for (const bool compressed : {false, true}) {
    nn::save_npz(dir / "a.npz", tensors, {.compressed = compressed});
    CHECK(dir.count() == 1);
    const nn::NamedTensors back = nn::load_npz(dir / "a.npz");
    REQUIRE(back.size() == tensors.size());
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      CAPTURE(tensors[i].first.substr(0, 40));
      CHECK(back[i].first == tensors[i].first);
      CHECK(same_bits(back[i].second, tensors[i].second));
      CHECK(same_bits(nn::load_npz(dir / "a.npz", tensors[i].first), tensors[i].second));
    }
    const std::string bytes = file_bytes(dir / "a.npz");
    CHECK((bytes.size() < 1'500'000) == compressed);
    CHECK(archive(dir, tensors, compressed) == bytes);  // nothing of it hangs on the day
  }
  CHECK_THROWS_WITH_AS(nn::load_npz(dir / "a.npz", "b"), doctest::Contains("has no array \"b\""), Error);
  nn::save_npz(dir / "a.npz", {});  // replaces
  CHECK(nn::load_npz(dir / "a.npz").empty());
}

TEST_CASE("what NumPy wrote is read") {
  for (const char* name : {"stored.npz", "deflated.npz", "piped.npz"}) {
    const nn::NamedTensors arrays = nn::load_npz(figures + name);
    CHECK(arrays.size() == (name[0] == 'd' ? 9 : 8));
    CHECK(same_bits(named(arrays, "f4"), tensor({1.5, -0.0, std::numeric_limits<double>::infinity()})));
    CHECK(same_bits(named(arrays, "f8"), scalar(3.25, f64)));
    CHECK(named(arrays, "i8").shape() == Shape{2, 1});
    CHECK(named(arrays, "i8").data<std::int64_t>()[1] == std::int64_t{1} << 60);
    CHECK(same_bits(named(arrays, "u1"), tensor({0, 1, 255}, u8)));
    CHECK(same_bits(named(arrays, "b1"), tensor({1, 0, 1}, u8)));
    CHECK(same_bits(named(arrays, "columns"), reshape(arange(0, 24, i64).to(f32), {2, 3, 4})));
    CHECK(same_bits(named(arrays, "none"), zeros({0, 4})));
    CHECK(same_bits(named(arrays, "a/b.c \xc3\xa9"), ones({1}, f64)));
  }
  CHECK(same_bits(nn::load_npz(figures + "deflated.npz", "zeros"), zeros({50, 40}, f64)));
}

TEST_CASE("what cannot be written leaves nothing behind") {
  const TempDir dir;
  const Tensor t = ones({1});
  CHECK_THROWS_AS(nn::save_npz(dir / "no/such", {{"a", t}}), Error);
  CHECK_THROWS_WITH_AS(nn::save_npz(dir / "a", {{"a", t}, {"a", t}}), doctest::Contains("twice"), Error);
  CHECK_THROWS_WITH_AS(nn::save_npz(dir / "a", {{"\xff\xfe", t}}), doctest::Contains("UTF-8"), Error);
  CHECK_THROWS_WITH_AS(nn::save_npz(dir / "a", {{std::string("a\0b", 3), t}}), doctest::Contains("zero byte"), Error);
  CHECK_THROWS_WITH_AS(nn::save_npz(dir / "a", {{std::string(65'532, 'n'), t}}), doctest::Contains("65532"), Error);
  CHECK_THROWS_WITH_AS(nn::save_npz(dir / "a", {{"a", t}, {"b", Tensor()}}), doctest::Contains("undefined"), Error);
  CHECK_THROWS_AS(nn::save_npz(dir.path(), {{"a", t}}), Error);  // a directory is in the way
  nn::NamedTensors long_names;
  for (int i = 0; i < 250; ++i) long_names.emplace_back(std::string(65'000, 'n') + std::to_string(i), t);
  CHECK_THROWS_WITH_AS(nn::save_npz(dir / "a", long_names), doctest::Contains("at most 16000000"), Error);
  CHECK(dir.count() == 0);
}

TEST_CASE("an archive of more than 65,535 arrays") {
  const TempDir dir;
  nn::NamedTensors many;
  const Tensor t = ones({1}, u8);
  for (int i = 0; i < 66'000; ++i) many.emplace_back(std::to_string(i), t);
  nn::save_npz(dir / "many", many);
  const nn::NamedTensors back = nn::load_npz(dir / "many");
  REQUIRE(back.size() == many.size());
  CHECK(back[65'999].first == "65999");
  CHECK(same_bits(back[65'999].second, t));

  const std::string good = file_bytes(dir / "many");
  const std::size_t wide = good.rfind("PK\6\6"), locator = good.rfind("PK\6\7");
  const auto refused = [&](const std::string& bytes, const char* why) {
    put_file(dir / "many", bytes);
    const std::string text = error_of(dir / "many");
    CAPTURE(text);
    CHECK(text.find(why) != std::string::npos);
  };
  refused(changed(good, locator + 8, ~std::uint64_t{0}, 8), "out of order");
  refused(changed(good, locator + 8, locator - 4, 8), "out of order");
  refused(changed(good, locator + 8, wide - 1, 8), "zip64 end record");
  refused(changed(good, wide + 4, ~std::uint64_t{0}, 8), "zip64 end record");
  refused(changed(good, wide + 16, 1, 4), "parts");
  refused(changed(good, locator + 16, 2, 4), "parts");
  refused(changed(changed(good, wide + 24, 1ULL << 60, 8), wide + 32, 1ULL << 60, 8), "announces");
  refused(changed(changed(good, wide + 24, 65'999, 8), wide + 32, 65'999, 8), "goes on after its last entry");
  refused(changed(good, wide + 40, 1ULL << 60, 8), "does not reach");
  refused(changed(good, wide + 48, ~std::uint64_t{0}, 8), "does not reach");
}

TEST_CASE("sizes and places of 64 bits are found in their extra field") {
  const TempDir dir;
  const std::string good = archive(dir, two());
  const std::size_t at = entry(good, 1), end = last(good);
  // The second entry says that its numbers stand elsewhere.
  const std::string first_part = good.substr(0, end);
  std::string wide =
      changed(changed(changed(first_part, at + 20, 0xFFFFFFFF, 4), at + 24, 0xFFFFFFFF, 4), at + 42, 0xFFFFFFFF, 4);
  wide = changed(wide, at + 30, 4 + 4 + 28, 2);
  std::string extra = std::string("\x99\x99\0\0\1\0\x18\0", 8) + std::string(24, '\0') + std::string(4, '\0');
  extra = changed(extra, 8, number_at(good, at + 24, 4), 8);
  extra = changed(extra, 16, number_at(good, at + 20, 4), 8);
  extra = changed(extra, 24, number_at(good, at + 42, 4), 8);
  const std::string tail = changed(good.substr(end), 12, number_at(good, end + 12, 4) + 36, 4);
  put_file(dir / "wide", wide + extra + tail);
  CHECK(same_bits(nn::load_npz(dir / "wide", "b"), tensor({3}, i64)));

  const auto refused = [&](const std::string& field, const char* why) {
    put_file(dir / "wide", wide + field + tail);
    const std::string text = error_of(dir / "wide");
    CAPTURE(text);
    CHECK(text.find(why) != std::string::npos);
  };
  refused(changed(extra, 6, 16, 2), "extra field");    // the last number is missing
  refused(changed(extra, 6, 1000, 2), "extra field");  // longer than all of it
  refused(changed(extra, 4, 2, 2), "outside");         // another kind of field
  refused(changed(extra, 8, ~std::uint64_t{0}, 8), "announces");
  refused(changed(extra, 24, ~std::uint64_t{0}, 8), "outside");
  refused(changed(extra, 24, 1ULL << 40, 8), "outside");
}

TEST_CASE("hostile, damaged and foreign archives are refused in one line") {
  const TempDir dir;
  const auto refused = [&](const std::string& bytes, const char* why) {
    put_file(dir / "file", bytes);
    const std::string text = error_of(dir / "file");
    CAPTURE(text);
    CHECK(text.find(why) != std::string::npos);
  };
  CHECK(error_of(dir / "missing").find("cannot read") != std::string::npos);
  CHECK(error_of(dir.path()).find("not a file") != std::string::npos);
  CHECK(error_of(figures + "rows.npy").find("load_npy") != std::string::npos);
  refused("", "no zip archive");
  refused("PK\5\6", "no zip archive");
  refused(std::string(200'000, 'x'), "no zip archive");
  refused("PK\3\4" + std::string(200'000, '\0'), "no zip archive");
  refused(std::string("PK\5\6", 4) + std::string(18, '\0') + "x", "no zip archive");  // a comment of another length

  for (const bool compressed : {false, true}) {
    const std::string good = archive(dir, two(), compressed);
    const std::size_t a = entry(good), b = entry(good, 1), end = last(good);
    const std::uint64_t a_at = number_at(good, a + 42, 4), b_at = number_at(good, b + 42, 4);
    put_file(dir / "file", changed(good, end + 20, 7, 2) + "comment");
    CHECK(nn::load_npz(dir / "file").size() == 2);

    // The end record.
    refused(changed(good, end + 4, 1, 2), "parts");
    refused(changed(good, end + 8, 1, 2), "parts");
    refused(changed(changed(good, end + 8, 3, 2), end + 10, 3, 2), "announces 3 members");
    refused(changed(changed(good, end + 8, 1, 2), end + 10, 1, 2), "goes on after its last entry");
    refused(changed(good, end + 12, 0xFFFFFFFF, 4), "does not reach");
    refused(changed(good, end + 16, number_at(good, end + 16, 4) + 1, 4), "does not reach");
    refused(changed(good, end + 16, 0xFFFFFFFF, 4), "does not reach");
    refused("x" + good, "does not reach");

    // The directory.
    refused(changed(good, b, 0, 4), "damaged at entry 1");
    refused(changed(good, b + 28, 0xFFFF, 2), "damaged at entry 1");
    refused(changed(good, a + 28, 0xFFFF, 2), "damaged at entry 0");
    refused(changed(good, a + 8, 1, 2), "encrypted");
    refused(changed(good, a + 10, 12, 2), "method 12");
    refused(changed(good, a + 10, compressed ? 0 : 8, 2), compressed ? "announces" : "otherwise");
    refused(changed(good, a + 34, 1, 2), "parts");
    refused(changed(good, a + 24, 0xFFFFFFFF, 4), "announces 4294967295 bytes");
    refused(changed(good, a + 20, 0xFFFFFFFF, 4), compressed ? "outside" : "announces");
    refused(changed(good, a + 42, 0xFFFFFFFF, 4), "outside");
    refused(changed(good, a + 42, a, 4), "outside");  // the directory itself
    refused(changed(good, a + 42, a_at + 1, 4), "not where the directory says");
    refused(changed(good, b + 42, a_at, 4), "otherwise");
    refused(changed(good, a + 16, 7, 4), "otherwise");
    refused(changed(good, a + 46, 'c', 1), "otherwise");
    const std::size_t a_checksum = 14 + member(good);
    refused(changed(changed(good, a + 16, 7, 4), a_checksum, 7, 4), "checksum");

    // Names.
    refused(changed(changed(good, b + 46, 'a', 1), member(good, 1) + 30, 'a', 1), "\"a\" twice");

    // Sizes that are possible, but lie.
    const std::uint64_t bytes = number_at(good, a + 24, 4), packed = number_at(good, a + 20, 4);
    if (compressed) {
      refused(changed(good, a + 24, bytes + 1, 4), "goes on after");
      refused(changed(good, a + 24, bytes - 1, 4), "cut short");
      refused(changed(good, a + 24, packed * 1032, 4), "goes on after");
      refused(changed(good, a + 20, packed - 1, 4), "damaged");
      refused(changed(good, a + 20, packed + 1, 4), "overlaps");
      refused(changed(good, b + 20, number_at(good, b + 20, 4) + 1, 4), "outside");
      refused(changed(good, a_at + 30 + 5 + 20, 7, 1), "damaged");  // a block of no known kind
      std::string padded = changed(good, b + 20, number_at(good, b + 20, 4) + 1, 4);
      padded = changed(padded, end + 16, a + 1, 4).insert(a, "x");
      refused(padded, "end early");
    } else {
      refused(changed(changed(good, a + 24, bytes - 1, 4), a + 20, packed - 1, 4), "cut short");
      refused(changed(changed(good, a + 24, bytes + 1, 4), a + 20, packed + 1, 4), "overlaps");
      refused(changed(good, a_at + 30 + 5 + 20, 'x', 1), "does not begin like an npy file");
      refused(changed(good, a_at + 30 + 5 + 20 + 20, '>', 1), "");
      refused(changed(good, b_at - 1, 'x', 1), "checksum");
    }
  }
  // The members of another program's archive: named, and quoted.
  std::string other = archive(dir, {{"notes.txt", ones({1})}});
  const auto at = other.find("\x93NUMPY");
  refused(changed(other, at, 0, 1), "\"notes.txt.npy\" does not begin like an npy file");
}

TEST_CASE("members that share their bytes are refused: a few bytes would become many arrays") {
  const TempDir dir;
  const std::string good = archive(dir, {{"a", zeros({1000, 100})}, {"b", zeros({1})}}, true);
  const std::size_t a = entry(good), b = entry(good, 1);
  const auto overlaps = [&](const std::string& bytes) {
    put_file(dir / "file", bytes);
    CHECK(error_of(dir / "file").find("overlaps") != std::string::npos);
  };
  overlaps(changed(good, a + 20, number_at(good, a + 20, 4) + 30, 4));  // the first goes on into the second
  // Both are the first.
  std::string twice = good;
  for (const std::size_t field : {16, 20, 24, 42}) twice = changed(twice, b + field, number_at(good, a + field, 4), 4);
  overlaps(changed(twice, b + 46, 'a', 1));
}

TEST_CASE("an archive takes memory for what it holds, not for what it says") {
  const TempDir dir;
  const auto peak = [] {
    rusage usage = {};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
  };
  std::string bomb = archive(dir, {{"a", zeros({1'000'000})}}, true);  // 4 MB from 4 KB
  const std::size_t at = entry(bomb);
  bomb = changed(bomb, at + 24, number_at(bomb, at + 20, 4) * 1032, 4);
  put_file(dir / "bomb", bomb);
  const auto before = peak();
  CHECK(error_of(dir / "bomb").find("goes on after") != std::string::npos);
  CHECK(peak() - before < 20'000);  // KiB
}

TEST_CASE("an archive that is cut anywhere, or has any byte changed, gives an error or what was in it") {
  const TempDir dir;
  for (const bool compressed : {false, true}) {
    const nn::NamedTensors tensors = two();
    const std::string good = archive(dir, tensors, compressed);
    for (std::size_t length = 0; length < good.size(); ++length) {
      put_file(dir / "cut", good.substr(0, length));
      CHECK(error_of(dir / "cut") != "no error");
    }
    for (std::size_t at = 0; at < good.size(); ++at)
      for (const char c : {'\0', '9', 'P', '\xff', static_cast<char>(good[at] ^ 1)}) {
        put_file(dir / "bad", good.substr(0, at) + c + good.substr(at + 1));
        try {
          const nn::NamedTensors back = nn::load_npz(dir / "bad");
          REQUIRE(back.size() == tensors.size());
          for (std::size_t i = 0; i < back.size(); ++i) {
            CHECK(back[i].first == tensors[i].first);
            CHECK(same_bits(back[i].second, tensors[i].second));
          }
        } catch (const Error&) {
        }
      }
  }
}
