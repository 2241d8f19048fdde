#include "tests/support/guarded_backend.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string_view>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include "engine/backend/cpu/step_loop.h"
#include "engine/core/error.h"
#include "engine/graph/capacity.h"
#include "engine/runtime/program.h"

namespace preamble {
namespace {

/// One range of addresses for all guarded memory of the process: closed unless somebody holds it open. One range, because to open it is one
/// call of the system, however many blocks a program reads.
class GuardedRange {
 public:
  static GuardedRange& instance() {
    // never destroyed: it must outlive whatever holds a block of it
    static GuardedRange& range = *new GuardedRange;
    return range;
  }

  void open() {
    const std::lock_guard lock(mutex_);
    if (opened_++ == 0) protect(PROT_READ | PROT_WRITE);
  }
  void close() {
    const std::lock_guard lock(mutex_);
    if (--opened_ == 0) protect(PROT_NONE);
  }

  [[nodiscard]] std::byte* take(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    const auto fits = std::ranges::find_if(free_, [&](const auto& block) { return block.second >= bytes; });
    require<DeviceError>(fits != free_.end(), "guarded memory: {} bytes were asked for; no block has as many", bytes);
    const auto [offset, size] = *fits;
    free_.erase(fits);
    if (size > bytes) free_.emplace(offset + bytes, size - bytes);
    if (offset + bytes > end_) {
      if (opened_ > 0) change(end_, offset + bytes, PROT_READ | PROT_WRITE);
      end_ = offset + bytes;
    }
    return data_ + offset;
  }

  void give_back(std::byte* block, std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    // the next owner finds zeros
    ::madvise(block, bytes, MADV_DONTNEED);
    auto at = free_.emplace(static_cast<std::size_t>(block - data_), bytes).first;
    if (const auto next = std::next(at); next != free_.end() && at->first + at->second == next->first) {
      at->second += next->second;
      free_.erase(next);
    }
    if (at == free_.begin()) return;
    if (const auto before = std::prev(at); before->first + before->second == at->first) {
      before->second += at->second;
      free_.erase(at);
    }
  }

 private:
  static constexpr std::size_t kBytes = std::size_t{1} << 36U;

  GuardedRange() {
    void* memory = ::mmap(nullptr, kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    require<DeviceError>(memory != MAP_FAILED, "guarded memory: the system refused {} bytes of addresses", kBytes);
    data_ = static_cast<std::byte*>(memory);
  }

  void protect(int access) const { change(0, end_, access); }
  void change(std::size_t begin, std::size_t end, int access) const {
    require<DeviceError>(::mprotect(data_ + begin, end - begin, access) == 0, "guarded memory: mprotect refused");
  }

  std::byte* data_ = nullptr;
  std::size_t end_ = 0;                                   ///< behind the last block that was ever taken
  std::map<std::size_t, std::size_t> free_ = {{0, kBytes}};  ///< offset and bytes
  int opened_ = 0;
  std::mutex mutex_;
};

/// Whole pages of it.
class GuardedMemory {
 public:
  explicit GuardedMemory(std::size_t bytes) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    bytes_ = std::max<std::size_t>(1, (bytes + page - 1) / page) * page;
    data_ = GuardedRange::instance().take(bytes_);
  }
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;
  ~GuardedMemory() { GuardedRange::instance().give_back(data_, bytes_); }

  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// Opens guarded memory while it lives.
class Access {
 public:
  Access() { GuardedRange::instance().open(); }
  Access(const Access&) = delete;
  Access& operator=(const Access&) = delete;
  ~Access() { GuardedRange::instance().close(); }
};

class GuardedResidence final : public Residence {
 public:
  [[nodiscard]] void* hold(const Tensor& tensor) override {
    const std::lock_guard lock(mutex_);
    if (const Copy* known = find(tensor)) return known->data;
    std::erase_if(copies_, [](const auto& entry) { return entry.second.owner.expired(); });
    Copy& copy = copies_[tensor.data()];
    copy.owner = tensor.owner();
    copy.memory = std::make_unique<GuardedMemory>(tensor.bytes());
    copy.data = copy.memory->data();
    copy.bytes = copy.memory->bytes();
    copy_in(copy, tensor);
    return copy.data;
  }

  void upload(const Tensor& tensor) override {
    const std::lock_guard lock(mutex_);
    if (Copy* copy = find(tensor)) copy_in(*copy, tensor);
  }

  void download(Tensor& tensor) override {
    const std::lock_guard lock(mutex_);
    Copy* copy = find(tensor);
    if (copy == nullptr || tensor.bytes() == 0) return;
    const Access access;
    std::memcpy(tensor.data(), copy->data, tensor.bytes());
    remember(*copy, tensor);
  }

  /// A tensor that was made of device memory itself.
  void adopt(const Tensor& tensor) {
    const std::lock_guard lock(mutex_);
    copies_[tensor.data()] = {tensor.owner(), nullptr, static_cast<std::byte*>(const_cast<void*>(tensor.data())), tensor.bytes(), {}};
  }

  /// Throws DeviceError if the host has written to the tensor since host and device last agreed.
  void require_unchanged(const Tensor& tensor, std::string_view name) {
    const std::lock_guard lock(mutex_);
    const Copy* copy = find(tensor);
    require<DeviceError>(copy == nullptr || copy->host.empty() || std::memcmp(copy->host.data(), tensor.data(), copy->host.size()) == 0,
                         "leaf '{}': the host has written to it; wanted Residence::upload before the next run", name);
  }

