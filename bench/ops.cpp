// Every row of the op table that has benchmark inputs.
#include <tests/support/op_table.hpp>
#include <weft/testing/bench_op.hpp>

#include "raw.hpp"

int main(int argc, char** argv) {
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
