// Event files that are cut, damaged or made up to deceive, and those of a run that was killed.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <tests/support/event_records.hpp>
#include <tests/support/message_of.hpp>
#include <tests/support/temp_dir.hpp>

#include <algorithm>
#include <csignal>

#include <weft/engine/create.hpp>
#include <weft/nn/train/event_file.hpp>

using namespace weft;

TEST_CASE("a run that is killed leaves whole records") {
  const TempDir dir;
  const pid_t child = fork();
  if (child == 0) {
    nn::EventFile file(dir.path());
    for (std::int64_t i = 0;; ++i) file.scalar("x", i, 1);
  }
  const auto written = [&] {
    for (const auto& entry : std::filesystem::directory_iterator(dir.path()))
      if (entry.file_size() > 20'000) return entry.path().string();
    return std::string();
  };
  while (written().empty()) usleep(1000);
  kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  const auto events = nn::read_events(written());
  CHECK(events.size() > 300);
  CHECK(events.back().step == static_cast<std::int64_t>(events.size()) - 3);
}

TEST_CASE("what is cut or damaged is an error of one line") {
  const TempDir dir;
  std::string whole;
  {
    nn::EventFile file(dir.path());
    file.scalar("loss", 1, 0.5);
    file.histogram("w", 2, ones({3}));
    file.image("i", 2, ones({2, 2}));
    whole = file_bytes(file.path());
  }
  std::vector<std::size_t> ends = {0};
  for (const std::string& data : records_of(whole)) ends.push_back(ends.back() + data.size() + 16);
  const std::string path = dir / "bad";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    put_file(path, whole.substr(0, size));
    const std::string message = message_of([&] { nn::read_events(path); });
    if (std::count(ends.begin(), ends.end(), size) == 1)
      CHECK(message.empty());
    else
      CHECK_MESSAGE((message.starts_with("read_events: " + path) && message.find('\n') == std::string::npos), message);
  }
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1 << at % 8);
    put_file(path, damaged);
    CHECK_MESSAGE(message_of([&] { nn::read_events(path); }).starts_with("read_events: "), at);
  }
  CHECK_THROWS_AS(nn::read_events(dir / "missing"), Error);
  CHECK_THROWS_AS(nn::read_events(dir.path()), Error);
}

TEST_CASE("what is made up, with checksums that are right, is an error too") {
  const TempDir dir;
  const std::string path = dir / "bad";
  const auto refused = [&](const std::string& bytes) {
    put_file(path, bytes);
    const std::string message = message_of([&] { nn::read_events(path); });
    return message.starts_with("read_events: ") && message.size() < 300;
  };
  for (const std::uint64_t length :
       {~std::uint64_t{0}, ~std::uint64_t{0} - 11, std::uint64_t{1} << 62, std::uint64_t{1000}}) {
    std::string text;
    detail::put_little_endian(text, length);
    CHECK(refused(text + checksum_of(text) + "abcd"));
  }
  CHECK(refused(record(bytes_of({0x2a, 100}))));  // a field longer than the message
  CHECK(refused(record(bytes_of({0x2a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}))));
  CHECK(refused(record(bytes_of({0x10}))));                                                              // no number
  CHECK(refused(record(bytes_of({0x10, 0x80, 0x80}))));                                                  // half of one
  CHECK(refused(record(bytes_of({0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02}))));  // 65 bits
  CHECK(refused(record(bytes_of({0x09, 1, 2}))));           // part of a double
  CHECK(refused(record(bytes_of({0x0b}))));                 // a group
  CHECK(refused(record(bytes_of({0x00, 0}))));              // field 0
  CHECK(refused(record(bytes_of({0x2a, 3, 0x0a, 9, 1}))));  // inside
  CHECK_FALSE(refused(record("")));
  CHECK_FALSE(refused(record(bytes_of({0x78, 1, 0x85, 1, 0, 0, 0, 0}))));  // fields that are not known
}
