// The op table is complete: every op that a header declares has a row, and every row the cases that the tests rely on.
#include <doctest/doctest.h>
#include <tests/support/op_table.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>

using namespace weft;
using weft::test::OpRow;

namespace {

// The functions that a text declares at the start of a line and that give tensors.
std::set<std::string> declared_ops(const std::string& text) {
  static const std::regex declaration("^(?:Tensor|Tensors|Ordered)\\s+(\\w+)\\(", std::regex::multiline);
  std::set<std::string> names;
  for (std::sregex_iterator at(text.begin(), text.end(), declaration), end; at != end; ++at) names.insert((*at)[1]);
  return names;
}

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::set<std::string> all_declared() {
  const std::filesystem::path source = WEFT_SOURCE_DIR;
  std::vector<std::filesystem::path> headers = {source / "engine/ops_needed.hpp", source / "nn/losses.hpp"};
  for (const auto& entry : std::filesystem::directory_iterator(source / "ops"))
    if (entry.path().extension() == ".hpp") headers.push_back(entry.path());
  std::set<std::string> names;
  for (const auto& header : headers) names.merge(declared_ops(text_of(header)));
  return names;
}

std::set<std::string> without_row(const std::set<std::string>& declared, const std::vector<OpRow>& rows) {
  std::set<std::string> left = declared;
  for (const OpRow& row : rows) left.erase(row.name);
  return left;
}

}  // namespace

TEST_CASE("every declared op has a row") {
  const auto declared = all_declared();
  CHECK(declared.size() > 60);
  for (const char* name : {"add", "sum_to", "conv2d", "split", "cross_entropy", "exp"})
    CHECK(declared.count(name) == 1);
  for (const std::string& name : without_row(declared, test::op_table())) FAIL_CHECK("no row in the op table: ", name);
}

TEST_CASE("an op without a row is found") {
  std::vector<OpRow> rows = test::op_table();
  std::erase_if(rows, [](const OpRow& row) { return row.name == "tanh"; });
  CHECK(without_row(all_declared(), rows) == std::set<std::string>{"tanh"});
  CHECK(
      declared_ops("Tensors cut(const Tensor& a);\n/// x\nTensor glue(const Tensors& parts);\n  Tensor inner(int);") ==
      std::set<std::string>{"cut", "glue"});
}

TEST_CASE("every row has what the tests need") {
  std::set<std::string> titles, with_benchmark;
  for (const OpRow& row : test::op_table()) {
    INFO(row.title());
    CHECK(titles.insert(row.title()).second);
    CHECK(row.function != nullptr);
    CHECK(row.reference != nullptr);
    CHECK(row.cases.size() >= 1);
    const auto is_single = [](const test::Inputs& inputs) {
      return std::all_of(inputs.begin(), inputs.end(), [](const test::Input& i) { return i.shape.size() == 1; });
    };
    CHECK((std::any_of(row.cases.begin(), row.cases.end(), test::has_empty) || !row.no_empty.empty()));
    CHECK((std::any_of(row.cases.begin(), row.cases.end(), is_single) || !row.no_single.empty()));
    const auto is_large = [](const test::Inputs& inputs) { return test::size_of(inputs) >= test::large_size; };
    CHECK((std::any_of(row.large.begin(), row.large.end(), is_large) || !row.no_large.empty()));
    if (row.sized) {
      for (const std::int64_t n : {1, 1000}) CHECK(!test::has_empty(row.sized(n)));
      with_benchmark.insert(row.name);
    }
  }
  CHECK(with_benchmark.size() > 45);
}
