// Ranks as threads of one process.
#pragma once

#include <algorithm>
#include <barrier>
#include <exception>
#include <functional>
#include <span>
#include <string_view>
#include <thread>
#include <vector>

#include "engine/distributed/communicator.h"

namespace preamble::testing {

/// Memory that `size` ranks share.
struct RankBoard {
  explicit RankBoard(int size) : meeting(size), posted(static_cast<std::size_t>(size)) {}
  std::barrier<> meeting;
  std::vector<std::span<const std::byte>> posted;
};

class ThreadRank final : public Communicator {
 public:
  ThreadRank(RankBoard& board, int rank) : board_(board), rank_(rank) {}
  [[nodiscard]] int rank() const noexcept override { return rank_; }
  [[nodiscard]] int size() const noexcept override { return static_cast<int>(board_.posted.size()); }
  [[nodiscard]] int local_rank() const noexcept override { return rank_; }

  void all_gather(std::span<const std::byte> mine, std::span<std::byte> all, std::string_view /*what*/) override {
    post(mine, [&] {
      auto out = all.begin();
      for (const auto& part : board_.posted) out = std::ranges::copy(part, out).out;
    });
  }
  void all_to_all(std::span<const std::byte> send, std::span<std::byte> receive, std::string_view /*what*/) override {
    const std::size_t block = send.size() / board_.posted.size();
    post(send, [&] {
      auto out = receive.begin();
      for (const auto& part : board_.posted) out = std::ranges::copy(part.subspan(static_cast<std::size_t>(rank_) * block, block), out).out;
    });
  }
  void broadcast(std::span<std::byte> bytes, std::string_view /*what*/) override {
    post(bytes, [&] {
      if (rank_ > 0) std::ranges::copy(board_.posted.front(), bytes.begin());
    });
  }

 private:
  template <class Read>
  void post(std::span<const std::byte> bytes, const Read& read) {
    board_.posted[static_cast<std::size_t>(rank_)] = bytes;
    board_.meeting.arrive_and_wait();
    read();
    board_.meeting.arrive_and_wait();
  }

  RankBoard& board_;
  int rank_;
};

/// Runs `body` on `size` ranks at once; an exception of the lowest rank that threw one is thrown again. All ranks must throw, or none.
inline void on_ranks(int size, const std::function<void(Communicator&)>& body) {
  RankBoard board(size);
  std::vector<std::exception_ptr> errors(static_cast<std::size_t>(size));
  std::vector<std::thread> threads;
  for (int r = 0; r < size; ++r) {
    threads.emplace_back([&, r] {
      try {
        ThreadRank rank(board, r);
        body(rank);
      } catch (...) {
        errors[static_cast<std::size_t>(r)] = std::current_exception();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

}  // namespace preamble::testing
