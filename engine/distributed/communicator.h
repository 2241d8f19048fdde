// The processes that train one model together.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "engine/core/error.h"

namespace preamble {

/// Another process of the run failed, or did not answer in time.
class DistributedError : public Error {
 public:
  using Error::Error;
};

/// One process (rank) of several. Every function that takes `what` is a collective: all ranks call the same ones in the same order, from
/// one thread each, and all wait for each other. `what` says in errors what the numbers are. Collectives throw DistributedError, with the
/// rank that is missing, if not all ranks come within the time that the communicator was given.
class Communicator {
 public:
  Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;
  virtual ~Communicator() = default;

  [[nodiscard]] virtual int rank() const noexcept = 0;
  [[nodiscard]] virtual int size() const noexcept = 0;
  /// The number of this process among those of its machine: which GPU it takes.
  [[nodiscard]] virtual int local_rank() const noexcept = 0;
  [[nodiscard]] bool is_root() const noexcept { return rank() == 0; }

  /// How long a collective waits for all ranks before it gives up; ten minutes unless it is set.
  void set_patience(std::chrono::milliseconds limit) noexcept { patience_ = limit; }
  [[nodiscard]] std::chrono::milliseconds patience() const noexcept { return patience_; }

  /// Tells ranks that wait that this one is still at work: their patience begins anew. No collective. For long work between two collectives, as often
  /// as one likes.
  virtual void still_here() {}

  /// What every rank gives, rank after rank. `all` holds size() times as many bytes as `mine`, which has the same length everywhere.
  virtual void all_gather(std::span<const std::byte> mine, std::span<std::byte> all, std::string_view what) = 0;
  /// Block r of `send` goes to rank r; block r of `receive` comes from rank r. Both hold size() blocks of one length.
  virtual void all_to_all(std::span<const std::byte> send, std::span<std::byte> receive, std::string_view what) = 0;
  /// The root's bytes, everywhere.
  virtual void broadcast(std::span<std::byte> bytes, std::string_view what) = 0;

  /// What every rank gives, of any length.
  [[nodiscard]] std::vector<std::vector<std::byte>> gather_all(std::span<const std::byte> mine, std::string_view what);
  /// One number of every rank.
  [[nodiscard]] std::vector<std::int64_t> gather_numbers(std::int64_t mine, std::string_view what);
  /// The root's bytes, of any length.
  [[nodiscard]] std::vector<std::byte> broadcast_all(std::vector<std::byte> bytes, std::string_view what);
  /// Returns when all ranks have come.
  void barrier(std::string_view what) { (void)gather_numbers(0, what); }

 private:
  std::chrono::milliseconds patience_ = std::chrono::minutes(10);
};

/// A process on its own: what it gives is what it gets.
class SingleProcess final : public Communicator {
 public:
  [[nodiscard]] int rank() const noexcept override { return 0; }
  [[nodiscard]] int size() const noexcept override { return 1; }
  [[nodiscard]] int local_rank() const noexcept override { return 0; }
  void all_gather(std::span<const std::byte> mine, std::span<std::byte> all, std::string_view what) override;
  void all_to_all(std::span<const std::byte> send, std::span<std::byte> receive, std::string_view what) override;
  void broadcast(std::span<std::byte> /*bytes*/, std::string_view /*what*/) override {}
};

/// The processes of this run: a SingleProcess until it is set. It must outlive whatever uses it.
[[nodiscard]] Communicator& world() noexcept;
void set_world(Communicator& communicator) noexcept;

/// [begin, end) of `count` things that rank `rank` of `size` takes: contiguous parts that differ by one at most, the longer ones first.
struct RankShare {
  std::size_t begin = 0;
  std::size_t end = 0;
  [[nodiscard]] static RankShare of(std::size_t count, int rank, int size) noexcept;
};

}  // namespace preamble
