// Event files: bytes against the format's description, buckets against a count, pictures decoded again, and what is
// cut, damaged or made up to deceive.
#include <doctest/doctest.h>
#include <sys/resource.h>
#include <zlib.h>
#include <tests/support/event_records.hpp>
#include <tests/support/message_of.hpp>
#include <tests/support/temp_dir.hpp>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstring>

#include <weft/nn/train/detail/crc32c.hpp>
#include <weft/nn/train/detail/protobuf.hpp>
#include <weft/nn/train/event_file.hpp>
#include <weft/nn/train/metrics.hpp>
#include <weft/weft.hpp>

using namespace weft;
using Kind = nn::Event::Kind;

namespace {

std::vector<nn::Event> of_kind(const std::vector<nn::Event>& events, Kind kind) {
  std::vector<nn::Event> found;
  std::copy_if(events.begin(), events.end(), std::back_inserter(found), [&](const auto& e) { return e.kind == kind; });
  return found;
}

std::vector<double> reals(std::string_view bytes) {
  std::vector<double> values(bytes.size() / 8);
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

std::uint32_t big_endian(const std::string& bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes.at(at + i));
  return value;
}

struct Pixels {
  std::uint32_t width = 0, height = 0;
  int depth = 0, colours = 0;
  std::string bytes;
};

// As a reader of PNG goes about it: every chunk's checksum, and lines without filter.
Pixels decoded(const std::string& png) {
  Pixels image;
  std::string data;
  REQUIRE(png.starts_with("\x89PNG\r\n\x1a\n"));
  std::vector<std::string> types;
  for (std::size_t at = 8; at < png.size();) {
    const std::size_t length = big_endian(png, at);
    const std::string body = png.substr(at + 4, 4 + length);
    CHECK(big_endian(png, at + 8 + length) ==
          crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size())));
    types.push_back(body.substr(0, 4));
    if (types.back() == "IHDR") {
      image.width = big_endian(body, 4), image.height = big_endian(body, 8);
      image.depth = static_cast<unsigned char>(body[12]), image.colours = static_cast<unsigned char>(body[13]);
      CHECK(body.substr(14) == bytes_of({0, 0, 0}));
    }
    if (types.back() == "IDAT") data += body.substr(4);
    at += 12 + length;
  }
  CHECK(types == std::vector<std::string>{"IHDR", "IDAT", "IEND"});
  const std::size_t channels = image.colours == 0 ? 1 : image.colours == 2 ? 3 : 4;
  std::string lines(image.height * (image.width * channels + 1), '\0');
  uLongf size = lines.size();
  REQUIRE(uncompress(reinterpret_cast<Bytef*>(lines.data()), &size, reinterpret_cast<const Bytef*>(data.data()),
                     data.size()) == Z_OK);
  REQUIRE(size == lines.size());
  for (std::size_t y = 0; y < image.height; ++y) {
    CHECK(lines[y * (image.width * channels + 1)] == 0);
    image.bytes += lines.substr(y * (image.width * channels + 1) + 1, image.width * channels);
  }
  return image;
}

}  // namespace

TEST_CASE("CRC-32C has the values of RFC 3720") {
  CHECK(detail::crc32c(std::string(32, '\0')) == 0x8a9136aa);
  CHECK(detail::crc32c(std::string(32, '\xff')) == 0x62a8ab43);
  CHECK(detail::crc32c("123456789") == 0xe3069283);
  CHECK(detail::crc32c("") == 0);
  CHECK(detail::masked_crc32c("") == 0xa282ead8);
  CHECK(detail::masked_crc32c("123456789") == ((0xe3069283U >> 15 | 0xe3069283U << 17) + 0xa282ead8U));
  CHECK(plain_crc32c("123456789") == 0xe3069283);
}

