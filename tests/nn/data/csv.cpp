// read_csv: what it makes of a table, and of files that are none.
#include <doctest/doctest.h>
#include <tests/support/gzip.hpp>
#include <tests/support/message_of.hpp>
#include <tests/support/temp_dir.hpp>

#include <clocale>
#include <cmath>
#include <limits>

#include <weft/nn/data/csv.hpp>
#include <weft/nn/data/loader.hpp>

using namespace weft;

namespace {

using Texts = std::vector<std::string>;

nn::Table read(const std::string& text, const nn::CsvOptions& options = {}) {
  const TempDir dir;
  put_file(dir / "t.csv", text);
  return nn::read_csv(dir / "t.csv", options);
}

// The message without the directory; "" if there is none.
std::string error_of(const std::string& text, const nn::CsvOptions& options = {}) {
  const TempDir dir;
  put_file(dir / "t.csv", text);
  std::string message = message_of([&] { nn::read_csv(dir / "t.csv", options); });
  CHECK(message.find('\n') == std::string::npos);
  if (const auto at = message.find(dir.path()); at != std::string::npos) message.erase(at, dir.path().size() + 1);
  return message;
}

std::vector<double> numbers(const Tensor& t) {
  const Tensor wide = t.to(f64);
  const auto data = wide.data<double>();
  return {data.begin(), data.end()};
}

using Numbers = std::vector<double>;

}  // namespace

TEST_CASE("the target becomes y, all other columns x") {
  const nn::Table table = read("a,y,b\n1,2,3\n4,5,6.5\n", {.target = "y"});
  CHECK(table.x.shape() == Shape{2, 2});
  CHECK(table.x.dtype() == f32);
  CHECK(numbers(table.x) == Numbers{1, 3, 4, 6.5});
  CHECK(table.y.shape() == Shape{2, 1});
  CHECK(table.y.dtype() == f32);
  CHECK(numbers(table.y) == Numbers{2, 5});
  CHECK(table.columns == Texts{"a", "b"});
  CHECK(table.targets == Texts{"y"});
  CHECK(table.categories.empty());

  const nn::Dataset data = read("a,y\n1,2\n", {.target = "y"});
  CHECK(data.size() == 1);
  nn::DataLoader loader(read("a,y\n1,2\n3,4\n", {.target = "y"}), {.batch_size = 2});
  for (auto [x, y] : loader) CHECK(y.at({1, 0}) == 4);
}

TEST_CASE("columns are chosen, ordered, ignored, and called by number without a header") {
  const std::string text = "a,b,c,d\n1,2,3,4\n5,6,7,8\n";
  const nn::Table two = read(text, {.target = {"d", "a"}, .dtype = f64});
  CHECK(two.y.dtype() == f64);
  CHECK(numbers(two.y) == Numbers{4, 1, 8, 5});
  CHECK(two.targets == Texts{"d", "a"});
  CHECK(two.columns == Texts{"b", "c"});
  const nn::Table chosen = read(text, {.target = "a", .columns = {"d", "b"}});
  CHECK(numbers(chosen.x) == Numbers{4, 2, 8, 6});
  CHECK(chosen.columns == Texts{"d", "b"});
  const nn::Table without = read("a,b,c\n1,word,2\n3,,4\n", {.target = "c", .ignore = "b"});
  CHECK(numbers(without.x) == Numbers{1, 3});
  const nn::Table bare = read("1,2,3\n4,5,6\n", {.target = "2", .ignore = Texts{"0"}, .header = false});
  CHECK(numbers(bare.x) == Numbers{2, 5});
  CHECK(numbers(bare.y) == Numbers{3, 6});
  CHECK(bare.columns == Texts{"1"});
  const nn::Table no_target = read(text);
  CHECK(no_target.x.shape() == Shape{2, 4});
  CHECK(no_target.y.shape() == Shape{2, 0});
  nn::DataLoader loader(no_target, {.batch_size = 2});
  for (const auto& batch : loader) CHECK(batch.y.shape() == Shape{2, 0});
}

