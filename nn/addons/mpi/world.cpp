#include <weft/nn/addons/mpi/world.hpp>

#include <fmt/format.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <sstream>

#include <weft/engine/files.hpp>
#include <weft/engine/op.hpp>
#include <weft/engine/threads.hpp>
#include <weft/nn/addons/mpi/detail/messages.hpp>
#include <weft/nn/fingerprint.hpp>

namespace weft::mpi {
namespace {

World* current = nullptr;

std::string host() {
  std::array<char, 256> name{};
  gethostname(name.data(), name.size() - 1);
  return name.data();
}

// Ranks on one machine share its cores.
void take_share_of_cores() {
  if (std::getenv("OMP_NUM_THREADS") != nullptr) return;
  MPI_Comm here = MPI_COMM_NULL;
  MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &here);
  int ranks = 1;
  MPI_Comm_size(here, &ranks);
  MPI_Comm_free(&here);
  const int share = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)) / ranks;
  set_num_threads(std::clamp(share, 1, num_threads()));
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// The sums over all ranks, added in their order: for few numbers, as all of them go to all ranks.
template <class T>
std::vector<T> sums_in_order(std::span<const T> mine, MPI_Datatype type, int ranks) {
  std::vector<T> all(mine.size() * static_cast<std::size_t>(ranks));
  const int count = static_cast<int>(mine.size());
  MPI_Allgather(mine.data(), count, type, all.data(), count, type, MPI_COMM_WORLD);
  add_in_order(all.data(), mine.size(), ranks);
  all.resize(mine.size());
  return all;
}

// A text that one rank has.
std::string text_of(std::string text, int rank) {
  auto size = static_cast<std::int64_t>(text.size());
  MPI_Bcast(&size, 1, MPI_INT64_T, rank, MPI_COMM_WORLD);
  text.resize(static_cast<std::size_t>(size));
  broadcast_bytes(std::as_writable_bytes(std::span(text)), rank);
  return text;
}

}  // namespace

void broadcast_bytes(std::span<std::byte> bytes, int from) {
  constexpr std::size_t most = std::size_t{1} << 30U;
  for (std::size_t begin = 0; begin < bytes.size(); begin += most) {
    const std::span<std::byte> piece = bytes.subspan(begin, std::min(most, bytes.size() - begin));
    MPI_Bcast(piece.data(), static_cast<int>(piece.size()), MPI_BYTE, from, MPI_COMM_WORLD);
  }
}

World::World() : exceptions_(std::uncaught_exceptions()), wrote_files_(writes_files()) {
  if (current != nullptr) fail("mpi::World: there is one already");
  int initialized = 0, finalized = 0;
  MPI_Initialized(&initialized);
  MPI_Finalized(&finalized);
  if (finalized != 0) fail("mpi::World: MPI has ended in this process, needs one World for all of it");
  if (initialized == 0) {
    int level = 0;
    MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &level);
    started_ = true;
  }
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  MPI_Comm_size(MPI_COMM_WORLD, &size_);
  if (size_ > 1) take_share_of_cores();
  set_writes_files(wrote_files_ && rank_ == 0);
  current = this;
}

World::~World() {
  if (size_ > 1 && std::uncaught_exceptions() > exceptions_) abort("ended by an exception");
  current = nullptr;
  set_writes_files(wrote_files_);
  if (started_) MPI_Finalize();
}

World& world() {
  if (current == nullptr) fail("mpi: there is no World, needs one first");
  return *current;
}

void World::barrier() const { MPI_Barrier(MPI_COMM_WORLD); }

std::vector<double> World::sum(const std::vector<double>& values) const {
  return sums_in_order<double>(values, MPI_DOUBLE, size_);
}

bool World::any(bool on_this_rank) const {
  int found = on_this_rank ? 1 : 0;
  MPI_Allreduce(MPI_IN_PLACE, &found, 1, MPI_INT, MPI_LOR, MPI_COMM_WORLD);
  return found != 0;
}

void World::check_same(const std::string& what, const std::string& text) const {
  const std::uint64_t mine = nn::Fingerprint().add(std::string_view(text)).value();
  std::vector<std::uint64_t> all(static_cast<std::size_t>(size_));
  MPI_Allgather(&mine, 1, MPI_UINT64_T, all.data(), 1, MPI_UINT64_T, MPI_COMM_WORLD);
  const auto other = std::find_if(all.begin(), all.end(), [&](std::uint64_t print) { return print != all[0]; });
  if (other == all.end()) return;
  const int rank = static_cast<int>(other - all.begin());
  const auto first = lines_of(text_of(text, 0)), second = lines_of(text_of(text, rank));
  const auto [a, b] = std::mismatch(first.begin(), first.end(), second.begin(), second.end());
  fail("mpi: ", what, " of rank ", rank,
       " is another than that of rank 0: ", b == second.end() ? std::string("it ends") : "\"" + *b + "\"",
       " where rank 0 has ", a == first.end() ? std::string("nothing more") : "\"" + *a + "\"");
}

void World::abort(const std::string& why) const {
  // What goes wrong on all ranks is said by the first of them.
  if (rank_ != 0) usleep(300'000);
  fmt::print(stderr, "mpi: rank {} of {} on {}: {}\n", rank_, size_, host(), why);
  std::fflush(stderr);
  MPI_Abort(MPI_COMM_WORLD, 1);
  std::abort();
}

int run(const std::function<int(World&)>& body) {
  World world;
  if (world.size() == 1) return body(world);
  try {
    return body(world);
  } catch (const std::exception& e) {
    world.abort(e.what());
  }
}

namespace {

struct SumOverRanks : Op<SumOverRanks> {
  static constexpr const char* name = "sum_over_ranks";

  static Tensor forward(Context&, const Tensor& t) {
    Tensor result = weft::detail::make_tensor(name, t.shape(), t.dtype());
    const auto add = [&]<class T>(T) {
      const std::vector<T> sums = sums_in_order(t.data<T>(), type_of(t.dtype()), world().size());
      std::copy(sums.begin(), sums.end(), result.mutable_data<T>().begin());
    };
    t.dtype() == f32 ? add(float{}) : add(double{});
    return result;
  }
  static Tensor backward(Context&, const Tensor& g) { return apply<SumOverRanks>(g); }
};

}  // namespace

Tensor sum(const Tensor& t) {
  weft::detail::check_floating(SumOverRanks::name, t);
  if (t.size() > std::int64_t{1} << 24) fail(SumOverRanks::name, ": got ", t.size(), " elements, needs at most 2^24");
  return apply<SumOverRanks>(t);
}

}  // namespace weft::mpi