TEST_CASE("records are those of the format, byte by byte") {
  const TempDir dir;
  nn::EventFile file(dir / "runs/a", 7);
  file.scalar("loss", 300, 0.5);
  const std::string name = file.path().substr(file.path().rfind('/') + 1);
  CHECK(name.starts_with("events.out.tfevents."));
  CHECK(name.find("." + std::to_string(getpid()) + ".") != std::string::npos);
  const std::string bytes = file_bytes(file.path());
  const std::vector<std::string> records = records_of(bytes);
  REQUIRE(records.size() == 3);
  std::string again;
  for (const std::string& data : records) again += record(data);
  CHECK(bytes == again);

  // wall_time = 1, a double; step = 2, a varint
  CHECK(records[0].size() == 9 + 2 + 15);
  CHECK(records[0][0] == 0x09);
  CHECK(records[0].substr(9) == bytes_of({0x10, 0, 0x1a, 13}) + "brain.Event:2");
  CHECK(records[1].substr(9) == bytes_of({0x10, 7, 0x3a, 2, 0x08, 1}));  // a session's start
  CHECK(records[2].substr(9) ==
        bytes_of({0x10, 0xac, 0x02, 0x2a, 13, 0x0a, 11, 0x0a, 4}) + "loss" + bytes_of({0x15, 0, 0, 0, 0x3f}));

  const auto events = nn::read_events(file.path());
  REQUIRE(events.size() == 3);
  CHECK(events[0].kind == Kind::version);
  CHECK(events[0].content == "brain.Event:2");
  CHECK(events[1].kind == Kind::start);
  CHECK(events[1].step == 7);
  CHECK(events[2].kind == Kind::scalar);
  CHECK(events[2].tag == "loss");
  CHECK(events[2].step == 300);
  CHECK(events[2].value == 0.5);
  CHECK(events[2].wall_time > 1.7e9);
  CHECK(events[2].wall_time >= events[0].wall_time);
}

TEST_CASE("numbers that are not usual ones") {
  const TempDir dir;
  nn::EventFile file(dir.path());
  for (const double value : std::initializer_list<double>{NAN, INFINITY, -INFINITY, 0.1, 1e300})
    file.scalar("x", std::int64_t{1} << 40, value);
  const auto events = of_kind(nn::read_events(file.path()), Kind::scalar);
  REQUIRE(events.size() == 5);
  CHECK(std::isnan(events[0].value));
  CHECK(events[1].value == INFINITY);
  CHECK(events[2].value == -INFINITY);
  CHECK(events[3].value == 0.1F);
  CHECK(events[4].value == INFINITY);
  CHECK(events[4].step == std::int64_t{1} << 40);
  file.text("note", 3, "**x**");
  const auto texts = of_kind(nn::read_events(file.path()), Kind::text);
  REQUIRE(texts.size() == 1);
  CHECK(texts[0].content == "**x**");
  CHECK(texts[0].tag == "note");
}