TEST_CASE("quotes, spaces, line ends, a byte order mark, comments and empty lines") {
  const nn::Table quoted = read("\"a \"\"b\"\"\",\"c,d\",\"e\nf\"\r\n\"1\" , 2,\t3 \r\n\r\n \"4\",5 ,\"6\"");
  CHECK(quoted.columns == Texts{"a \"b\"", "c,d", "e\nf"});
  CHECK(numbers(quoted.x) == Numbers{1, 2, 3, 4, 5, 6});
  CHECK(read("\xEF\xBB\xBF"
             "a,b\n1,2\n")
            .columns == Texts{"a", "b"});
  CHECK(read("\xEF\xBB\xBF\"a\"\n1\n").columns == Texts{"a"});
  CHECK(numbers(read("a,b\r1,2\r3,4\r\r").x) == Numbers{1, 2, 3, 4});
  CHECK(numbers(read("\n \n a\n1\n\n2\n   \n\n").x) == Numbers{1, 2});
  CHECK(numbers(read("# who, when\na;b\n  # one\n1;2\n#", {.separator = ';', .comment = '#'}).x) == Numbers{1, 2});
  const nn::Table tabs = read("a \tb\n1\t 2\n\t3\n", {.missing = nn::Missing::value, .separator = '\t'});
  CHECK(tabs.columns == Texts{"a", "b"});
  CHECK(numbers(tabs.x) == Numbers{1, 2, 0, 3});
  CHECK(numbers(read("a b\n1 2\n", {.separator = ' '}).x) == Numbers{1, 2});
  CHECK(read(",a\n0,1\n").columns == Texts{"", "a"});
  CHECK(read("it\"s,b\n1,2\n").columns == Texts{"it\"s", "b"});
  // Rows over the ends of the reader's buffer.
  std::string text = "a,b\n";
  double sum = 0;
  for (int i = 0; i < 60000; ++i) {
    text += std::to_string(i) + "," + std::string(static_cast<std::size_t>(i % 7), ' ') + "\"7\"\r\n";
    sum += i;
  }
  const nn::Table longer = read(text, {.target = "b", .dtype = f64});
  CHECK(longer.size() == 60000);
  double got = 0;
  for (const double value : longer.x.data<double>()) got += value;
  CHECK(got == sum);
}

TEST_CASE("numbers are read to the last bit, whatever the locale") {
  const char* const before = std::setlocale(LC_NUMERIC, nullptr);
  const std::string kept = before;
  std::setlocale(LC_NUMERIC, "de_DE.UTF-8");  // if there is one
  const Numbers got = numbers(read("a\n0.1\n-1.7976931348623157e308\n4.9406564584124654e-324\n+2\n.5\n5.\n-"
                                   "0\n1E3\ninf\n-Infinity\n1e-999\n-1E-999\n",
                                   {.dtype = f64})
                                  .x);
  std::setlocale(LC_NUMERIC, kept.c_str());
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(got == Numbers{0.1, -std::numeric_limits<double>::max(), std::numeric_limits<double>::denorm_min(), 2, 0.5, 5,
                       0, 1000, infinity, -infinity, 0, 0});
  CHECK(std::signbit(got[6]));
  CHECK(std::signbit(got[11]));
  CHECK(numbers(read("a\n3.4028234e38\n1e-60\n-inf\n").x) == Numbers{std::numeric_limits<float>::max(), 0, -infinity});
  CHECK(error_of("a\n1\n3.5e38\n") == "read_csv: t.csv:3, column \"a\": got \"3.5e38\", which is too large for f32");
  CHECK(error_of("a\n-1e999\n", {.dtype = f64}) ==
        "read_csv: t.csv:2, column \"a\": got \"-1e999\", which is too large for f64");
  for (const char* text :
       {"1.2.3", "1,5", "1 2", "0x10", "--1", "+-1", "+", "1e", "1f", "one", "1_000", "\xE2\x88\x92\x31", "-"})
    CHECK(error_of("a;b\n" + std::string(text) + ";1\n", {.separator = ';'}).find("needs a number") !=
          std::string::npos);
}

