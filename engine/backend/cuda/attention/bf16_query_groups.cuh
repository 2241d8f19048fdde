// Blocks that own queries, for warpgroups: one copies keys, the others multiply 64 queries each. Included by .cu files alone.
#pragma once

#include <cstdint>

#include "engine/backend/cuda/attention/bf16_key_tiles.cuh"
#include "engine/backend/cuda/attention/bf16_query_scores.cuh"
#include "engine/backend/cuda/attention/item_turns.cuh"
#include "engine/backend/cuda/attention/kernels.cuh"
#include "engine/backend/cuda/attention/launch.cuh"
#include "engine/backend/cuda/attention/pipeline.cuh"

namespace preamble::cuda {

/// An item is one head of a tile of queries of one segment, of which a kernel reads `operands`: queries, or queries and rows of dO.
template <int operands, Extras extras>
struct QueryGroups {
  /// Stages and items are as many as shared memory holds: groups that have less to do run ahead of the others.
  static constexpr int kColumns = 64, kKeys = 64, kStages = operands == 1 ? 8 : 6, kItems = operands == 1 ? 3 : 2;
  static constexpr bool kExtras = extras != Extras::none, kAll = extras == Extras::all;
  /// Dropout takes more registers than three groups of warps have.
  using Block = GroupedBlock<kAll ? 2 : 3>;

  /// What is known of an item.
  struct Item {
    Bf16 rows[operands][Block::kRows * kColumns];
    QueryRange queries;
    Visibility records[Block::kRows / 64];
    std::int32_t segment, head;  ///< segment -1: there are no more items
    std::int32_t seen[Block::kRows], position[kExtras ? Block::kRows : 1], hidden[kAll ? Block::kRows : 1];
    float log_sum_exp[operands > 1 ? Block::kRows : 1], products[operands > 1 ? Block::kRows : 1];
    float bias[kExtras ? kSharedBiases : 1];
  };
  struct alignas(1024) AlignedItem : Item {};

  struct Shared {
    AlignedItem items[kItems];
    KeyTiles<kColumns, kKeys, kStages> keys;
    RingBarriers<kStages> barriers;
    Barrier free[kItems];
    std::int32_t next[2];  ///< for `Turns`
  };

  /// All threads of the block call it alike.
  static __device__ void begin(Shared& s) {
    if (threadIdx.x == 0) {
      s.barriers.begin(Block::kCopying, Block::kMultiplyingWarps);
      for (Barrier& free : s.free) free.begin(Block::kMultiplyingWarps);
      Barrier::publish();
    }
    __syncthreads();
  }

  /// What the copying warpgroup does. `turn`: which of the problem's turns the kernel's blocks take. `log_sum_exp`: may be absent for one operand;
  /// `products`: where they are known.
  static __device__ void copy(const AttentionProblem& p, int turn, const RowsIn (&of)[operands], const float* log_sum_exp, const float* products,
                              Shared& s) {
    RingWriter<kStages> ring(s.barriers);
    RingPlace<kItems> at;
    Turns turns(p.turns + turn, s.next);
    for (std::int32_t index = turns.first();; index = turns.take(), at.next()) {
      turns.ask();
      s.free[at.stage].wait(at.parity ^ 1U);
      Item& item = s.items[at.stage];
      const int head = index % p.heads;
      Tile tile;
      if (!find_tile_in_turn<Block::kRows>(*p.q_layout, index / p.heads, p.causal, tile)) {
        if (threadIdx.x == 0) item.segment = -1;
        break;
      }
      const QueryRange queries = QueryRange::of<Block::kRows, kKeys, extras>(p, tile);
      if (threadIdx.x == 0) item.queries = queries, item.segment = tile.segment, item.head = head;
#pragma unroll
      for (int i = 0; i < operands; ++i) fetch_queries<kColumns, Block::kRows>(of[i], queries, head * p.dim, p.dim, item.rows[i]);
      fetch_facts(p, tile, queries, head, log_sum_exp, products, item);
      const KeyCopies<kColumns, kKeys, extras> copies(p, head);
      int from = queries.from;
      do {
        copies.fetch(p, queries, from, ring.open(), s.keys);
        ring.close();
        from += kKeys;
      } while (from < queries.most);
    }
    ring.open();
    ring.close();
  }

  /// What a multiplying warpgroup knows of its 64 queries.
  class Group : public QueryScores<kColumns, 1, kKeys, extras> {
   public:
    using Scores = QueryScores<kColumns, 1, kKeys, extras>;