TEST_CASE("a histogram is what a count gives") {
  const TempDir dir;
  nn::EventFile file(dir.path());
  manual_seed(3);
  Tensor values = concat({randn({1000}, f64) * 1e-3, randn({1000}, f64) * 1e25, zeros({5}, f64),
                          tensor({1e-12, -1e-12, 1e-300, 1e-12 * 1.1, 1e20, -1e20}, f64)});
  file.histogram("w", 4, values);
  const std::string content = nn::read_events(file.path()).back().content;
  std::vector<double> limits, buckets;
  double min = 0, max = 0, count = 0, sum = 0, squares = 0;
  for (const auto& field : detail::proto_fields("test", content)) {
    if (field.number == 1) min = field.real();
    if (field.number == 2) max = field.real();
    if (field.number == 3) count = field.real();
    if (field.number == 4) sum = field.real();
    if (field.number == 5) squares = field.real();
    if (field.number == 6) limits = reals(field.bytes);
    if (field.number == 7) buckets = reals(field.bytes);
  }
  const auto data = values.data<double>();
  CHECK(min == *std::min_element(data.begin(), data.end()));
  CHECK(max == *std::max_element(data.begin(), data.end()));
  CHECK(count == 2011);
  CHECK(sum == doctest::Approx(weft::sum(values).item()));
  CHECK(squares == doctest::Approx(weft::sum(square(values)).item()));
  REQUIRE(limits.size() == buckets.size());
  REQUIRE(limits.size() > 100);
  CHECK(limits.size() < 700);
  CHECK(std::is_sorted(limits.begin(), limits.end()));
  // 0 has number 0, 1e-12 * 1.1^k and its negative k + 1 and -k - 1, the ends of all one more.
  const auto number_of = [](double limit) {
    const double power = std::log(std::min(std::abs(limit), 1.1e20) / 1e-12) / std::log(1.1);
    CHECK((limit == 0 || std::abs(limit) > 1e300 || std::abs(power - std::round(power)) < 1e-9));
    return limit == 0 ? 0 : std::copysign(std::floor(power + 0.5) + 1, limit);
  };
  double before = -INFINITY;
  for (std::size_t i = 0; i < limits.size(); ++i) {
    const auto inside = std::count_if(data.begin(), data.end(), [&](double x) { return x >= before && x < limits[i]; });
    CHECK(buckets[i] == static_cast<double>(inside));
    if (i > 0) {
      CHECK((buckets[i] > 0 || buckets[i - 1] > 0));  // empty ones in a row are one
      const double step = number_of(limits[i]) - number_of(limits[i - 1]);
      CHECK((step == 1 || buckets[i] == 0));  // the others are as narrow as they come
    }
    before = limits[i];
  }
  CHECK(limits.back() == std::numeric_limits<double>::max());

  for (const DType dtype : {f32, f64, i64, u8}) file.histogram("d", 1, tensor({1, 1, 2}, {3}, dtype));
  const auto all = of_kind(nn::read_events(file.path()), Kind::histogram);
  REQUIRE(all.size() == 5);
  for (std::size_t i = 2; i < 5; ++i) CHECK(all[i].content == all[1].content);
  file.histogram("most", 1, full({2}, std::numeric_limits<double>::max(), f64));
  CHECK_THROWS_WITH_AS(file.histogram("w", 1, tensor({1, NAN, INFINITY})),
                       "EventFile: histogram \"w\": 2 of 3 elements are nan or infinite, needs finite ones", Error);
  CHECK_THROWS_WITH_AS(file.histogram("w", 1, zeros({0})), doctest::Contains("no elements"), Error);
}

TEST_CASE("a picture comes back pixel by pixel") {
  const TempDir dir;
  nn::EventFile file(dir.path());
  manual_seed(1);
  for (const std::int64_t channels : {1, 3, 4}) {
    const Tensor bytes = randint(0, 256, {5, 7, channels}).to(u8);
    file.image("x", 2, bytes);
    const nn::Event event = nn::read_events(file.path()).back();
    CHECK(event.kind == Kind::image);
    const Pixels image = decoded(event.content);
    CHECK(image.height == 5);
    CHECK(image.width == 7);
    CHECK(image.depth == 8);
    CHECK(image.colours == (channels == 1 ? 0 : channels == 3 ? 2 : 6));
    const auto wanted = bytes.data<std::uint8_t>();
    CHECK(image.bytes == std::string(wanted.begin(), wanted.end()));
    for (const DType dtype : {f32, f64}) {
      file.image("x", 3, bytes.to(dtype) / 255.0);
      CHECK(decoded(nn::read_events(file.path()).back().content).bytes == image.bytes);
    }
    if (channels == 1) {
      file.image("x", 4, reshape(bytes, {5, 7}));
      CHECK(decoded(nn::read_events(file.path()).back().content).bytes == image.bytes);
    }
  }
  file.image("edge", 1, tensor({{0.0, 1.0 + 1e-7, -1e-7}}));  // what rounding does
  CHECK(decoded(nn::read_events(file.path()).back().content).bytes == bytes_of({0, 255, 0}));

  const auto before = file_bytes(file.path());
  CHECK_THROWS_WITH_AS(file.image("x", 1, tensor({{0.5, 1.5}})),
                       "EventFile: image \"x\" got the value 1.5, needs 0 to 1", Error);
  CHECK_THROWS_AS(file.image("x", 1, tensor({{0.5, NAN}})), Error);
  for (const Tensor& bad :
       {zeros({3}), zeros({2, 2, 2}), zeros({2, 2, 5}), zeros({1, 2, 2, 1}), zeros({0, 2}), zeros({2, 2}, i64)})
    CHECK_THROWS_WITH_AS(file.image("x", 1, bad), doctest::Contains("needs u8, f32 or f64"), Error);
  CHECK(file_bytes(file.path()) == before);
}

