#include "engine/backend/cuda/attention/bf16_key_copies.cuh"
#include "engine/backend/cuda/attention/bf16_key_scores.cuh"
#include "engine/backend/cuda/attention/bf16_tile_stores.cuh"
#include "engine/backend/cuda/attention/item_turns.cuh"
#include "engine/backend/cuda/attention/kernels.cuh"
#include "engine/backend/cuda/attention/launch.cuh"
#include "engine/backend/cuda/attention/pipeline.cuh"

namespace preamble::cuda::tensor {
namespace {

/// As many stages as shared memory holds: groups that have less to do run ahead of the others.
constexpr int kColumns = 64, kStages = 6, kItems = 2;
/// What stands in place of a segment behind the last step of an item.
constexpr std::int32_t kEndOfItem = -1;

/// Dropout takes more registers than three groups of warps have.
template <Extras extras>
using Block = GroupedBlock<extras == Extras::all ? 2 : 3>;

/// One head of a tile of keys of one segment, and a chunk of the queries.
template <Extras extras>
struct KeyItem {
  Bf16 k[Block<extras>::kRows * kColumns];
  Bf16 v[Block<extras>::kRows * kColumns];
  std::int32_t first, rows;  ///< rows 0: there are no more items
  std::int32_t key;          ///< number of the first key in its segment
  std::int32_t kv_head, chunk;
  float bias[extras != Extras::none ? kSharedBiases : 1];
};
template <Extras extras>
struct alignas(1024) AlignedKeyItem : KeyItem<extras> {};

template <Extras extras>
struct GroupedKeys : QueryTiles<kColumns, kStages, extras> {
  AlignedKeyItem<extras> items[kItems];
  RingBarriers<kStages> barriers;
  Barrier free[kItems];
  std::int32_t next[2];  ///< for `Turns`
};

/// Which of a problem's turns the blocks take.
[[nodiscard]] __device__ inline int turn_of(const KeyTarget& target) { return target.prefix ? 5 : 4; }

/// Copies keys and values of one item after the other, and the queries and rows of dO that they meet.
template <Extras extras>
__device__ void copy_items(const AttentionProblem& p, const AttentionGradients& given, const KeyGradients& to, GroupedKeys<extras>& s) {
  const Layout& layout = to.target.layout(p);
  RingWriter<kStages> ring(s.barriers);
  RingPlace<kItems> at;
  Turns turns(p.turns + turn_of(to.target), s.next);
  for (std::int32_t index = turns.first();; index = turns.take(), at.next()) {
    turns.ask();
    Tile tile;
    if (!find_tile_in_turn<Block<extras>::kRows>(layout, index / p.kv_heads / to.target.chunks, false, tile)) break;
    s.free[at.stage].wait(at.parity ^ 1U);
    KeyItem<extras>& item = s.items[at.stage];
    const std::int32_t kv_head = index % p.kv_heads, chunk = index / p.kv_heads % to.target.chunks;
    const int rows = min(Block<extras>::kRows, layout.offsets[tile.segment + 1] - tile.first);
    const int key = tile.first - layout.offsets[tile.segment];
    if (threadIdx.x == 0) item.first = tile.first, item.rows = rows, item.key = key, item.kv_head = kv_head, item.chunk = chunk;
    const QueryCopies<kColumns, extras, GroupedKeys<extras>> copies(p, given, kv_head, s);
    copies.template fetch_keys<Block<extras>::kRows>(to.target.prefix, tile.first, rows, kv_head, item.k, item.v);
    if constexpr (extras != Extras::none) {
      if (p.group == 1 && shares_biases(p)) share_biases<Block<extras>::kCopying>(p, kv_head, item.bias);
    }
    Steps steps(p, to.target, tile.segment, key, rows, kv_head, chunk);
    for (Step step = steps.begin(); steps.next(step);) {
      copies.fetch(step, ring.open());
      ring.close();
    }
    const int last = ring.open();
    if (threadIdx.x == 0) s.segment[last] = kEndOfItem;
    ring.close();
  }
  s.free[at.stage].wait(at.parity ^ 1U);
  if (threadIdx.x == 0) s.items[at.stage].rows = 0;
  ring.open();
  ring.close();
}

/// A warpgroup owns 64 keys of a head: dK and dV, which stay in registers as do P and dP, all of them transposed. Sums of a tile are still being
/// added to when the next one comes.
template <Extras extras>
class KeyGroup : KeyScores<kColumns, 1, Share::groups, extras, GroupedKeys<extras>> {
  using Base = KeyScores<kColumns, 1, Share::groups, extras, GroupedKeys<extras>>;
  using Base::kExtras, Base::p_, Base::first_row_, Base::rows_, Base::s_, Base::key_position_, Base::biases_;
  using typename Base::Scores;

 public:
  __device__ KeyGroup(const AttentionProblem& problem, const KeyGradients& to, KeyItem<extras>& item, int group, GroupedKeys<extras>& shared)
      : Base(problem, to.target, item.first + 64 * group, item.rows - 64 * group, shared),
        to_(to),
        key_(item.key + 64 * group),
        k_(item.k + 64 * group * kColumns),
        v_(item.v + 64 * group * kColumns) {
    clear(dk_);
    clear(dv_);
    Scores none;
    clear(none);
    of_keys_ = of_values_ = Weights(none);
    if constexpr (kExtras) {
      biases_ = item.bias;
      if (p_.bias != nullptr && !to_.target.prefix && rows_ > 0) key_position_ = p_.k_layout->positions[first_row_];
    }
  }

