// NumPy's .npy files: what it writes is read, what is written is what it writes, and no header is believed.
#include <doctest/doctest.h>
#include <tests/support/gzip.hpp>
#include <tests/support/refused.hpp>
#include <tests/support/same.hpp>
#include <tests/support/temp_dir.hpp>

#include <limits>

#include <weft/engine/create.hpp>
#include <weft/nn/files/npy.hpp>
#include <weft/ops/ops.hpp>

using namespace weft;

namespace {

const std::string figures = WEFT_SOURCE_DIR "/tests/figures/npy/";

std::string npy(const std::string& header, const std::string& data, char version = 1) {
  const std::size_t length = header.size();
  std::string bytes = std::string("\x93NUMPY") + version + '\0';
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) bytes += static_cast<char>(length >> 8 * i & 0xFF);
  return bytes + header + data;
}

std::string error_of(const std::string& path) {
  const std::string text = refused(path, [](const std::string& at) { nn::load_npy(at); });
  CHECK((text == "no error" || text.find("load_npy: ") == 0));
  return text;
}

}  // namespace

TEST_CASE("a tensor of every dtype and shape survives") {
  const TempDir dir;
  const double infinity = std::numeric_limits<double>::infinity();
  for (const Tensor& t :
       {tensor({1.5, -0.0, infinity}, f32), tensor({{1.5, -0.0}, {1e300, -infinity}}, f64), scalar(3.25, f32),
        scalar(-7, i64), tensor({255}, u8), zeros({0, 4}, f32), zeros({0}, u8), ones({1, 1, 1, 1, 1, 1, 1, 1}, f64),
        arange(0, 120, i64).to(f32) * 0.5, reshape(arange(0, 120, i64), {2, 3, 4, 5})}) {
    nn::save_npy(dir / "a.npy", t);
    CAPTURE(t.shape());
    CHECK(same_bits(nn::load_npy(dir / "a.npy"), t));
    CHECK(file_bytes(dir / "a.npy").size() % 64 == static_cast<std::size_t>(t.size()) * size_of(t.dtype()) % 64);
    put_gzipped(dir / "a.npy.gz", file_bytes(dir / "a.npy"));
    CHECK(same_bits(nn::load_npy(dir / "a.npy.gz"), t));
  }
  CHECK(dir.count() == 2);
}

TEST_CASE("what NumPy wrote is read, and what is written is the same to the byte") {
  const TempDir dir;
  const Tensor matrix = reshape(arange(0, 6, i64).to(f64), {2, 3}) - 2.5;
  CHECK(same_bits(nn::load_npy(figures + "rows.npy"), matrix));
  CHECK(same_bits(nn::load_npy(figures + "version2.npy"), matrix));
  CHECK(same_bits(nn::load_npy(figures + "version3.npy"), matrix));
  CHECK(same_bits(nn::load_npy(figures + "columns.npy"), reshape(arange(0, 24, i64).to(f32), {2, 3, 4})));
  nn::save_npy(dir / "rows.npy", matrix);
  CHECK(file_bytes(dir / "rows.npy") == file_bytes(figures + "rows.npy"));
}