TEST_CASE("missing values: an error, no row, the mean, a value") {
  for (const char* text : {"", "  ", "\"\"", "?", "NA", "na", "N/A", "nan", "NaN", "-nan", "null", "NULL"}) {
    CHECK(error_of("a,b\n1,2\n3," + std::string(text) + "\n").find("read_csv: t.csv:3, column \"b\": got ") == 0);
    CHECK(numbers(read("a,b\n1,2\n3," + std::string(text) + "\n", {.missing = nn::Missing::drop_row}).x) ==
          Numbers{1, 2});
  }
  CHECK(error_of("a,b\n1,\n") ==
        "read_csv: t.csv:2, column \"b\": got \"\", a missing value, needs a value or CsvOptions::missing");
  const std::string text = "a,b,y\n1,NA,1\n?,4,2\n5,8,3\n";
  CHECK(numbers(read(text, {.target = "y", .missing = nn::Missing::mean}).x) == Numbers{1, 6, 3, 4, 5, 8});
  const nn::Table dropped = read(text, {.target = "y", .missing = nn::Missing::drop_row});
  CHECK(numbers(dropped.x) == Numbers{5, 8});
  CHECK(numbers(dropped.y) == Numbers{3});
  CHECK(numbers(read(text, {.target = "y", .missing = nn::Missing::value, .missing_value = -1}).x) ==
        Numbers{1, -1, -1, 4, 5, 8});
  CHECK(numbers(read("a,b\n1,-999\n-,2\n",
                     {.missing = nn::Missing::value, .missing_value = 7, .missing_texts = {"-999", "-"}})
                    .x) == Numbers{1, 7, 7, 2});
  CHECK(numbers(read("a,b\n1,\n2,3\n", {.ignore = "b"}).x) == Numbers{1, 2});  // where nothing is asked for
  for (const auto how : {nn::Missing::mean, nn::Missing::value})
    CHECK(error_of("a,y\n1,\n", {.target = "y", .missing = how}) ==
          "read_csv: t.csv:2, column \"y\": got \"\", a missing value, needs a target or Missing::drop_row");
  CHECK(error_of("a,b\n1,\n2,NA\n", {.missing = nn::Missing::mean}) ==
        "read_csv: t.csv has no value in column \"b\" to take the mean of");
  CHECK(error_of("a,b\n1,\n2,NA\n", {.missing = nn::Missing::drop_row}) ==
        "read_csv: t.csv has no rows without missing values");
}

TEST_CASE("categories become columns of 0 and 1, sorted") {
  const std::string text = "size,colour,y\n10,red,1\n9,blue,2\n10,\"light, blue\",3\n";
  const nn::Table named = read(text, {.target = "y", .categorical = {"colour", "size"}});
  CHECK(named.columns == Texts{"size=9", "size=10", "colour=blue", "colour=light, blue", "colour=red"});
  CHECK(numbers(named.x) == Numbers{0, 1, 0, 0, 1, 1, 0, 1, 0, 0, 0, 1, 0, 1, 0});
  REQUIRE(named.categories.size() == 2);
  CHECK(named.categories[1].column == "colour");
  CHECK(named.categories[1].names == Texts{"blue", "light, blue", "red"});
  const nn::Table found = read(text, {.target = "y", .one_hot_text = true});
  CHECK(found.columns == Texts{"size", "colour=blue", "colour=light, blue", "colour=red"});
  CHECK(numbers(found.x) == Numbers{10, 0, 0, 1, 9, 1, 0, 0, 10, 0, 1, 0});
  CHECK(found.y.shape() == Shape{3, 1});
  // A column of numbers with a word far down; a missing category is none.
  const nn::Table late = read("a,b\n1,2\n2,NA\n1,x\n", {.one_hot_text = true, .missing = nn::Missing::value});
  CHECK(late.columns == Texts{"a", "b=2", "b=x"});
  CHECK(numbers(late.x) == Numbers{1, 1, 0, 2, 0, 0, 1, 0, 1});
  CHECK(read("a,b\n1,2\n2,NA\n", {.one_hot_text = true, .missing = nn::Missing::value}).columns == Texts{"a", "b"});
  // A row that is left out leaves no category.
  CHECK(read("a,b\nred,1\nblue,\n", {.categorical = "a", .missing = nn::Missing::drop_row}).columns ==
        Texts{"a=red", "b"});
  CHECK(error_of("a\nx\ny\nz\n", {.categorical = "a", .max_categories = 2}) ==
        "read_csv: t.csv:4, column \"a\": got more than 2 categories, needs fewer or more max_categories");
  CHECK(error_of("a,y\n1,word\n", {.target = "y", .one_hot_text = true}) ==
        "read_csv: t.csv:2, column \"y\": got \"word\", needs a number");
}