TEST_CASE("the graph has the modules' names") {
  struct Block : nn::Module {
    nn::Child<nn::Linear> inner{this, "inner", 4, 4}, outer{this, "outer", 4, 4};
    Tensor forward(const Tensor& x) override { return relu(outer(relu(inner(x))) + x); }
  };
  nn::Sequential net(nn::make<Block>(), nn::make<Block>());
  const TempDir dir;
  nn::EventFile file(dir.path());
  auto names = net.named_parameters();
  const Tensor x = randn({2, 4}), split = maximum(net(x), 0.0);
  names.emplace_back("^the input:0", x);
  file.graph(split, names);
  const nn::Event event = nn::read_events(file.path()).back();
  REQUIRE(event.kind == Kind::graph);
  std::vector<std::string> nodes;
  std::vector<std::pair<std::string, std::string>> edges;
  for (const auto& field : detail::proto_fields("graph", event.content)) {
    if (field.number != 1) continue;
    for (const auto& inside : detail::proto_fields("node", field.bytes)) {
      if (inside.number == 1) nodes.emplace_back(inside.bytes);
      if (inside.number == 3) edges.emplace_back(std::string(inside.bytes), nodes.back());
    }
  }
  const auto has = [&](const char* name) { return std::count(nodes.begin(), nodes.end(), name) == 1; };
  for (const char* name : {"0/inner/linear", "0/inner/weight", "0/outer/bias", "0/relu", "0/relu_1", "0/add",
                           "1/relu_1", "1/outer/linear", "_the_input_0"})
    CHECK_MESSAGE(has(name), name);
  const auto edge = [&](const char* from, const char* to) {
    return std::count(edges.begin(), edges.end(), std::pair<std::string, std::string>(from, to)) == 1;
  };
  CHECK(edge("_the_input_0", "0/inner/linear"));
  CHECK(edge("_the_input_0", "0/add"));  // the shortcut, from the same node
  CHECK(edge("0/inner/weight", "0/inner/linear"));
  CHECK(edge("0/relu_1", "1/inner/linear"));
  for (const auto& [from, to] : edges) {
    const auto at = std::find(nodes.begin(), nodes.end(), from);
    CHECK(at != nodes.end());
    CHECK(at < std::find(nodes.begin(), nodes.end(), to));
  }
  file.graph(sum(qr(parameter(randn({3, 2}, f64)))[1]));
  const std::string second_output = nn::read_events(file.path()).back().content;
  CHECK(second_output.find("qr:1") != std::string::npos);
  CHECK_THROWS_WITH_AS(file.graph(x), doctest::Contains("nothing was recorded"), Error);
  CHECK_THROWS_AS(file.graph(Tensor()), Error);
}

TEST_CASE("arguments that cannot be are refused, and files that cannot be written") {
  const TempDir dir;
  nn::EventFile file(dir.path());
  const std::string before = file_bytes(file.path());
  CHECK_THROWS_WITH_AS(file.scalar("", 1, 1), "EventFile: scalar got an empty tag, needs a name", Error);
  CHECK_THROWS_WITH_AS(file.scalar("a", -1, 1), "EventFile: scalar \"a\" got step -1, needs at least 0", Error);
  CHECK_THROWS_AS(file.text("a", -1, "x"), Error);
  CHECK_THROWS_AS(nn::EventFile(dir.path(), -1), Error);
  CHECK(file_bytes(file.path()) == before);
  CHECK(dir.count() == 1);
  put_file(dir / "file", "x");
  CHECK_THROWS_WITH_AS(nn::EventFile(dir / "file"), doctest::Contains("cannot use the directory"), Error);
  CHECK_THROWS_AS(nn::EventFile(dir / "file/below"), Error);
}