TEST_CASE("a header may be written in any way that Python reads") {
  const TempDir dir;
  const auto read = [&](const std::string& bytes) {
    put_file(dir / "file", bytes);
    return nn::load_npy(dir / "file");
  };
  const std::string data("\0\0\x80\x3f\0\0\0\x40", 8);
  for (const char* header : {
           "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n",
           "{\"shape\":(2L,),\"fortran_order\":True,\"descr\":\"<f4\"}",
           "{ 'fortran_order' : False ,\t'shape' : ( 2 , ) , 'descr' : '<f4' , }   \n",
       })
    for (const char version : {'\1', '\2', '\3'})
      CHECK(same_bits(read(npy(header, data, version)), tensor({1.0, 2.0})));
  // Lengths of any kind, those too whose bytes xtensor's own reader takes for negative ones.
  for (const std::size_t length : {57UL, 129UL, 246UL, 384UL, 65'535UL})
    for (const char version : {'\1', '\2'}) {
      std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}";
      header.append(length - header.size(), ' ');
      CHECK(same_bits(read(npy(header, data, version)), tensor({1.0, 2.0})));
    }
  const std::string columns = "{'descr': '<i8', 'fortran_order': True, 'shape': (2, 1, 2)}\n";
  std::string numbers(32, '\0');
  for (std::size_t i = 0; i < 4; ++i) numbers[8 * i] = static_cast<char>(i);
  CHECK(same_bits(read(npy(columns, numbers)), reshape(tensor({0, 2, 1, 3}, i64), {2, 1, 2})));
  CHECK(same_bits(read(npy("{'descr': '|b1', 'fortran_order': False, 'shape': (2, 1)}", std::string("\0\1", 2))),
                  tensor({{0}, {1}}, u8)));
  CHECK(same_bits(read(npy("{'descr': '|u1', 'fortran_order': True, 'shape': ()}", "\x07")), scalar(7, u8)));
}

TEST_CASE("what cannot be written leaves nothing behind") {
  const TempDir dir;
  CHECK_THROWS_AS(nn::save_npy(dir / "no/such", ones({1})), Error);
  CHECK_THROWS_AS(nn::save_npy(dir.path(), ones({1})), Error);  // a directory is in the way
  CHECK_THROWS_WITH_AS(nn::save_npy(dir / "a", Tensor()), doctest::Contains("undefined"), Error);
  CHECK(dir.count() == 0);
}

TEST_CASE("hostile and foreign files are refused in one line") {
  const TempDir dir;
  const auto refused = [&](const std::string& bytes, const std::string& why) {
    put_file(dir / "file", bytes);
    const std::string text = error_of(dir / "file");
    CAPTURE(bytes.substr(0, 200));
    CAPTURE(text);
    CHECK(text.find(why) != std::string::npos);
  };
  const std::string data = "01234567";
  const auto header = [&](const std::string& text, const std::string& why) { refused(npy(text, data), why); };
  const auto dtype = [&](const std::string& descr, const std::string& why) {
    header("{'descr': " + descr + ", 'fortran_order': False, 'shape': (2,)}", why);
  };
  const auto shape = [&](const std::string& sizes, const std::string& why) {
    header("{'descr': '<f4', 'fortran_order': False, 'shape': " + sizes + "}", why);
  };

  CHECK(error_of(dir / "missing").find("cannot read") != std::string::npos);
  CHECK(error_of(dir.path()).find("not a file") != std::string::npos);
  refused("", "cut short");
  refused("\x93NUM", "cut short");
  refused("\x93NUMPZ\1", "cut short");
  refused(std::string("\x93NUMPZ\1\0\0\0", 10), "does not begin like");
  refused(std::string(100, '\x80'), "does not begin like");
  refused("PK\3\4 and so on", "load_npz");
  refused(npy("{}", data, '\4'), "version 4.0");
  refused(npy("{}", data, '\0'), "version 0.0");
  refused(npy(std::string(65'536, ' '), data, '\2'), "at most 65535");
  refused(npy("", data), "not a dictionary");
  refused(std::string("\x93NUMPY\1\0\xff\xff", 10) + "{}", "cut short");
  refused(std::string("\x93NUMPY\2\0\xff\xff\xff\xff", 12) + "{}", "at most");

  header("{", "not a dictionary");
  header("}", "not a dictionary");
  header("{}", "lacks");
  header("[1, 2]", "not a dictionary");
  header(std::string(60'000, '{'), "not a dictionary");
  header("{'descr': '<f4', 'shape': (2,)}", "lacks");
  header("{'descr': '<f4' 'fortran_order': False, 'shape': (2,)}", "not a dictionary");
  header("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} + {}", "not a dictionary");
  header("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'shape': (2,)}", "twice");
  header("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'more': 1}", "\"more\"");
  header("{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}", "neither True nor False");
  header("{'descr': '<f4', 'fortran_order': Falsehood, 'shape': (2,)}", "not a dictionary");
  header("{'descr: '<f4', 'fortran_order': False, 'shape': (2,)}", "not a dictionary");
  header("{'de\\'scr': '<f4'}", "not a dictionary");

  for (const char* kind :
       {">f4", ">f8", ">i8", "<f2", "<i4", "<u8", "<c8", "|i1", "|O", "<U3", "|S4", "f4", "", "<f4 "})
    dtype("'" + std::string(kind) + "'", "has dtype \"" + std::string(kind) + "\", needs");
  dtype("'\x1b[31m'", "\"\\x1b[31m\"");
  dtype("[('a', '<f4')]", "structured");
  dtype("4", "not a dictionary");
  dtype("'<f4", "has dtype");
  dtype("'<f8'", "cut short");
  dtype("'|u1'", "goes on after");

  shape("(3,)", "cut short");
  shape("(1,)", "goes on after");
  shape("()", "goes on after");
  shape("(0,)", "goes on after");
  for (const char* wrong : {"(2)", "(,)", "(2,,)", "(-2,)", "(2.0,)", "(2 1)", "('2',)", "((2,),)", "(None,)", "(+2,)"})
    shape(wrong, "not a tuple");
  for (const char* wrong : {"2", "[2]", "(2,", "('2'"}) shape(wrong, "");
  shape("(1,1,1,1,1,1,1,1,2)", "more than 8 axes");
  shape("(100000000000000001,)", "above");
  shape("(18446744073709551618,)", "above");
  shape("(" + std::string(50'000, '9') + ",)", "above");
  shape("(4294967296, 4294967296)", "too large");
  shape("(0, 100000000000000000, 100000000000000000)", "too large");
  shape("(100000000000000000,)", "cut short");  // nothing is taken for it
}

TEST_CASE("a gzipped file is checked as well") {
  const TempDir dir;
  nn::save_npy(dir / "a", reshape(arange(0, 1000, i64), {10, 100}));
  put_gzipped(dir / "a.gz", file_bytes(dir / "a"));
  const std::string good = file_bytes(dir / "a.gz");
  put_file(dir / "short.gz", good.substr(0, good.size() - 20));
  CHECK(error_of(dir / "short.gz") != "no error");
  std::string bad = good;
  bad[bad.size() - 8] = static_cast<char>(bad[bad.size() - 8] ^ 1);  // in the checksum
  put_file(dir / "bad.gz", bad);
  CHECK(error_of(dir / "bad.gz").find("damaged") != std::string::npos);
  put_gzipped(dir / "bomb.gz", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}", "01234567"));
  CHECK(error_of(dir / "bomb.gz").find("announces") != std::string::npos);
  put_gzipped(dir / "long.gz", file_bytes(dir / "a") + "x");
  CHECK(error_of(dir / "long.gz").find("goes on") != std::string::npos);
}

TEST_CASE("a file that is cut anywhere, or has any byte changed, never crashes the reader") {
  const TempDir dir;
  nn::save_npy(dir / "good", tensor({{1, 2, 3}, {4, 5, 6}}));
  const std::string good = file_bytes(dir / "good");
  for (std::size_t length = 0; length < good.size(); ++length) {
    put_file(dir / "cut", good.substr(0, length));
    CHECK(error_of(dir / "cut") != "no error");
  }
  for (std::size_t at = 0; at < good.size(); ++at)
    for (const char c : {'\0', '9', '\'', ',', ')', '}', '\xff'}) {
      std::string bad = good;
      bad[at] = c;
      put_file(dir / "bad", bad);
      try {
        nn::load_npy(dir / "bad");
      } catch (const Error&) {
      }
    }
}
