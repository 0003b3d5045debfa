// A process that is told to write no files does everything but that.
#include <doctest/doctest.h>
#include <tests/support/message_of.hpp>
#include <tests/support/temp_dir.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/files.hpp>
#include <weft/engine/profile.hpp>
#include <weft/nn/files/checkpoint.hpp>
#include <weft/nn/files/npy.hpp>
#include <weft/nn/layers/linear.hpp>
#include <weft/nn/page.hpp>
#include <weft/nn/train/metrics.hpp>

using namespace weft;

TEST_CASE("without set_writes_files, files are written; with it off none is, whatever writes it") {
  const TempDir dir;
  nn::Linear net(2, 3);
  const auto write_all = [&] {
    nn::save(dir / "net.safetensors", net);
    nn::save_npy(dir / "x.npy", ones({3}));
    nn::Metrics metrics(dir / "m.csv", {"a", "b"}, {.events = dir / "events"});
    metrics.add(1.0, 2.0);
    metrics.events().histogram("x", 1, ones({3}));
    nn::Page page("net");
    page.summary(net, {1, 2});
    page.write(dir / "page.html");
    Profile profile;
    profile.write_chrome_trace(dir / "trace.json");
  };
  CHECK(writes_files());
  set_writes_files(false);
  write_all();
  CHECK(dir.count() == 0);
  // It says of mistakes what it says elsewhere.
  CHECK(message_of([&] { nn::Metrics(dir / "m.csv", {}); }) == "Metrics: got no columns, needs at least one");
  nn::Metrics metrics(dir / "m.csv", {"a"});
  CHECK(message_of([&] { metrics.add(1.0, 2.0); }) == "Metrics: got 2 values, needs 1");
  set_writes_files(true);
  write_all();
  CHECK(dir.count() == 6);
}