  /// Adds what the queries of one stage after the other contribute, up to the end of the item.
  __device__ void add_queries(RingPlace<kStages>& at) {
    for (;; at.next()) {
      s_.barriers.wait_full(at);
      if (s_.segment[at.stage] == kEndOfItem) break;
      const Visibility& tile = s_.tile[at.stage];
      const int first = to_.target.prefix ? key_ : tile.prefixes + key_;
      if (rows_ > 0 && tile.most > first) {
        add(first, at.stage);
      } else {
        s_.barriers.release(at.stage);
      }
    }
    end_last();
    s_.barriers.release(at.stage);
    at.next();
  }
  /// Writes what warpgroup `index` of the block has made. The item's rows of K and V are lost.
  __device__ void store(const KeyItem<extras>& item, int index) {
    const int column = item.kv_head * p_.dim;
    const RowsOut keys = to_.keys ? to_.keys.shifted(item.chunk * to_.chunk_elements) : to_.keys;
    const RowsOut values = to_.values ? to_.values.shifted(item.chunk * to_.chunk_elements) : to_.values;
#pragma unroll
    for (int n = 0; n < kColumns / 8; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) dk_[0][n].x[i] = p_.scale * dk_[0][n].x[i] + (to_.joint ? dv_[0][n].x[i] : 0.0F);
    }
    // other warps may still multiply rows of the tiles
    wait_for_warpgroup(index);
    constexpr float kFactor[2] = {1, 1};
    if (keys) store_tile(keys, first_row_, rows_, column, p_.dim, dk_[0], kFactor, k_);
    if (values) store_tile(values, first_row_, rows_, column, p_.dim, dv_[0], kFactor, v_);
  }

 private:
  /// Adds what the queries of a stage contribute, to whom the group's first key is number `first`. The sums are waited for when the next tile comes.
  __device__ void add(int first, int stage) {
    end_last();
    Scores p;
    Warpgroup::begin_scores(k_, s_.q[stage], p);
    Warpgroup::wait<0>(p);
    this->make_probabilities(first, stage, 0, p);
    Scores d;
    // begun earlier, it would take registers that there are none of: other groups multiply meanwhile
    if constexpr (extras == Extras::all) {
      Warpgroup::begin_scores(v_, s_.g[stage], d);
      Warpgroup::wait<0>(d);
      this->make_gradients(first, stage, 0, p, d);
      of_keys_ = Weights(d);
      of_values_ = Weights(p);
    } else {
      of_values_ = Weights(p);
      Warpgroup::begin_scores(v_, s_.g[stage], d);
      Warpgroup::wait<0>(d);
      this->subtract_means(stage, 0, d);
      // two numbers at a time, as they are rounded for the product in any case
      of_keys_ = Weights(d).times(of_values_);
    }
    Warpgroup::begin_rows(of_values_, s_.g[stage], dv_);
    Warpgroup::begin_rows(of_keys_, s_.q[stage], dk_);
    before_ = stage;
  }
  /// Waits for the sums of the tile before.
  __device__ void end_last() {
    Warpgroup::wait(of_values_, dv_);
    Warpgroup::wait(of_keys_, dk_);
    if (before_ != kNone) s_.barriers.release(before_);
    before_ = kNone;
  }

  static constexpr int kNone = -1;

  const KeyGradients& to_;
  int key_;  ///< number of the first key in its segment
  Bf16 *k_, *v_;
  int before_ = kNone;  ///< stage of the tile whose sums are not waited for
  Weights of_keys_, of_values_;
  Sum dk_[1][kColumns / 8], dv_[1][kColumns / 8];
};

template <Extras extras>
__device__ void multiply_items(const AttentionProblem& p, const KeyGradients& to, int index, GroupedKeys<extras>& s) {
  RingPlace<kStages> at;
  int place = index;
  for (RingPlace<kItems> of;; of.next(), place = next_group<Block<extras>::kGroups>(place)) {
    s.barriers.wait_full(at);
    KeyItem<extras>& item = s.items[of.stage];
    if (item.rows == 0) return;
    KeyGroup<extras> group(p, to, item, place, s);
    group.add_queries(at);
    group.store(item, index);
    // the other lanes have read what passed through the item, too
    __syncwarp();
    if (lane() == 0) s.free[of.stage].arrive();
  }
}

template <Extras extras>
__global__ void __launch_bounds__(Block<extras>::kThreads, 1)
    grouped_key_gradients_kernel(const __grid_constant__ AttentionProblem p, const __grid_constant__ AttentionGradients given,
                                 const __grid_constant__ KeyGradients to) {
  auto& s = *shared_memory<GroupedKeys<extras>>();
  if (threadIdx.x == 0) {
    s.barriers.begin(Block<extras>::kCopying, Block<extras>::kMultiplyingWarps);
    for (Barrier& free : s.free) free.begin(Block<extras>::kMultiplyingWarps);
    Barrier::publish();
  }
  __syncthreads();
  if (const int index = warpgroup(); index < 0) {
    give_up_registers<Block<extras>::kCopyingRegisters>();
    copy_items<extras>(p, given, to, s);
  } else {
    take_registers<Block<extras>::kMultiplyingRegisters>();
    multiply_items<extras>(p, to, index, s);
  }
}

}  // namespace

void grouped_key_gradients(const AttentionGrid& grid, const AttentionProblem& p, const AttentionGradients& given, const KeyGradients& to) {
  with_extras(p, [&]<Extras extras>() {
    const dim3 items = to.grid(Block<extras>::kRows, p.kv_heads);
    launch_blocks("attention_grad: dk, dv", grouped_key_gradients_kernel<extras>,
                  Block<extras>::blocks(grid.queue, std::int64_t{items.x} * items.y * items.z), Block<extras>::kThreads,
                  sizeof(GroupedKeys<extras>), grid.queue, p, given, to);
  });
}

}  // namespace preamble::cuda::tensor
