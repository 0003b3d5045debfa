// Every row of the op table, through the checks that users have for ops of their own.
#include <doctest/doctest.h>
#include <tests/support/op_table.hpp>
#include <tests/support/sanitized.hpp>
#include <weft/testing/check_op.hpp>

using namespace weft;

TEST_CASE("every row of the op table holds") {
  for (const test::OpRow& row : test::op_table()) {
    const testing::CheckResult result =
        testing::check_op(row, {.order = test::sanitized ? 2 : 3, .repeat = !test::sanitized});
    CHECK_MESSAGE(result.ok, result.message);
  }
}
