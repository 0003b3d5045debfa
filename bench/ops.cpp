// Every row of the op table that has benchmark inputs. Where WEFT_INPUTS names a file, only writes there what inputs
// these are, for programs that time the same elsewhere.
#include <tests/support/op_table.hpp>
#include <weft/testing/bench_op.hpp>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "raw.hpp"

namespace {

void write_inputs(const char* path) {
  const char* domains[] = {"normal", "uniform", "grid", "integers", "rare"};
  auto rows = nlohmann::json::array();
  for (const weft::testing::OpRow& row : weft::test::op_table())
    for (const std::int64_t size : weft::testing::BenchOptions().sizes) {
      if (!row.sized) continue;
      auto inputs = nlohmann::json::array();
      for (const auto& [shape, domain, dtype] : row.sized(size))
        inputs.push_back({{"shape", std::vector<std::int64_t>(shape.begin(), shape.end())},
                          {"dtype", weft::name_of(dtype)},
                          {"domain", domains[domain.kind]},
                          {"low", domain.low},
                          {"high", domain.high},
                          {"chance", domain.chance}});
      rows.push_back({{"title", row.title()}, {"size", size}, {"inputs", inputs}});
    }
  std::ofstream(path) << rows;
}

}  // namespace

int main(int argc, char** argv) {
  if (const char* path = std::getenv("WEFT_INPUTS")) return write_inputs(path), 0;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  for (weft::testing::OpRow row : weft::test::op_table()) {
    if (row.variant.empty()) row.raw = weft::bench::raw_loop(row.name);
    weft::testing::bench_op(row);
  }
  for (const auto dtype : {weft::f32, weft::f64})
    benchmark::AddCustomContext("multiply_add_" + std::string(weft::name_of(dtype)),
                                std::to_string(weft::testing::multiply_add_rate(dtype)));
  for (const std::int64_t bytes : {1 << 15, 1 << 18, 1 << 22, 1 << 26})
    benchmark::AddCustomContext("stream_" + std::to_string(bytes), std::to_string(weft::testing::stream_rate(bytes)));
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