TEST_CASE("a categorical target: labels, or one-hot") {
  const std::string text = "a,kind\n1,cat\n2,dog\n3,ant\n4,cat\n";
  const nn::Table labelled = read(text, {.target = "kind", .labels = true});
  CHECK(labelled.y.shape() == Shape{4});
  CHECK(labelled.y.dtype() == i64);
  CHECK(numbers(labelled.y) == Numbers{1, 2, 0, 1});
  CHECK(labelled.targets == Texts{"kind"});
  REQUIRE(labelled.categories.size() == 1);
  CHECK(labelled.categories[0].names == Texts{"ant", "cat", "dog"});
  CHECK(numbers(read("a,y\n1,10\n2,9\n3,2\n", {.target = "y", .labels = true, .max_categories = 1}).y) ==
        Numbers{2, 1, 0});
  const nn::Table hot = read(text, {.target = "kind", .categorical = "kind"});
  CHECK(hot.y.shape() == Shape{4, 3});
  CHECK(hot.targets == Texts{"kind=ant", "kind=cat", "kind=dog"});
  CHECK(numbers(hot.y) == Numbers{0, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 0});
  CHECK(error_of(text, {.target = {"a", "kind"}, .labels = true}) == "read_csv: got 2 targets, needs one for labels");
  CHECK(error_of("a,y\n1,\n", {.target = "y", .labels = true, .missing = nn::Missing::mean}).find("needs a target") !=
        std::string::npos);
}

TEST_CASE("a second table has the categories of the first") {
  const nn::Table train = read("c,k,y\nred,u,b\ngreen,v,a\n", {.target = "y", .one_hot_text = true, .labels = true});
  const nn::CsvOptions same = {.target = "y", .labels = true, .categories = train.categories};
  const nn::Table test = read("k,c,y\nv,red,b\n", same);
  CHECK(test.columns == Texts{"k=u", "k=v", "c=green", "c=red"});
  CHECK(numbers(test.x) == Numbers{0, 1, 0, 1});
  CHECK(numbers(test.y) == Numbers{1});
  CHECK(error_of("c,k,y\nblue,u,a\n", same) ==
        "read_csv: t.csv:2, column \"c\": got \"blue\", needs one of the categories given");
  CHECK(numbers(read("c,k\nred,u\n", {.categories = train.categories}).x) == Numbers{0, 1, 1, 0});  // no target yet
  CHECK(error_of("c\nx\n", {.categories = {{"c", {"x", "x"}}}}) ==
        "read_csv: got the category \"x\" of column \"c\" twice, needs each once");
}

TEST_CASE("a table that is none is refused in one line") {
  CHECK(error_of("") == "read_csv: t.csv is empty, needs a header");
  CHECK(error_of("\n\n") == "read_csv: t.csv is empty, needs a header");
  CHECK(error_of("", {.header = false}) == "read_csv: t.csv is empty, needs rows");
  CHECK(error_of("a,b\n") == "read_csv: t.csv has no rows");
  CHECK(error_of("a,b\n1,2\n\n3\n") == "read_csv: t.csv:4 has 1 fields, needs 2 as the first row");
  CHECK(error_of("a,b\n1,2,\n") == "read_csv: t.csv:2 has 3 fields, needs 2 as the first row");
  CHECK(error_of("a,b\n1,2\n3,", {}).find("t.csv:3, column \"b\"") != std::string::npos);
  CHECK(error_of("a,b,a\n1,2,3\n") == "read_csv: t.csv:1 names the column \"a\" twice, needs each once");
  CHECK(error_of("a,b\n1,\"2\n3,4\n") == "read_csv: t.csv:2 opens a quote that is not closed");
  CHECK(error_of("a,b\n1,\"2\"3\n") == "read_csv: t.csv:2 goes on after a closing quote");
  CHECK(error_of("a,\"b\nc\"\n1,\"x\ny\"\n") ==
        "read_csv: t.csv:3, column \"b\\x0ac\": got \"x\\x0ay\", needs a number");
  CHECK(error_of("a\n" + std::string("1\0", 2)) == "read_csv: t.csv:2 has a zero byte, needs text");
  CHECK(error_of(std::string("\xFF\xFE"
                             "a\0,\0b\0",
                             8)) == "read_csv: t.csv:1 has a zero byte, needs text");
  CHECK(error_of("a,b\n1,2\n", {.target = "z"}) == "read_csv: t.csv has no column \"z\", it has \"a\", \"b\"");
  CHECK(error_of("a,b\n1,2\n", {.categorical = "z"}).find("no column \"z\"") != std::string::npos);
  CHECK(error_of("a,b\n1,2\n", {.ignore = "z"}).find("no column \"z\"") != std::string::npos);
  CHECK(error_of("a,b\n1,2\n", {.target = "b", .columns = {"a", "b"}}) ==
        "read_csv: got the column \"b\" for two uses, needs one");
  CHECK(error_of("a\n1\n", {.target = "a"}) == "read_csv: t.csv has no columns left for x, needs at least one");
  CHECK(error_of("a\n1\n", {.dtype = i64}) == "read_csv: got dtype i64, needs f32 or f64");
  for (const char separator : {'"', '\n', '\r', '\0'}) CHECK(error_of("a\n1\n", {.separator = separator}) != "");
  CHECK(error_of("a\n1\n", {.comment = ','}) != "");
  const TempDir dir;
  CHECK_THROWS_WITH_AS(nn::read_csv(dir / "none.csv"), doctest::Contains("cannot read"), Error);
  CHECK_THROWS_WITH_AS(nn::read_csv(dir.path()), doctest::Contains("is not a file"), Error);
}