  /// A program has written to the device's copy: the host's values are spoilt, so that nobody takes them for the new ones.
  void spoil(Tensor tensor) {
    const std::lock_guard lock(mutex_);
    Copy* copy = find(tensor);
    if (copy == nullptr || copy->memory == nullptr || tensor.bytes() == 0) return;
    std::memset(tensor.data(), 0xFF, tensor.bytes());
    remember(*copy, tensor);
  }

 private:
  struct Copy {
    std::weak_ptr<const void> owner;
    std::unique_ptr<GuardedMemory> memory;  ///< null for memory that was adopted
    std::byte* data = nullptr;
    std::size_t bytes = 0;
    std::vector<std::byte> host;  ///< what the host held when it last agreed with the device; empty where it can write nothing
  };

  static void remember(Copy& copy, const Tensor& tensor) {
    const auto* const values = static_cast<const std::byte*>(tensor.data());
    if (tensor.writable() && copy.memory != nullptr) copy.host.assign(values, values + tensor.bytes());
  }

  static void copy_in(Copy& copy, const Tensor& tensor) {
    if (tensor.bytes() == 0) return;
    const Access access;
    std::memcpy(copy.data, tensor.data(), tensor.bytes());
    remember(copy, tensor);
  }

  Copy* find(const Tensor& tensor) {
    const auto found = copies_.find(tensor.data());
    // another tensor may have come to the address of one that is gone
    return found == copies_.end() || found->second.owner.expired() || found->second.bytes < tensor.bytes() ? nullptr : &found->second;
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
        loop_(program, best_kernel_table(), arena_->data(), [&](const Tensor& tensor) { return residence.hold(tensor); }) {
    const Access access;
    std::memset(arena_->data(), 0xFF, arena_->bytes());
    for (const auto& step : program.steps()) {
      for (const auto& location : step.in) note_leaf(location, read_);
      for (const auto& location : step.out) note_leaf(location, written_);
    }
  }

  [[nodiscard]] void* staging(const Location& input) override {
    const Type& type = program_.graph().node(input.node).outputs[0];
    auto& memory = staged_[input.node];
    memory.location = input;
    memory.bytes.resize(static_cast<std::size_t>(program_.graph().bytes(type)));
    return memory.bytes.data();
  }

  void set_layouts(std::span<const RowLayout> layouts) override {
    const Access access;
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

  void set_parts(std::span<const std::int32_t> parts) override { loop_.set_parts(parts); }

  void run() override {
    require_unchanged();
    const Access access;
    upload_inputs();
    loop_.run();
    spoil_written();
  }

  void run_step(std::size_t step) override {
    require_unchanged();
    const Access access;
    if (step == 0) upload_inputs();
    loop_.run_step(step);
    spoil_written();
  }

  [[nodiscard]] Tensor share(const Location& value) override {
    const Graph& graph = program_.graph();
    if (value.leaf >= 0) return graph.node(value.leaf).tensor;
    const Type& type = graph.node(value.node).outputs[static_cast<std::size_t>(value.output)];
    Tensor tensor(type.dtype, capacity_dims(graph, type), arena_, arena_->data() + value.offset);
    residence_.adopt(tensor);
    return tensor;
  }

  [[nodiscard]] const void* fetch(const Location& value, std::size_t bytes) override {
    auto& copy = fetched_[{value.node, value.output}];
    copy.resize(bytes);
    const void* data = value.leaf >= 0 ? residence_.hold(program_.graph().node(value.leaf).tensor) : arena_->data() + value.offset;
    const Access access;
    if (bytes != 0) std::memcpy(copy.data(), data, bytes);
    return copy.data();
  }

 private:
  void note_leaf(const Location& location, std::set<std::int32_t>& leaves) const {
    if (location.leaf >= 0 && program_.graph().node(location.leaf).tensor.defined()) leaves.insert(location.leaf);
  }

  void require_unchanged() {
    for (const auto leaf : read_) residence_.require_unchanged(program_.graph().node(leaf).tensor, program_.graph().node(leaf).name);
  }

  void spoil_written() {
    for (const auto leaf : written_) residence_.spoil(program_.graph().node(leaf).tensor);
  }

  void upload_inputs() {
    for (const auto& [node, memory] : staged_) {
      if (memory.location.offset >= 0) std::ranges::copy(memory.bytes, arena_->data() + memory.location.offset);
    }
  }

  static std::size_t layout_bytes(const Program& program) {
    std::int64_t numbers = 0;
    for (const auto& space : program.graph().row_spaces()) numbers += space.segments + 1 + space.rows;
    return static_cast<std::size_t>(numbers) * sizeof(std::int32_t);
  }

  struct Staged {
    Location location;
    std::vector<std::byte> bytes;
  };

  const Program& program_;
  GuardedResidence& residence_;
  std::set<std::int32_t> read_;     ///< nodes of leaves
  std::set<std::int32_t> written_;  ///< nodes of leaves
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
  [[nodiscard]] bool reads(Dtype stored) const noexcept override { return cpu_backend().reads(stored); }
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
