// Metrics files and the progress bar's line.
#include <doctest/doctest.h>
#include <tests/support/message_of.hpp>
#include <tests/support/temp_dir.hpp>

#include <cmath>

#include <weft/engine/error.hpp>
#include <weft/nn/train/metrics.hpp>
#include <weft/nn/train/progress.hpp>

using namespace weft;

TEST_CASE("CSV rows are written at once and read back") {
  const TempDir dir;
  const std::string path = dir / "m.csv";
  {
    nn::Metrics metrics(path, {"epoch", "loss"});
    metrics.add({1, 0.1});
    CHECK(file_bytes(path) == "epoch,loss\n1,0.1\n");
    const int epoch = 2;
    metrics.add(epoch, 1e-9);
    metrics.add({3, NAN});
    CHECK_THROWS_AS(metrics.add({4}), Error);
  }
  const nn::MetricsTable table = nn::read_metrics(path);
  CHECK(table.columns == std::vector<std::string>{"epoch", "loss"});
  REQUIRE(table.rows.size() == 3);
  CHECK(table.rows[1][table.column("loss")] == 1e-9);
  CHECK(std::isnan(table.rows[2][1]));
  CHECK_THROWS_AS(table.column("accuracy"), Error);

  nn::Metrics(path, {"epoch", "loss"}, 2).add({3, 0.5});
  CHECK(file_bytes(path) == "epoch,loss\n1,0.1\n2,1e-09\n3,0.5\n");
  CHECK_THROWS_WITH_AS(nn::Metrics(path, {"epoch"}, 2), doctest::Contains("other columns"), Error);
  put_file(path, file_bytes(path) + "4,0.");  // cut while it was written
  nn::Metrics(path, {"epoch", "loss"}, 3).add({4, 0.25});
  CHECK(file_bytes(path) == "epoch,loss\n1,0.1\n2,1e-09\n3,0.5\n4,0.25\n");
  { const nn::Metrics begun(path, {"a"}); }
  CHECK(file_bytes(path) == "a\n");
}

TEST_CASE("JSON lines are written, read back and gone on with") {
  const TempDir dir;
  const std::string path = dir / "m.jsonl";
  nn::Metrics metrics(path, {"epoch", "loss"});
  metrics.add({1, 0.25});
  metrics.add({2, INFINITY});
  CHECK(file_bytes(path) == "{\"epoch\": 1, \"loss\": 0.25}\n{\"epoch\": 2, \"loss\": null}\n");
  const nn::MetricsTable table = nn::read_metrics(path);
  CHECK(table.columns == std::vector<std::string>{"epoch", "loss"});
  REQUIRE(table.rows.size() == 2);
  CHECK(table.rows[0] == std::vector<double>{1, 0.25});
  CHECK(std::isnan(table.rows[1][1]));

  put_file(path, file_bytes(path) + "{\"epoch\": 3, ");
  CHECK_THROWS_WITH_AS(nn::read_metrics(path), doctest::Contains("line 3"), Error);
  nn::Metrics(path, {"epoch", "loss"}, 1).add({2, 0.5});
  CHECK(file_bytes(path) == "{\"epoch\": 1, \"loss\": 0.25}\n{\"epoch\": 2, \"loss\": 0.5}\n");
  CHECK_THROWS_WITH_AS(nn::Metrics(path, {"epoch"}, 2), doctest::Contains("other columns"), Error);
  for (const char* line : {"3\n", "{\"a\": \"b\"}\n", "{\"a\": 1}\n{\"b\": 1}\n"}) {
    put_file(path, line);
    CHECK_THROWS_AS(nn::read_metrics(path), Error);
  }
}

TEST_CASE("metrics that cannot be are refused") {
  const TempDir dir;
  CHECK_THROWS_AS(nn::Metrics(dir / "no/m.csv", {"a"}), Error);
  CHECK_THROWS_AS(nn::Metrics(dir / "m.csv", {}), Error);
  CHECK_THROWS_AS(nn::Metrics(dir / "m.csv", {"a,b"}), Error);
  CHECK_THROWS_AS(nn::read_metrics(dir / "missing"), Error);
  put_file(dir / "bad.csv", "a,b\n1,2\n1,x\n");
  CHECK_THROWS_WITH_AS(nn::read_metrics(dir / "bad.csv"), doctest::Contains("line 3"), Error);
  put_file(dir / "bad.csv", "a,b\n1,\x1b[31m" + std::string(1000, 'x') + "\n");
  const std::string text = message_of([&] { nn::read_metrics(dir / "bad.csv"); });
  CHECK(text.find("\\x1b[31mxx") != std::string::npos);
  CHECK(text.size() < 200);
  put_file(dir / "bad.csv", "a,b\n1\n");
  CHECK_THROWS_AS(nn::read_metrics(dir / "bad.csv"), Error);
  CHECK(dir.count() == 1);
}

TEST_CASE("the progress line fits its width") {
  const auto line = [](std::int64_t done, int width) {
    return detail::progress_line("epoch 1/3", 60000, 0, done, 10, {{"loss", 0.4126}}, width);
  };
  CHECK(line(30000, 100) ==
        "epoch 1/3 [===============>              ]  50% 30,000/60,000  3000/s  loss 0.413  0:10 left");
  CHECK(line(0, 100).find("left") == std::string::npos);  // no rate yet
  CHECK(line(60000, 100).find("100%") != std::string::npos);
  for (const int width : {0, 1, 20, 60, 70, 80}) CHECK(static_cast<int>(line(30000, width).size()) <= width);
  CHECK(detail::progress_line("x", 1000, 500, 600, 1, {}, 80).find("100/s") != std::string::npos);
  CHECK(detail::progress_line("x", 10, 0, 1, 1000, {}, 80).find("2:30:00 left") != std::string::npos);
  CHECK(detail::progress_line("x", 100, 0, 150, 2, {}, 80).find("0:00 left") != std::string::npos);  // more than said
  nn::Progress quiet("x", 10);  // standard error of a test is no terminal: nothing to be seen
  quiet.update(5, {{"loss", 1}});
}
