// The processes of a run: numbers, sums in order, what is said of differences, who writes files.
#include <tests/support/temp_dir.hpp>

#include "ranks.hpp"

using namespace weft;

TEST_CASE("ranks are numbered, and there is one World at a time") {
  CHECK(ranks().size() >= 1);
  CHECK((ranks().rank() >= 0 && ranks().rank() < ranks().size()));
  CHECK(ranks().is_first() == (ranks().rank() == 0));
  CHECK(ranks().sum(1.0) == ranks().size());
  CHECK(ranks().sum(static_cast<double>(ranks().rank())) == ranks().size() * (ranks().size() - 1) / 2.0);
  CHECK(&mpi::world() == &ranks());
  CHECK(message_of([] { const mpi::World second; }) == "mpi::World: there is one already");
  ranks().barrier();
}

TEST_CASE("sums are added in the order of the ranks") {
  const int n = ranks().size();
  const auto value = [](int rank) { return 1.0 / (3 + 7 * rank) * (rank % 2 == 0 ? 1e8 : 1.0); };
  double expected = value(0);
  for (int rank = 1; rank < n; ++rank) expected += value(rank);
  CHECK(ranks().sum(std::vector<double>{1.0, value(ranks().rank())}) == std::vector<double>{double(n), expected});
  CHECK(ranks().sum(std::vector<double>{}).empty());
  CHECK(ranks().any(ranks().rank() == n - 1));
  CHECK_FALSE(ranks().any(false));
}

TEST_CASE("a sum of tensors is differentiable: the gradient is the sum of the ranks' gradients") {
  const auto mine = static_cast<double>(ranks().rank() + 1);
  const double total = ranks().size() * (ranks().size() + 1) / 2.0;
  for (const DType dtype : {f32, f64}) {
    Tensor x = parameter(tensor({mine, 2 * mine, 0.0}, {3}, dtype));
    const Tensor y = mpi::sum(x * 1.0);
    CHECK(allclose(y, tensor({total, 2 * total, 0.0}, {3}, dtype)));
    CHECK(same_on_all(y.detach()));
    const Tensor first = grad(sum(y * y * mine), {x}, {.create_graph = true})[0];
    // Each rank's loss is rank * sum^2: of all of them together the derivative is 2 * total * sum.
    CHECK(allclose(first.detach(), y.detach() * (2 * total)));
    const Tensor second = grad(sum(first), {x})[0];
    CHECK(allclose(second, full({3}, 2 * total * ranks().size(), dtype)));
  }
  CHECK(mpi::sum(zeros({0})).size() == 0);
  CHECK(message_of([] { mpi::sum(zeros({2}, i64)); }).find("sum_over_ranks: got i64") == 0);
}

TEST_CASE("texts that differ are told apart on every rank, by line and rank") {
  CHECK(message_of([] { ranks().check_same("the plan", "a\nb"); }).empty());
  if (ranks().size() == 1) return;
  const bool last = ranks().rank() == ranks().size() - 1;
  const std::string who =
      "mpi: the plan of rank " + std::to_string(ranks().size() - 1) + " is another than that of rank 0: ";
  CHECK(message_of([&] { ranks().check_same("the plan", last ? "a\nc" : "a\nb"); }) ==
        who + R"("c" where rank 0 has "b")");
  CHECK(message_of([&] { ranks().check_same("the plan", last ? "a" : "a\nb"); }) ==
        who + R"(it ends where rank 0 has "b")");
  CHECK(message_of([&] { ranks().check_same("the plan", last ? "a\nb\nc" : "a\nb"); }) ==
        who + R"("c" where rank 0 has nothing more)");
}

TEST_CASE("the first rank alone writes files") {
  CHECK(writes_files() == ranks().is_first());
  const TempDir dir;
  nn::save_npy(dir / "x.npy", ones({2}));
  CHECK(dir.count() == (ranks().is_first() ? 1 : 0));
}

TEST_CASE("a rank uses no more threads than are its share") {
  CHECK(num_threads() >= 1);
  if (ranks().size() > 1) CHECK(num_threads() <= std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
}
