#include <algorithm>
#include <array>
#include <chrono>
#include <climits>
#include <cstdlib>
#include <optional>
#include <thread>

#include <fmt/ranges.h>

#include "engine/distributed/deadline.h"
#include "engine/distributed/launch.h"
#include "engine/distributed/mpi_library.h"
#include "engine/distributed/waiting_time.h"

namespace preamble {
namespace {

using Clock = std::chrono::steady_clock;

/// How long ranks that have given up wait for word from others that have, too.
constexpr std::chrono::seconds kGrace{2};

// messages on the alarm's communicator
constexpr int kGaveUp = 0;
constexpr int kStillHere = 1;

const MpiLibrary& mpi() { return MpiLibrary::open(); }

void check(int status, std::string_view what) {
  if (status == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  mpi().error_string(status, text.data(), &length);
  raise<DistributedError>("{}: MPI: {}", what, std::string_view(text.data(), static_cast<std::size_t>(length)));
}

int int_length(std::size_t bytes, std::string_view what) {
  require<DistributedError>(bytes <= INT_MAX, "{}: {} bytes in one message; wanted {} at most", what, bytes, INT_MAX);
  return static_cast<int>(bytes);
}

class MpiProcesses final : public LaunchedProcesses {
 public:
  explicit MpiProcesses(std::chrono::milliseconds patience) {
    (void)mpi();
    set_patience(patience);
    const Deadline deadline(limit_of(launched_rank()), not_all("join", launched_rank()));
    int given = 0;
    check(mpi().init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &given), "joining the other processes");
    mpi().comm_set_errhandler(mpi().comm_world, mpi().errors_return);
    check(mpi().comm_dup(mpi().comm_world, &data_), "joining the other processes");
    check(mpi().comm_dup(mpi().comm_world, &alarm_), "joining the other processes");
    mpi().comm_rank(data_, &rank_);
    mpi().comm_size(data_, &size_);
    MPI_Comm machine{};
    check(mpi().comm_split_type(data_, MPI_COMM_TYPE_SHARED, rank_, mpi().info_null, &machine), "joining the other processes");
    mpi().comm_rank(machine, &local_rank_);
    mpi().comm_free(&machine);
    signs_.resize(static_cast<std::size_t>(size_));
  }
  ~MpiProcesses() override {
    // a failed run has been aborted, or is about to be: finalizing would wait for ranks that are gone
    if (failed_) return;
    const Deadline deadline(limit_of(rank_), not_all("leave", rank_));
    mpi().finalize();
  }

  [[nodiscard]] int rank() const noexcept override { return rank_; }
  [[nodiscard]] int size() const noexcept override { return size_; }
  [[nodiscard]] int local_rank() const noexcept override { return local_rank_; }

  void all_gather(std::span<const std::byte> mine, std::span<std::byte> all, std::string_view what) override {
    const int length = int_length(mine.size(), what);
    MPI_Request request{};
    check(mpi().iallgather(mine.data(), length, mpi().byte, all.data(), length, mpi().byte, data_, &request), what);
    wait(request, what);
  }
  void all_to_all(std::span<const std::byte> send, std::span<std::byte> receive, std::string_view what) override {
    const int length = int_length(send.size() / static_cast<std::size_t>(size_), what);
    MPI_Request request{};
    check(mpi().ialltoall(send.data(), length, mpi().byte, receive.data(), length, mpi().byte, data_, &request), what);
    wait(request, what);
  }
  void broadcast(std::span<std::byte> bytes, std::string_view what) override {
    constexpr std::size_t kPiece = std::size_t{1} << 30U;
    for (std::size_t begin = 0; begin < bytes.size(); begin += kPiece) {
      const auto piece = bytes.subspan(begin, std::min(kPiece, bytes.size() - begin));
      MPI_Request request{};
      check(mpi().ibcast(piece.data(), static_cast<int>(piece.size()), mpi().byte, 0, data_, &request), what);
      wait(request, what);
    }
  }

  void still_here() override {
    const auto now = Clock::now();
    if (size_ == 1 || now - last_sign_ < std::max<Clock::duration>(patience() / 8, std::chrono::milliseconds(20))) return;
    last_sign_ = now;
    for (int r = 0; r < size_; ++r) {
      if (r == rank_) continue;
      // a rank that has not taken the last sign needs no other
      auto& sign = signs_[static_cast<std::size_t>(r)];
      int done = 1;
      if (sign) mpi().test(&*sign, &done, MPI_STATUS_IGNORE);
      if (done == 0) continue;
      mpi().isend(&word_, 1, mpi().byte, r, kStillHere, alarm_, &sign.emplace());
    }
  }

  [[noreturn]] void abort(int status) override {
    failed_ = true;
    mpi().abort(mpi().comm_world, status);
    std::_Exit(status);
  }

 private:
  /// Later for each rank, so that one of them tells what has happened.
  [[nodiscard]] std::chrono::milliseconds limit_of(int rank) const { return patience() + turn_of(rank); }
  [[nodiscard]] std::string not_all(std::string_view what, int rank) const {
    return fmt::format("rank {}: not all processes {} within {} s; one hangs, or the network is cut", rank, what, seconds());
  }
  [[nodiscard]] double seconds() const { return std::chrono::duration<double>(patience()).count(); }

  /// Until the request is done. A rank that waits leaves its core to those that still compute, and is patient with them as long as they give signs.
  void wait(MPI_Request& request, std::string_view what) {
    const auto start = Clock::now();
    WaitingTime silence;
    for (;;) {
      int done = 0;
      check(mpi().test(&request, &done, MPI_STATUS_IGNORE), what);
      if (done != 0) return;
      if (take_signs()) silence.restart();
      if (silence.passed() > patience() || arrived(kGaveUp)) give_up(what);
      const auto waited = Clock::now() - start;
      if (waited < std::chrono::microseconds(200)) {
        std::this_thread::yield();
      } else {
        std::this_thread::sleep_for(std::min<Clock::duration>(waited / 16, std::chrono::milliseconds(2)));
      }
    }
  }

  [[nodiscard]] bool arrived(int tag, int* source = nullptr) const {
    int found = 0;
    MPI_Status status{};
    mpi().iprobe(MPI_ANY_SOURCE, tag, alarm_, &found, &status);
    if (source != nullptr) *source = status.MPI_SOURCE;
    return found != 0;
  }

  /// Has a rank said that it is still at work?
  [[nodiscard]] bool take_signs() const {
    bool any = false;
    for (int source = 0; arrived(kStillHere, &source); any = true) {
      char word = 0;
      mpi().recv(&word, 1, mpi().byte, source, kStillHere, alarm_, MPI_STATUS_IGNORE);
    }
    return any;
  }

  /// The first rank that loses patience tells all others. Those that wait for the same missing rank hear it and answer: whoever says nothing is
  /// missing.
  [[noreturn]] void give_up(std::string_view what) {
    failed_ = true;
    const auto count = static_cast<std::size_t>(size_);
    std::vector<MPI_Request> sent(count);
    std::vector<MPI_Request> heard(count);
    // requests that never end outlive this frame
    static std::vector<char> words;
    words.resize(count);
    for (int r = 0; r < size_; ++r) {
      if (r == rank_) continue;
      const auto i = static_cast<std::size_t>(r);
      mpi().isend(&word_, 1, mpi().byte, r, kGaveUp, alarm_, &sent[i]);
      mpi().irecv(&words[i], 1, mpi().byte, r, kGaveUp, alarm_, &heard[i]);
    }
    std::vector<int> missing;
    WaitingTime grace;
    do {
      missing.clear();
      for (int r = 0; r < size_; ++r) {
        int done = 1;
        if (r != rank_) mpi().test(&heard[static_cast<std::size_t>(r)], &done, MPI_STATUS_IGNORE);
        if (done == 0) missing.push_back(r);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    } while (!missing.empty() && grace.passed() < kGrace);
    if (missing.empty()) raise<DistributedError>("{}: not done within {} s, though all ranks wait for it; is the network cut?", what, seconds());
    raise<DistributedError>("{}: no answer within {} s from rank {}", what, seconds(), fmt::join(missing, ", "));
  }

  static inline char word_ = 0;  ///< what messages say whose coming is all that counts

  MPI_Comm data_{};
  MPI_Comm alarm_{};
  int rank_ = 0, size_ = 1, local_rank_ = 0;
  bool failed_ = false;
  Clock::time_point last_sign_ = Clock::now();
  std::vector<std::optional<MPI_Request>> signs_;  ///< the last one to each rank
};

}  // namespace

std::unique_ptr<LaunchedProcesses> join_launched(std::chrono::milliseconds patience) { return std::make_unique<MpiProcesses>(patience); }

}  // namespace preamble
