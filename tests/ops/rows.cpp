// Every row of the op table, through the checks that users have for ops of their own. Variables of the environment:
// WEFT_ROWS names a file for what is found out about each, for script/ops_page; WEFT_DRAWS is how many random sizes are
// tried; with WEFT_PART=2/4 only the second quarter of the rows is run.
#include <doctest/doctest.h>
#include <tests/support/op_table.hpp>
#include <tests/support/sanitized.hpp>
#include <weft/testing/check_op.hpp>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

using namespace weft;

namespace {

nlohmann::json found_out(const test::OpRow& row, const testing::CheckResult& result, int order) {
  return {{"name", row.name},
          {"order", row.differentiable ? order : 0},
          {"integers", row.integers},
          {"max_error", result.max_error},
          {"f32_error", result.f32_error},
          {"cost", row.flops ? "by its operations" : "by its memory"}};
}

}  // namespace

TEST_CASE("every row of the op table holds") {
  const int order = test::sanitized ? 2 : 3;
  const char* const given = std::getenv("WEFT_DRAWS");
  const int draws = given != nullptr ? std::atoi(given) : test::sanitized ? 2 : 20;
  int part = 1, parts = 1, place = 0;
  if (const char* given_part = std::getenv("WEFT_PART")) REQUIRE(std::sscanf(given_part, "%d/%d", &part, &parts) == 2);
  nlohmann::json all = nlohmann::json::array();
  for (const test::OpRow& row : test::op_table()) {
    if (place++ % parts != part - 1) continue;
    const testing::CheckResult result =
        testing::check_op(row, {.order = order, .draws = draws, .repeat = !test::sanitized});
    CHECK_MESSAGE(result.ok, result.message);
    all.push_back(found_out(row, result, order));
  }
  if (const char* path = std::getenv("WEFT_ROWS")) std::ofstream(path) << all.dump(1) << '\n';
}
