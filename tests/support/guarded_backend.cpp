#include "tests/support/guarded_backend.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include "engine/backend/cpu/step_loop.h"
#include "engine/core/error.h"
#include "engine/graph/capacity.h"
#include "engine/runtime/program.h"

namespace preamble {
namespace {

/// Whole pages that are closed unless somebody holds them open.
class GuardedMemory {
 public:
  explicit GuardedMemory(std::size_t bytes) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    bytes_ = std::max<std::size_t>(1, (bytes + page - 1) / page) * page;
    void* memory = ::mmap(nullptr, bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require<DeviceError>(memory != MAP_FAILED, "guarded memory: the system refused {} bytes", bytes_);
    data_ = static_cast<std::byte*>(memory);
  }
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;
  ~GuardedMemory() { ::munmap(data_, bytes_); }

  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

  void open() {
    const std::lock_guard lock(mutex_);
    if (opened_++ == 0) protect(PROT_READ | PROT_WRITE);
  }
  void close() {
    const std::lock_guard lock(mutex_);
    if (--opened_ == 0) protect(PROT_NONE);
  }

 private:
  void protect(int access) { require<DeviceError>(::mprotect(data_, bytes_, access) == 0, "guarded memory: mprotect refused"); }

  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
  int opened_ = 0;
  std::mutex mutex_;
};

/// Opens blocks of memory while it lives.
class Access {
 public:
  explicit Access(std::vector<GuardedMemory*> blocks) : blocks_(std::move(blocks)) {
    for (auto* block : blocks_) block->open();
  }
  Access(const Access&) = delete;
  Access& operator=(const Access&) = delete;
  ~Access() {
    for (auto* block : blocks_) block->close();
  }

 private:
  std::vector<GuardedMemory*> blocks_;
};

class GuardedResidence final : public Residence {
 public:
  /// Where a tensor lies, and the block that must be open for it.
  struct Place {
    GuardedMemory* block = nullptr;
    std::byte* data = nullptr;
  };

  [[nodiscard]] void* hold(const Tensor& tensor) override { return place(tensor).data; }

  void upload(const Tensor& tensor) override {
    if (const Place place = find(tensor); place.block != nullptr) copy_in(place, tensor);
  }

  void download(Tensor& tensor) override {
    if (const Place place = find(tensor); place.block != nullptr && tensor.bytes() != 0) {
      const Access access({place.block});
      std::memcpy(tensor.data(), place.data, tensor.bytes());
    }
  }

  Place place(const Tensor& tensor) {
    if (const Place place = find(tensor); place.block != nullptr) return place;
    const std::lock_guard lock(mutex_);
    std::erase_if(copies_, [](const auto& entry) { return entry.second.owner.expired(); });
    Copy& copy = copies_[tensor.data()];
    copy.owner = tensor.owner();
    copy.memory = std::make_unique<GuardedMemory>(tensor.bytes());
    copy.place = {copy.memory.get(), copy.memory->data()};
    copy_in(copy.place, tensor);
    return copy.place;
  }

  /// A tensor that was made of device memory itself: `block` lives as long as the tensor's owner.
  void adopt(const Tensor& tensor, GuardedMemory& block) {
    const std::lock_guard lock(mutex_);
    copies_[tensor.data()] = {tensor.owner(), nullptr, {&block, static_cast<std::byte*>(const_cast<void*>(tensor.data()))}};
  }

 private:
  struct Copy {
    std::weak_ptr<const void> owner;
    std::unique_ptr<GuardedMemory> memory;
    Place place;
  };

  static void copy_in(const Place& place, const Tensor& tensor) {
    if (tensor.bytes() == 0) return;
    const Access access({place.block});
    std::memcpy(place.data, tensor.data(), tensor.bytes());
  }

  Place find(const Tensor& tensor) {
    const std::lock_guard lock(mutex_);
    const auto found = copies_.find(tensor.data());
    // another tensor may have come to the address of one that is gone
    return found == copies_.end() || found->second.owner.expired() ? Place{} : found->second.place;
  }

  std::map<const void*, Copy> copies_;
  std::mutex mutex_;
};

class GuardedExecutor final : public Executor {
 public:
  GuardedExecutor(const Program& program, GuardedResidence& residence)
      : program_(program),
        residence_(residence),
        arena_(std::make_shared<GuardedMemory>(static_cast<std::size_t>(program.arena_bytes()))),
        layout_arrays_(layout_bytes(program)),
        loop_(program, best_kernel_table(), arena_->data(), [&](const Tensor& tensor) {
          const auto place = residence.place(tensor);
          leaves_.insert(place.block);
          return static_cast<void*>(place.data);
        }) {
    const Access access({arena_.get()});
    std::memset(arena_->data(), 0xFF, arena_->bytes());
  }