TEST_CASE("rows without an end take no memory without an end") {
  CHECK(error_of(std::string(20 << 20, 'x')) == "read_csv: t.csv:1 is a row of more than 16 MiB");
  CHECK(error_of("a\n\"" + std::string(20 << 20, '\n')) == "read_csv: t.csv:2 is a row of more than 16 MiB");
  CHECK(error_of(std::string(1 << 20, ',')) == "read_csv: t.csv:1 is a row of more than 262144 fields");
  CHECK(numbers(read(std::string(20 << 20, ' ') + "a\n1\n").x) == Numbers{1});
  CHECK(error_of("a\n" + std::string(300, 'x') + "\n").size() < 200);
}

TEST_CASE("gzipped tables, whole, cut short and damaged") {
  const TempDir dir;
  std::string text = "a,y\n";
  for (unsigned i = 0, x = 1; i < 5000; ++i) {
    x = x * 1103515245 + 12345;
    text += std::to_string(x) + "," + std::to_string(i) + "\n";
  }
  put_gzipped(dir / "t.csv.gz", text);
  const nn::Table table = nn::read_csv(dir / "t.csv.gz", {.target = "y"});
  CHECK(table.size() == 5000);
  CHECK(table.y.at({4999, 0}) == 4999);
  const std::string good = file_bytes(dir / "t.csv.gz");
  put_file(dir / "short.gz", good.substr(0, good.size() / 2));
  CHECK_THROWS_WITH_AS(nn::read_csv(dir / "short.gz"), doctest::Contains("is cut short"), Error);
  put_file(dir / "tail.gz", good.substr(0, good.size() - 4));
  CHECK_THROWS_AS(nn::read_csv(dir / "tail.gz"), Error);
  std::string flipped = good;
  flipped[flipped.size() - 7] = static_cast<char>(flipped[flipped.size() - 7] ^ 1);  // in the checksum
  put_file(dir / "sum.gz", flipped);
  CHECK_THROWS_WITH_AS(nn::read_csv(dir / "sum.gz"), doctest::Contains("is damaged"), Error);
}

TEST_CASE("any part of a table, and any byte changed, is a table or an Error") {
  const std::string good =
      "\xEF\xBB\xBF"
      "a,\"b\"\"c\", d\r\n1,\"x, y\",-2.5e3\r\n# no\r\n 4,NA,\"5\"\n\"6\",z,7e-1";
  const nn::CsvOptions options = {.one_hot_text = true, .missing = nn::Missing::mean, .comment = '#'};
  int tables = 0;
  const auto attempt = [&](const std::string& text) {
    const std::string message = error_of(text, options);
    if (message.empty()) ++tables;
    CHECK((message.empty() || message.starts_with("read_csv: ")));
  };
  for (std::size_t size = 0; size <= good.size(); ++size) attempt(good.substr(0, size));
  for (std::size_t at = 0; at < good.size(); ++at)
    for (const char c : {'\0', '"', ',', '\n', '\r', ' ', '#', '9', '\xFF'}) {
      std::string bad = good;
      bad[at] = c;
      attempt(bad);
    }
  CHECK(tables > 100);
}