TEST_CASE("a file that cannot grow keeps whole records, and goes on when it can") {
  const TempDir dir;
  nn::EventFile file(dir.path());
  file.scalar("a", 1, 1);
  const auto size = file_bytes(file.path()).size();
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto old = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit tight{.rlim_cur = size + 20, .rlim_max = before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_FSIZE, &tight) == 0);
  const std::string message = message_of([&] { file.text("a", 2, std::string(1000, 'x')); });
  REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
  std::signal(SIGXFSZ, old);
  CHECK(message.find("cannot write") != std::string::npos);
  CHECK(file_bytes(file.path()).size() == size);
  file.scalar("a", 3, 1);
  CHECK(nn::read_events(file.path()).back().step == 3);
}

TEST_CASE("files of a run stand in the order in which they were begun") {
  const TempDir dir;
  put_file(dir / "events.out.tfevents.9000000000.elsewhere.1.0", "");
  std::string last = dir / "events.out.tfevents.9000000000.elsewhere.1.0";
  for (int i = 0; i < 12; ++i) {
    const nn::EventFile file(dir.path());
    CHECK(file.path() > last);
    last = file.path();
  }
}

TEST_CASE("Metrics writes its rows as points, and begins again at the row that is kept") {
  const TempDir dir;
  const std::string csv = dir / "m.csv";
  const auto points = [&](const std::string& path) {
    std::vector<std::tuple<std::string, std::int64_t, double>> result;
    for (const nn::Event& e : of_kind(nn::read_events(path), Kind::scalar)) result.emplace_back(e.tag, e.step, e.value);
    return result;
  };
  {
    nn::Metrics metrics(csv, {"epoch", "loss", "accuracy"}, {.events = dir / "run"});
    for (int epoch = 1; epoch <= 3; ++epoch) metrics.add(10 * epoch, 1.0 / epoch, 0.25);
    CHECK(points(metrics.events().path()).size() == 6);
    CHECK(points(metrics.events().path())[2] == std::tuple<std::string, std::int64_t, double>("loss", 20, 0.5));
    CHECK(nn::read_events(metrics.events().path())[1].step == 0);
    const std::string before = file_bytes(csv);
    CHECK_THROWS_WITH_AS(metrics.add(1.5, 1, 1), doctest::Contains("got 1.5 in the first column"), Error);
    CHECK_THROWS_AS(metrics.add(-1, 1, 1), Error);
    CHECK_THROWS_AS(metrics.add(NAN, 1, 1), Error);
    CHECK(file_bytes(csv) == before);
    CHECK(points(metrics.events().path()).size() == 6);
  }
  nn::Metrics metrics(csv, {"epoch", "loss", "accuracy"}, {.keep = 2, .events = dir / "run"});
  const auto start = nn::read_events(metrics.events().path())[1];
  CHECK(start.kind == Kind::start);
  CHECK(start.step == 21);  // what was at 30 no longer counts
  metrics.add(30, 0.3, 0.5);
  CHECK(points(metrics.events().path()).size() == 2);
  CHECK(file_bytes(csv) == "epoch,loss,accuracy\n10,1,0.25\n20,0.5,0.25\n30,0.3,0.5\n");
  metrics.events().histogram("w", 30, ones({2}));
  CHECK(of_kind(nn::read_events(metrics.events().path()), Kind::histogram).size() == 1);

  CHECK_THROWS_WITH_AS(nn::Metrics(csv, {"epoch", "loss", "accuracy"}, 1).events(), doctest::Contains("no event file"),
                       Error);
  {
    nn::Metrics inside(dir / "new/run/m.csv", {"epoch"}, {.events = dir / "new/run"});
    inside.add(1);
  }
  CHECK_THROWS_AS(nn::Metrics(dir / "no/m.csv", {"epoch"}, {.events = dir / "other"}), Error);
  CHECK(std::filesystem::is_empty(dir / "other"));  // no file that would take points back
  CHECK_THROWS_AS(nn::Metrics(dir / "n.csv", {"epoch"}, {.events = csv}), Error);
  CHECK_FALSE(std::filesystem::exists(dir / "n.csv"));
}