  [[nodiscard]] void* staging(const Slot& input) override {
    const Type& type = program_.graph().node(input.node).outputs[0];
    auto& memory = staged_[input.node];
    memory.slot = input;
    memory.bytes.resize(static_cast<std::size_t>(program_.graph().bytes(type)));
    return memory.bytes.data();
  }

  void set_layouts(std::span<const RowLayout> layouts) override {
    const Access access({&layout_arrays_});
    auto* next = reinterpret_cast<std::int32_t*>(layout_arrays_.data());
    const auto keep = [&](const std::int32_t* values, std::int32_t count) {
      auto* const kept = next;
      std::copy_n(values, count, kept);
      next += count;
      return kept;
    };
    std::vector<RowLayout> copies(layouts.begin(), layouts.end());
    for (auto& layout : copies) {
      layout.offsets = keep(layout.offsets, layout.segments + 1);
      if (layout.positions != nullptr) layout.positions = keep(layout.positions, layout.rows);
    }
    loop_.set_layouts(copies);
  }

  void run() override {
    const Access access(all_memory());
    upload_inputs();
    loop_.run();
  }

  void run_step(std::size_t step) override {
    const Access access(all_memory());
    if (step == 0) upload_inputs();
    loop_.run_step(step);
  }

  [[nodiscard]] Tensor share(const Slot& value) override {
    const Graph& graph = program_.graph();
    if (value.leaf >= 0) return graph.node(value.leaf).tensor;
    const Type& type = graph.node(value.node).outputs[static_cast<std::size_t>(value.output)];
    Tensor tensor(type.dtype, capacity_dims(graph, type), arena_, arena_->data() + value.offset);
    residence_.adopt(tensor, *arena_);
    return tensor;
  }

  [[nodiscard]] const void* fetch(const Slot& value, std::size_t bytes) override {
    auto& copy = fetched_[{value.node, value.output}];
    copy.resize(bytes);
    const auto place = value.leaf >= 0 ? residence_.place(program_.graph().node(value.leaf).tensor)
                                       : GuardedResidence::Place{arena_.get(), arena_->data() + value.offset};
    const Access access({place.block});
    if (bytes != 0) std::memcpy(copy.data(), place.data, bytes);
    return copy.data();
  }

 private:
  [[nodiscard]] std::vector<GuardedMemory*> all_memory() {
    std::vector<GuardedMemory*> blocks(leaves_.begin(), leaves_.end());
    blocks.insert(blocks.end(), {arena_.get(), &layout_arrays_});
    return blocks;
  }

  void upload_inputs() {
    for (const auto& [node, memory] : staged_) {
      if (memory.slot.offset >= 0) std::ranges::copy(memory.bytes, arena_->data() + memory.slot.offset);
    }
  }

  static std::size_t layout_bytes(const Program& program) {
    std::int64_t numbers = 0;
    for (const auto& space : program.graph().row_spaces()) numbers += space.segments + 1 + space.rows;
    return static_cast<std::size_t>(numbers) * sizeof(std::int32_t);
  }

  struct Staged {
    Slot slot;
    std::vector<std::byte> bytes;
  };

  const Program& program_;
  GuardedResidence& residence_;
  std::set<GuardedMemory*> leaves_;
  std::shared_ptr<GuardedMemory> arena_;
  GuardedMemory layout_arrays_;
  StepLoop loop_;
  std::map<std::int32_t, Staged> staged_;
  std::map<std::pair<std::int32_t, std::int32_t>, std::vector<std::byte>> fetched_;
};

class Guarded final : public Backend {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "guarded"; }
  [[nodiscard]] std::string_view instruction_set() const noexcept override { return best_kernel_table().instruction_set; }
  [[nodiscard]] bool has_kernel(std::string_view op, Dtype activation) const noexcept override {
    return cpu_backend().has_kernel(op, activation);
  }
  [[nodiscard]] std::int64_t scratch(const NodeCost& cost) const override { return cpu_backend().scratch(cost); }
  [[nodiscard]] Residence& residence() const override { return residence_; }
  [[nodiscard]] std::unique_ptr<Executor> executor(const Program& program) const override {
    return std::make_unique<GuardedExecutor>(program, residence_);
  }

 private:
  mutable GuardedResidence residence_;
};

}  // namespace

const Backend& guarded_backend() {
  static const Guarded backend;
  return backend;
}

}  // namespace preamble