    __device__ Group(const AttentionProblem& problem, const Item& item, int group, const Shared& s)
        : Scores(problem, item.head, item.segment, s.keys.key_position, item.bias), item_(item), first_(64 * group) {
      this->straight_ = item.queries.straight;
      const bool exists = first_ < item.queries.rows;
      const Visibility& record = item.records[exists ? group : 0];
      most_ = exists ? record.most : 0;
      this->learn(record, item.queries.rows - first_, item.seen + first_, item.position + (kExtras ? first_ : 0),
                  item.hidden + (kAll ? first_ : 0));
    }

    [[nodiscard]] __device__ int head() const { return item_.head; }
    /// Number of existing queries from the group's first one on, and its row.
    [[nodiscard]] __device__ int rows() const { return item_.queries.rows - first_; }
    [[nodiscard]] __device__ std::int64_t first() const { return item_.queries.first + first_; }
    /// The group's rows of an operand, and what is known of them beside.
    [[nodiscard]] __device__ const Bf16* operand(int i) const { return item_.rows[i] + first_ * kColumns; }
    [[nodiscard]] __device__ const float* log_sum_exp() const { return item_.log_sum_exp + first_; }
    [[nodiscard]] __device__ const float* products() const { return item_.products + first_; }
    /// Does a query of the group see a key of the tile that begins with key `from`?
    [[nodiscard]] __device__ bool sees(int from) const { return from < most_; }

   private:
    const Item& item_;
    int first_;  ///< of the item's queries
    int most_;   ///< no query of the group sees this key or a later one
  };

  /// What multiplying warpgroup `index` does, one item after the other: `work.begin(group)`, `work.take(group, from, stage)` for the tiles of keys
  /// that a query of the group sees, whose keys from `from` on lie in a stage, which the work releases then or later, and `work.end(tile)`: it may
  /// write to the group's rows of the first operand, `tile`.
  template <class Work>
  static __device__ void multiply(const AttentionProblem& p, int index, Shared& s, Work& work) {
    RingPlace<kStages> at;
    int place = index;
    for (RingPlace<kItems> of;; of.next(), place = next_group<Block::kGroups>(place)) {
      s.barriers.wait_full(at);
      Item& item = s.items[of.stage];
      if (item.segment < 0) return;
      const Group group(p, item, place, s);
      work.begin(group);
      int from = item.queries.from;
      const int most = item.queries.most;
      do {
        s.barriers.wait_full(at);
        if (group.sees(from)) {
          work.take(group, from, at.stage);
        } else {
          s.barriers.release(at.stage);
        }
        at.next();
        from += kKeys;
      } while (from < most);
      work.end(item.rows[0] + 64 * place * kColumns);
      // the other lanes have read what passed through the item, too
      __syncwarp();
      if (lane() == 0) s.free[of.stage].arrive();
    }
  }

 private:
  static __device__ void fetch_facts(const AttentionProblem& p, const Tile& tile, const QueryRange& queries, int head, const float* log_sum_exp,
                                     const float* products, Item& item) {
    const auto* records = reinterpret_cast<const uint4*>(p.tiles + Visibility::place(tile.segment, tile.first));
    constexpr int kPieces = sizeof(Visibility) / sizeof(uint4);
    const int pieces = (queries.rows + 63) / 64 * kPieces;
    if (const int i = static_cast<int>(threadIdx.x); i < pieces) copy_16_async(reinterpret_cast<uint4*>(item.records) + i, records + i, true);
#pragma unroll 1
    for (int r = static_cast<int>(threadIdx.x); r < queries.rows; r += Block::kCopying) {
      const std::int64_t row = queries.first + r;
      copy_4_async(&item.seen[r], p.seen + row, true);
      if (kExtras) copy_4_async(&item.position[r], p.q_layout->positions + row, true);
      if (kAll && p.window > 0) copy_4_async(&item.hidden[r], p.hidden + row, true);
      if constexpr (operands > 1) {
        copy_4_async(&item.log_sum_exp[r], log_sum_exp + row * p.heads + head, true);
        if (products != nullptr) copy_4_async(&item.products[r], products + row * p.heads + head, true);
      }
    }
    if constexpr (kExtras) {
      if (shares_biases(p)) share_biases<Block::kCopying>(p, head, item.bias);
    }
  }
};

}  // namespace preamble::cuda
